//! The gateway as whoever operates it sees it: identities, twins, methods, messages to devices.
//!
//! [`Service`] is what a service API asks of the gateway, in its own terms and in no protocol's; the gateway's hub
//! implements it, and a listener of HTTPS speaks it to the service SDKs. [`IdentityStore`] keeps identities, and
//! [`FileUploads`] serves devices that upload files.

mod access;
mod error;
mod identity_store;
mod operations;
mod record;
mod registry;
mod uploads;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Credentials, DeviceId, Identity, Message, MethodAnswer, Timestamp};

pub use access::{AccessRequest, Permission, Permissions};
pub use error::ServiceError;
pub use identity_store::{IdentityChange, IdentityStore, MemoryIdentities};
pub use operations::{LockOutcome, MethodRequest, TwinChange};
pub use record::{AuthRecord, Configured, IdentityRecord, Secret};
pub use registry::{
    AuthSpec, BulkEntry, BulkFailure, BulkMode, IdentitySpec, IdentityState, IfMatch, Statistics,
};
pub use uploads::{FileUploads, UploadNotice, UploadTicket};

/// What a service API asks of the gateway.
///
/// Whoever calls has authorised the caller first, with [`Service::authorize`] or [`Service::authenticate`]: the other
/// methods trust it.
///
/// # Contract
/// - A change MUST be durable when its method returns `Ok`, and a refused one MUST change nothing.
/// - A change whose [`IfMatch`] is not met by the present entity tag MUST be refused with
///   [`ServiceError::PreconditionFailed`]; [`IfMatch::None`] and [`IfMatch::Any`] are always met.
/// - Whatever is asked of an identity that is not registered MUST be refused with [`ServiceError::NotFound`].
/// - A change of an identity that takes rights away MUST end its sessions, and those of a device's modules with it.
/// - Deleting an identity MUST delete its twin, what waits for it, and the modules of a device.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// Decides whether a token allows what is asked; it is signed with the key of a policy that has the permission, and
    /// not run out. Returns until when it does, `None` when it never runs out: whoever keeps a connection open on the
    /// strength of the token ends that then.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`] when it does not.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing is changed.
    async fn authorize(&self, request: AccessRequest<'_>) -> Result<Option<Timestamp>, ServiceError>;

    /// Decides whether the caller is `claimed`, a module that may call methods of others: one of the gateway's own
    /// edge device.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`] when it is not, [`ServiceError::Unavailable`] when nobody can say.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing is changed.
    async fn authenticate(&self, claimed: &Identity, credentials: &Credentials) -> Result<(), ServiceError>;

    /// Registers an identity; the keys that are not given are made. An edge device gets its modules `$edgeAgent` and
    /// `$edgeHub`.
    ///
    /// # Errors
    /// [`ServiceError::AlreadyExists`] when it is registered, [`ServiceError::NotFound`] when the device of a module is
    /// not.
    ///
    /// # Cancel safety
    /// Dropped, the change is made as a whole or not at all.
    async fn create(&self, spec: IdentitySpec) -> Result<IdentityState, ServiceError>;

    /// Changes an identity that is registered.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::PreconditionFailed`].
    ///
    /// # Cancel safety
    /// Dropped, the change is made as a whole or not at all.
    async fn update(&self, spec: IdentitySpec, if_match: IfMatch) -> Result<IdentityState, ServiceError>;

    /// Returns an identity.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing is changed.
    async fn identity(&self, identity: &Identity) -> Result<IdentityState, ServiceError>;

    /// Returns at most `limit` devices in the order of their ids, those behind `after`.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`].
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing is changed.
    async fn devices(
        &self,
        after: Option<&DeviceId>,
        limit: usize,
    ) -> Result<Vec<IdentityState>, ServiceError>;

    /// Returns the modules of a device, in the order of their ids.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when the device is not registered.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing is changed.
    async fn modules(&self, device: &DeviceId) -> Result<Vec<IdentityState>, ServiceError>;

    /// Deletes an identity; a device's modules with it.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::PreconditionFailed`].
    ///
    /// # Cancel safety
    /// Dropped, the change is made as a whole or not at all.
    async fn delete(&self, identity: &Identity, if_match: IfMatch) -> Result<(), ServiceError>;

    /// Carries out many changes in their order, each by itself; returns those that could not be made.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`] when none could be made.
    ///
    /// # Cancel safety
    /// Dropped, the change is made as a whole or not at all.
    async fn bulk(&self, entries: Vec<BulkEntry>) -> Result<Vec<BulkFailure>, ServiceError>;

    /// Returns how many devices there are.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`].
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing is changed.
    async fn statistics(&self) -> Result<Statistics, ServiceError>;

    /// Returns the whole twin as the service side sees it, in JSON.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing is changed.
    async fn twin(&self, identity: &Identity) -> Result<Bytes, ServiceError>;

    /// Changes the tags and desired properties of a twin; returns the whole twin in JSON.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] and [`ServiceError::TooLarge`] for what no twin may be,
    /// [`ServiceError::PreconditionFailed`], [`ServiceError::NotFound`].
    ///
    /// # Cancel safety
    /// Dropped, the change is made as a whole or not at all.
    async fn change_twin(
        &self,
        identity: &Identity,
        change: TwinChange,
        if_match: IfMatch,
    ) -> Result<Bytes, ServiceError>;

    /// Calls a direct method, and waits for its answer.
    ///
    /// # Errors
    /// [`ServiceError::NotOnline`], [`ServiceError::TimedOut`], [`ServiceError::BadAnswer`]; [`ServiceError::Invalid`]
    /// and [`ServiceError::TooLarge`] for a call that cannot be made; [`ServiceError::NotFound`].
    ///
    /// # Cancel safety
    /// Dropped, the call may still be carried out, and its answer is not heard.
    async fn invoke(&self, identity: &Identity, request: MethodRequest)
    -> Result<MethodAnswer, ServiceError>;

    /// Puts a message into the queue of a device or module.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::QueueFull`], [`ServiceError::TooLarge`], [`ServiceError::Invalid`].
    ///
    /// # Cancel safety
    /// Dropped, the change is made as a whole or not at all.
    async fn send_to_device(&self, identity: &Identity, message: Message) -> Result<(), ServiceError>;

    /// Throws away what waits for a device or module, and returns how many messages that were.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    ///
    /// # Cancel safety
    /// Dropped, the change is made as a whole or not at all.
    async fn purge(&self, identity: &Identity) -> Result<u64, ServiceError>;

    /// Locks the next message that waits for a device or module, for `lock` or the default time, and returns it; `None`
    /// when none waits. Its system properties say the lock token, sequence number, delivery count and enqueued time.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    ///
    /// # Cancel safety
    /// Dropped, what was locked becomes free again when the lock's time is up.
    async fn receive(
        &self,
        identity: &Identity,
        lock: Option<Duration>,
    ) -> Result<Option<Message>, ServiceError>;

    /// Says what becomes of the message that is locked with this token.
    ///
    /// # Errors
    /// [`ServiceError::LockLost`] when none of this device or module is.
    ///
    /// # Cancel safety
    /// Dropped, the change is made as a whole or not at all.
    async fn settle(
        &self,
        identity: &Identity,
        lock_token: &str,
        outcome: LockOutcome,
    ) -> Result<(), ServiceError>;

    /// Locks the next batch of feedback on messages to devices, and returns it: a message with a JSON array and a lock
    /// token; `None` when there is none.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`].
    ///
    /// # Cancel safety
    /// Dropped, what was locked becomes free again when the lock's time is up.
    async fn receive_feedback(&self) -> Result<Option<Message>, ServiceError>;

    /// Says what becomes of the feedback that is locked with this token.
    ///
    /// # Errors
    /// [`ServiceError::LockLost`] when none is.
    ///
    /// # Cancel safety
    /// Dropped, the change is made as a whole or not at all.
    async fn settle_feedback(&self, lock_token: &str, outcome: LockOutcome) -> Result<(), ServiceError>;
}

impl fmt::Debug for dyn Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Service")
    }
}

const _: Option<&dyn Service> = None;
