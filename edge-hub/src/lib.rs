//! The hub of an edge gateway: clients in, routes, durable queues, endpoints out.
//!
//! [`Hub::builder`] takes the parts — listeners, an authenticator, a store, endpoints, routes — and [`Hub::run`] runs
//! them until it is told to stop. [`Hub::client`] gives Rust code in the same process the rights of a connected module,
//! without a socket.
//!
//! # What holds
//! - A sender is acknowledged when its message is as durable as configured, and not before.
//! - Every copy of a message ends in one counted outcome, see [`Ledger`].
//! - Messages of one endpoint and priority keep their order, unless a [`DeliveryPolicy`] asks for another one. More
//!   urgent ones go first, and nobody starves.
//! - An endpoint that fails is tried again without end; a message that it refuses for good goes to the queue
//!   `$dead-letter/<endpoint>` after [`Limits::max_refusals`] tries, with the reason in the application property
//!   `edge-dead-letter-reason`, from where [`HubHandle::replay_dead_letters`] gives it back.
//! - Routes and identities can be replaced while messages flow.
//!
//! # Spans
//! What the hub traces is in spans with these names, which do not change:
//!
//! | span | fields | level | what happens in it |
//! |---|---|---|---|
//! | `edge.run` | `device` | info | everything, from start to stop |
//! | `edge.pump` | `endpoint` | info | sending to one endpoint |
//! | `edge.open` | `client`, `protocol` | debug | letting a client in |
//! | `edge.routes` | `routes` | info | putting routes in force |
//!
#![doc = include_str!("metrics/names.md")]

mod builder;
mod c2d;
mod client;
mod client_session;
mod clients;
mod dead_letters;
mod delivery;
mod dispatch;
mod events;
mod hub;
mod inputs;
mod ledger;
mod limits;
mod methods;
mod metrics;
mod names;
mod outbox;
mod policy;
mod pump;
mod registry;
mod routes;
mod service;
mod session;
mod shared;
mod slot;
mod tasks;
mod throttle;
mod timer;
mod twins;
mod visit;

pub use builder::HubBuilder;
pub use client::{Client, Inputs, Outgoing, SendError};
pub use dead_letters::{DeadLetter, DeadLetterError, DeadLetterPlace, DeadLetters};
pub use delivery::{Budget, DeliveryKey, DeliveryPolicy, InFlight, Order, OrderError};
pub use edge_routing::{Diagnostics, RouteSpec};
pub use events::{Call, ClientEvent, Events};
pub use hub::{Hub, HubError, HubHandle, RunningHub, ShutdownReport};
pub use ledger::{DropCause, Drops, Ledger, LedgerLine};
pub use limits::Limits;
pub use names::upstream_id;
pub use policy::{Policies, RoutePolicy};
pub use registry::{IdentityAuth, IdentityEntry, Policy, Registry, RegistryChange};
pub use twins::TwinError;
