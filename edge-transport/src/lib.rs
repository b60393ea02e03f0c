//! Protocols in and out of the gateway.
