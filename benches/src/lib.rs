//! Measurements of the gateway beside its peers.
//!
//! Everything here runs on one machine, over loopback: a server in a process of its own, and a load generator in
//! this one. What is compared is the server's own CPU time per message, which neighbours disturb least, then
//! messages per second and memory; peers take turns within a round, and ratios are taken within a round.
//!
//! `cargo xtask bench` builds what is needed and runs the `compare` program; `loadgen` puts the same load on any
//! server, and `null-durable` is the lower bound: nothing but parsing, one append, one synchronisation, an answer.

pub mod amqp;
pub mod args;
pub mod client;
pub mod clock;
pub mod comparison;
pub mod http;
pub mod machine;
pub mod mqtt;
pub mod process;
pub mod protocol;
pub mod scenario;
pub mod server;
pub mod stats;
pub mod swarm;
pub mod table;
pub mod tls;
