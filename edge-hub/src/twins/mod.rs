//! Twins: what the hub keeps of each client's state, and whom it tells of changes.

mod requests;
mod turns;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use edge_core::service::{AuthRecord, IdentityState, IfMatch, ServiceError, TwinChange};
use edge_core::{
    Clock, DeviceId, Durability, Feed, Identity, Message, SessionEvent, Source, StoreError, SystemKey,
    Timestamp,
};
use edge_twin::{
    ApplyError, DesiredChange, Expect, Patch, PatchError, SectionKind, Twin, TwinLimits, TwinStore,
    TwinStoreError, TwinUpdate,
};

use crate::clients::Clients;
use crate::dispatch::Dispatcher;
use crate::metrics::Metrics;
use crate::routes::Scratch;
use crate::tasks::Tasks;
pub(crate) use requests::Requests;
use turns::Turns;

/// How many events wait for a client that does not read.
const MAX_URGENT: usize = 64;

/// Why a twin is not changed or shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TwinError {
    /// The patch is none, or breaks a limit by itself.
    #[error("the patch is refused")]
    Patch(
        /// What is wrong, and where.
        #[from]
        PatchError,
    ),
    /// The twin would break a limit, or is in another state than the change expects.
    #[error("the change is refused")]
    Refused(
        /// Why.
        #[from]
        ApplyError,
    ),
    /// The store of twins fails.
    #[error("the store does not take or give the twin")]
    Store(
        /// What it said.
        #[from]
        TwinStoreError,
    ),
    /// The change was made, and the message that says so was not taken: sent again, it is told again.
    #[error("the message about the change was not taken")]
    NotAnnounced(
        /// Why.
        #[source]
        StoreError,
    ),
}

impl TwinError {
    /// Returns the status that a client is answered with: 400, 413 or 500.
    fn status(&self) -> u16 {
        match self {
            Self::Patch(error) if error.is_too_large() => 413,
            Self::Refused(ApplyError::Limit { source, .. }) if source.bytes_and_max().is_some() => 413,
            Self::Patch(_) | Self::Refused(_) => 400,
            Self::Store(_) | Self::NotAnnounced(_) => 500,
        }
    }
}

/// The twins of all clients.
pub(crate) struct Twins {
    store: Arc<dyn TwinStore>,
    limits: TwinLimits,
    clock: Arc<dyn Clock>,
    clients: Arc<Clients>,
    metrics: Arc<Metrics>,
    /// Takes messages that say what was reported.
    dispatcher: Arc<Dispatcher>,
    device: DeviceId,
    durability: Durability,
    turns: Turns,
    tasks: Tasks<()>,
}

