//! The IoT Hub dialect: what topics, user names, property bags and credentials mean.
//!
//! The protocols know nothing of it; another cloud's dialect would be another module beside this one.

pub mod bag;
mod percent;
pub mod topic;
mod user_name;

pub use user_name::{UserName, UserNameError};
