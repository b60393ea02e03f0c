//! AMQP 1.0 for devices, modules and the service side.
//!
//! | what | where |
//! |---|---|
//! | bytes | `wire` |
//! | one connection, without a socket | `session` |
//! | one connection, with a socket | `driver` |
//! | the listener | [`AmqpListener`](listener::AmqpListener) |
//!
//! Nothing of another crate's AMQP is used. A message is to be settled after its batch is durable and all transfers of one
//! read are one batch; an idle connection is to have no tasks and buffers of its own; and what arrives in part is to be
//! bounded over all connections. Engines that give each connection, session and link a task and channels offer none of it.

pub(crate) mod driver;
pub(crate) mod listener;
mod service;
pub(crate) mod session;
pub(crate) mod wire;