impl fmt::Debug for Twins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Twins").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Twins {
    pub(crate) fn new(
        store: Arc<dyn TwinStore>,
        clock: Arc<dyn Clock>,
        clients: Arc<Clients>,
        metrics: Arc<Metrics>,
        dispatcher: Arc<Dispatcher>,
        device: DeviceId,
        durability: Durability,
    ) -> Self {
        let (limits, turns, tasks) = Default::default();
        Self { store, limits, clock, clients, metrics, dispatcher, device, durability, turns, tasks }
    }

    /// Returns the twin, an empty one when there is none, with the version that is stored.
    async fn load(&self, identity: &Identity, now: Timestamp) -> Result<(Twin, Option<u64>), TwinStoreError> {
        let found = self.store.load(identity).await?;
        let version = found.as_ref().map(Twin::version);
        Ok((found.unwrap_or_else(|| Twin::new(now)), version))
    }

    /// Returns the twin, which is kept from now on: whoever is shown an etag may come back with it.
    async fn kept(&self, identity: &Identity) -> Result<Twin, TwinStoreError> {
        if let Some(twin) = self.store.load(identity).await? {
            return Ok(twin);
        }
        let _turn = self.turns.take(identity).await;
        let (twin, over) = self.load(identity, self.clock.wall()).await?;
        if over.is_none() {
            self.store.save(identity, None, twin.clone()).await?;
        }
        Ok(twin)
    }

    /// Returns the twin as its device sees it.
    pub(crate) async fn device_view(&self, identity: &Identity) -> Result<Bytes, TwinError> {
        let started = self.clock.now();
        let (twin, _) = self.load(identity, self.clock.wall()).await?;
        self.metrics.device_api.twin_read(identity, self.clock.now().saturating_duration_since(started));
        Ok(twin.to_device_json())
    }

    /// Changes the reported properties, and returns their new version. The message that says so is in its queues, and
    /// as durable as messages are, before this returns.
    pub(crate) async fn report(&self, identity: &Identity, patch: &[u8]) -> Result<u64, TwinError> {
        let started = self.clock.now();
        let patch = Patch::parse(patch, &self.limits.reported)?;
        let _turn = self.turns.take(identity).await;
        let now = self.clock.wall();
        let (mut twin, over) = self.load(identity, now).await?;
        let before = twin.reported().version();
        let version = twin.report(&patch, Expect::Anything, &self.limits.reported, now)?;
        if version != before {
            self.store.save(identity, over, twin).await?;
            self.announce(identity, &patch, now).await.map_err(TwinError::NotAnnounced)?;
        }
        self.metrics.device_api.reported(identity, self.clock.now().saturating_duration_since(started));
        Ok(version)
    }

    /// Publishes what was reported, for routes to take.
    async fn announce(&self, identity: &Identity, patch: &Patch, now: Timestamp) -> Result<(), StoreError> {
        let mut message = Message::builder(&Source::twin_changes())
            .system(SystemKey::MessageSchema, "twinChangeNotification")
            .system(SystemKey::MessageType, "twinChangeNotification")
            .system(SystemKey::EnqueuedTime, &now.to_string())
            .system(SystemKey::ConnectionDeviceId, self.device.as_str())
            .system(SystemKey::ConnectionModuleId, "$edgeHub")
            .system(SystemKey::ReportedDeviceId, identity.device().as_str());
        if let Some(module) = identity.module() {
            message = message.system(SystemKey::ReportedModuleId, module.as_str());
        }
        let message = message.body(&patch.to_json()).build();
        let receipt = self.dispatcher.publish(vec![message], self.durability, &mut Scratch::default());
        receipt.await.map(drop)
    }

    /// Reads a change of tags and desired properties.
    pub(crate) fn parse(&self, text: &[u8]) -> Result<TwinUpdate, ServiceError> {
        TwinUpdate::parse(text, &self.limits).map_err(|error| patch_error(&error))
    }

    /// Changes tags and desired properties, and tells the client.
    pub(crate) async fn change(
        &self,
        identity: &Identity,
        change: TwinChange,
        if_match: IfMatch,
    ) -> Result<(), ServiceError> {
        let (text, replaces) = match &change {
            TwinChange::Replace(text) => (text, true),
            TwinChange::Patch(text) => (text, false),
            _ => return Err(ServiceError::NotImplemented { what: "this change of a twin".into() }),
        };
        let update = self.parse(text)?;
        let expect = match &if_match {
            IfMatch::Etag(etag) => Expect::if_match(Some(etag)),
            _ => Expect::Anything,
        };
        let _turn = self.turns.take(identity).await;
        let now = self.clock.wall();
        let (mut twin, over) = self.load(identity, now).await.map_err(unavailable)?;
        let updated = if replaces {
            twin.replace(&update, expect, &self.limits, now)
        } else {
            twin.update(&update, expect, &self.limits, now)
        };
        let updated = updated.map_err(|error| apply_error(identity, &error))?;
        if over != Some(twin.version()) {
            self.store.save(identity, over, twin).await.map_err(unavailable)?;
        }
        if let Some(desired) = updated.desired {
            self.tell(identity, &desired);
        }
        Ok(())
    }

    /// Tells a connected client that its desired properties have changed; one that is away asks when it comes.
    fn tell(&self, identity: &Identity, change: &DesiredChange) {
        let Some(client) = self.clients.subscribed(identity, Feed::Desired) else { return };
        let event = SessionEvent::Desired { version: change.version, patch: change.to_json() };
        if !client.outbox.push_urgent(event, MAX_URGENT) {
            // It can never again be told in order, and asks for the whole when it comes back.
            tracing::warn!(client = %identity, "a client that does not read is closed, for its twin has changed too often");
            client.outbox.close(edge_core::CloseReason::Revoked);
        }
    }

    /// Returns the twin as the service side sees it.
    pub(crate) async fn service_view(&self, state: &IdentityState) -> Result<Bytes, ServiceError> {
        let record = &state.record;
        let twin = self.kept(&record.identity).await.map_err(unavailable)?;
        let time = |time: Option<Timestamp>| {
            time.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |time| time.to_string())
        };
        let prints = match &record.auth {
            AuthRecord::Thumbprints { primary, secondary } => (primary.as_deref(), secondary.as_deref()),
            _ => (None, None),
        };
        let mut head = serde_json::json!({
            "deviceId": record.identity.device().as_str(),
            "deviceEtag": &*record.etag,
            "status": if record.enabled { "enabled" } else { "disabled" },
            "statusUpdateTime": time(record.status_updated),
            "connectionState": if state.connected { "Connected" } else { "Disconnected" },
            "lastActivityTime": time(state.last_activity),
            "cloudToDeviceMessageCount": state.waiting,
            "authenticationType": record.auth.kind(),
            "x509Thumbprint": { "primaryThumbprint": prints.0, "secondaryThumbprint": prints.1 },
        });
        if let Some(members) = head.as_object_mut() {
            if let Some(module) = record.identity.module() {
                members.insert("moduleId".into(), module.as_str().into());
            } else {
                members.insert("capabilities".into(), serde_json::json!({ "iotEdge": record.edge }));
            }
            if let Some(scope) = &record.device_scope {
                members.insert("deviceScope".into(), (&**scope).into());
            }
        }
        let mut out = head.to_string().into_bytes();
        out.pop();
        out.push(b',');
        twin.write_service_members(&mut out);
        out.push(b'}');
        Ok(out.into())
    }

    /// Forgets the twin of an identity that is no more.
    pub(crate) async fn remove(&self, identity: &Identity) -> Result<(), TwinStoreError> {
        let _turn = self.turns.take(identity).await;
        self.store.remove(identity).await.map(drop)
    }
}

