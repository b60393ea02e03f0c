//! The IoT Hub dialect: what topics, user names, property bags and credentials mean.
//!
//! The protocols know nothing of it; another cloud's dialect would be another module beside this one.

pub(crate) mod amqp;
pub mod bag;
mod connection_string;
pub(crate) mod headers;
mod key;
pub(crate) mod link;
pub(crate) mod percent;
pub(crate) mod properties;
mod token;
pub mod topic;
mod user_name;
pub(crate) mod uuid;
mod x509;

pub use connection_string::{ConnectionString, ConnectionStringError};
pub use key::{SasKey, SasKeyError};
pub use token::{Audience, SasToken, SasTokenError};
pub use user_name::{UserName, UserNameError};
pub use x509::{CertificateFacts, ClientAuthorities, Thumbprint, ThumbprintError, X509Error};
