//! The vocabulary of an IoT edge gateway, and the traits at its edges.
//!
//! Whoever writes a transport, an endpoint, a store or an authenticator for the gateway depends on this crate alone.
//!
//! | to bring your own | implement | and run its kit |
//! |---|---|---|
//! | place that messages go to | [`Endpoint`] | `testing::endpoint` |
//! | durable queue | [`MessageStore`] | `testing::message_store` |
//! | memory of subscriptions | [`SessionStore`] | `testing::session_store` |
//! | judge of who may connect | [`Authenticator`] | `testing::authenticator` |
//! | memory of identities | [`service::IdentityStore`] | `testing::identity_store` |
//! | storage that devices upload files to | [`service::FileUploads`] | `testing::uploads` |
//! | clock | [`Clock`] | `testing::clock` |
//!
//! The kits are behind the feature `testing`; they are exempt from semantic versioning.
//!
//! # Examples
//! A message on its way through a queue to an endpoint:
//! ```
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! use std::num::NonZeroUsize;
//! use edge_core::{
//!     Durability, Enqueue, EndpointId, MemoryStore, Message, MessageStore, Priority, QueueId, ReadLimit, Source,
//!     Target, Timestamp,
//! };
//!
//! let store = MemoryStore::new();
//! let queue = QueueId::new(EndpointId::upstream(), Priority::DEFAULT);
//! let message = Message::builder(&Source::telemetry()).property("line", "7").body(b"21.5").build();
//! let targets = [Target::new(queue.clone(), "telemetry".parse()?, None)].into();
//! store.append(vec![Enqueue::new(message, targets, Timestamp::from_unix_ms(0))], Durability::Memory).await?;
//!
//! let batch = store.read(&queue, 0, ReadLimit::new(NonZeroUsize::MAX, usize::MAX)).await?;
//! assert_eq!(batch.entries[0].message.properties().value("line"), Some(Some("7")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

mod auth;
mod clock;
mod delivery;
mod endpoint;
mod error;
mod feed;
#[cfg(feature = "fields")]
pub mod fields;
mod gateway;
mod id;
mod identity;
mod message;
mod origin;
mod queue;
mod requests;
mod retry;
pub mod service;
mod sessions;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod time_text;

pub use auth::{AuthError, Authenticated, Authenticator, Credentials};
pub use clock::{Clock, SystemClock, Timestamp};
pub use delivery::{Channel, Delivery, Settlement, Settler};
pub use endpoint::{BatchLimit, Endpoint, EndpointError, Outcome};
pub use error::{BoxError, Disposition, Report};
pub use feed::{Feed, FeedSet};
pub use gateway::{
    CloseReason, Gateway, Hello, Incident, IncidentKind, Refusal, Session, SessionEvent, Visit,
};
pub use id::{DeviceId, EndpointId, IdError, MAX_ID_BYTES, ModuleId, PortName, RouteName};
pub use identity::Identity;
pub use message::{
    DecodeError, MAX_MESSAGE_BYTES, Message, MessageBuilder, Properties, PropertyIter, Source, SystemKey,
    SystemProperties, SystemPropertyIter,
};
pub use origin::Origin;
pub use queue::{Priority, PriorityError, QueueId};
pub use requests::{MethodAnswer, MethodCall, TwinAnswer, TwinRequest};
pub use retry::Backoff;
pub use sessions::{MemorySessions, SessionStore};
pub use store::{
    Account, Answered, DropCause, Drops, Durability, DurabilityError, Enqueue, Gone, MemoryStore,
    MessageStore, Offset, Overflow, OverflowError, OverflowKey, QueueState, ReadBatch, ReadLimit, Receipt,
    ReceiptSender, StoreError, Stored, Target, Usage,
};
pub use time_text::TimestampError;
