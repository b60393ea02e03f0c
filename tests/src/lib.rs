//! What the end-to-end tests share: the built gateway in a process of its own, and the peers it is tested with.
//!
//! The tests themselves want the feature `peers`, the gateway built (`cargo build --example gateway`), and the
//! programs that `cargo xtask test` installs. Device SDKs connect to fixed ports, so every test has a loopback
//! address of its own; the tests run on Linux, where all of 127.0.0.0/8 is loopback.

pub mod gateway;
pub mod load;
pub mod mosquitto;
pub mod pki;
pub mod proxy;
pub mod script;
pub mod site;
pub mod wait;
