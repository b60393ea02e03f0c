//! TLS for listeners.

mod certificate;
mod client_certificate;
mod server;

pub use certificate::{ServerCertificate, TlsError};
pub use server::TlsServer;