/// Returns what the service side hears of a patch that is none.
fn patch_error(error: &PatchError) -> ServiceError {
    let what = match error {
        PatchError::Limit(limit) if limit.path.starts_with("tags") => TAGS,
        PatchError::Limit(_) => DESIRED,
        _ => "the change of the twin",
    };
    match error.bytes_and_max() {
        Some((bytes, max)) => ServiceError::TooLarge { what, bytes, max },
        None => ServiceError::invalid(edge_core::Report(error).to_string()),
    }
}

const TAGS: &str = "the section of tags";
const DESIRED: &str = "the section of desired properties";

fn apply_error(identity: &Identity, error: &ApplyError) -> ServiceError {
    match error {
        ApplyError::Conflict { .. } => ServiceError::PreconditionFailed { identity: identity.clone() },
        ApplyError::Limit { section, source } if source.bytes_and_max().is_some() => {
            let (bytes, max) = source.bytes_and_max().unwrap_or_default();
            let what = if *section == SectionKind::Tags { TAGS } else { DESIRED };
            ServiceError::TooLarge { what, bytes, max }
        }
        error => ServiceError::invalid(edge_core::Report(error).to_string()),
    }
}

fn unavailable(error: TwinStoreError) -> ServiceError {
    ServiceError::Unavailable { source: error.into() }
}
