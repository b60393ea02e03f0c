//! The hub as its operators see it: identities, twins, methods, messages to devices.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edge_core::service::{
    AccessRequest, BulkEntry, BulkFailure, IdentitySpec, IdentityState, IfMatch, LockOutcome, MethodRequest,
    Service, ServiceError, Statistics, TwinChange,
};
use edge_core::{Credentials, DeviceId, Identity, Message, MethodAnswer, Timestamp};

use crate::hub::HubHandle;
use crate::registry::{Registry, RegistryChange};

impl HubHandle {
    fn registry(&self) -> Result<&Registry, ServiceError> {
        let what = || ServiceError::NotImplemented { what: "a registry of identities".into() };
        self.shared.registry.as_deref().ok_or_else(what)
    }

    /// Makes sure that an identity is registered. A hub without a registry knows nobody, and serves everybody.
    fn known(&self, identity: &Identity) -> Result<(), ServiceError> {
        match &self.shared.registry {
            Some(registry) => registry.identity(identity).map(drop),
            None => Ok(()),
        }
    }

    /// Does what a change of the registry asks of the rest of the hub. What is kept for an identity is forgotten when it
    /// is deleted; where that fails, at the latest when it is registered anew.
    async fn follow<T>(&self, change: RegistryChange<T>) -> Result<T, ServiceError> {
        self.revoke(&change.revoked);
        let mut forgotten = Ok(());
        for identity in change.deleted.iter().chain(&self.shared.unforgotten(&change.created)) {
            // One that fails keeps no other from being forgotten.
            forgotten = forgotten.and(self.shared.forget(identity).await);
        }
        forgotten.map(|()| change.value)
    }

    /// Adds what only the hub knows.
    fn state(&self, record: edge_core::service::IdentityRecord) -> IdentityState {
        let shared = &self.shared;
        let mut state = IdentityState::new(record);
        let identity = &state.record.identity;
        state.connected = shared.clients.is_connected(identity);
        state.connection_updated = shared.clients.changed(identity);
        state.last_activity = state.connection_updated;
        state.waiting = usize::try_from(shared.mail.waiting(identity)).unwrap_or(usize::MAX);
        state
    }
}

#[async_trait]
impl Service for HubHandle {
    async fn authorize(&self, request: AccessRequest<'_>) -> Result<Option<Timestamp>, ServiceError> {
        self.registry()?.authorize(request, self.shared.clock.wall()).map(Some)
    }

    async fn authenticate(&self, claimed: &Identity, credentials: &Credentials) -> Result<(), ServiceError> {
        let unauthorized = |reason: String| ServiceError::Unauthorized { reason };
        if claimed.device() != &self.shared.device || claimed.module().is_none() {
            return Err(unauthorized(format!("{claimed} is no module of {}", self.shared.device)));
        }
        let (judge, now) = (&self.shared.authenticator, self.shared.clock.wall());
        match judge.authenticate(claimed, credentials, now).await {
            Ok(_) => Ok(()),
            Err(edge_core::AuthError::Unavailable { source, .. }) => {
                Err(ServiceError::Unavailable { source })
            }
            Err(error) => Err(unauthorized(edge_core::Report(&error).to_string())),
        }
    }

    async fn create(&self, spec: IdentitySpec) -> Result<IdentityState, ServiceError> {
        let change = self.registry()?.create(spec, self.shared.clock.wall()).await?;
        Ok(self.state(self.follow(change).await?))
    }

    async fn update(&self, spec: IdentitySpec, if_match: IfMatch) -> Result<IdentityState, ServiceError> {
        let change = self.registry()?.update(spec, if_match, self.shared.clock.wall()).await?;
        Ok(self.state(self.follow(change).await?))
    }

    async fn identity(&self, identity: &Identity) -> Result<IdentityState, ServiceError> {
        Ok(self.state(self.registry()?.identity(identity)?))
    }

    async fn devices(
        &self,
        after: Option<&DeviceId>,
        limit: usize,
    ) -> Result<Vec<IdentityState>, ServiceError> {
        let records = self.registry()?.devices(after, limit);
        Ok(records.into_iter().map(|record| self.state(record)).collect())
    }

    async fn modules(&self, device: &DeviceId) -> Result<Vec<IdentityState>, ServiceError> {
        let records = self.registry()?.modules(device)?;
        Ok(records.into_iter().map(|record| self.state(record)).collect())
    }

    async fn delete(&self, identity: &Identity, if_match: IfMatch) -> Result<(), ServiceError> {
        let change = self.registry()?.delete(identity, if_match).await?;
        self.follow(change).await
    }

    async fn bulk(&self, entries: Vec<BulkEntry>) -> Result<Vec<BulkFailure>, ServiceError> {
        // An entry with a twin that is none changes nothing at all.
        let (mut sound, mut refused) = (Vec::with_capacity(entries.len()), Vec::new());
        for entry in entries {
            match entry.twin.as_ref().map_or(Ok(()), |twin| self.shared.twins.parse(twin).map(drop)) {
                Ok(()) => sound.push(entry),
                Err(error) => refused.push(BulkFailure::new(entry.spec.identity, entry.mode, error)),
            }
        }
        let change = self.registry()?.bulk(&sound, self.shared.clock.wall()).await?;
        let mut failures = self.follow(change).await?;
        failures.append(&mut refused);
        for entry in &sound {
            let (identity, mode) = (&entry.spec.identity, entry.mode);
            let Some(twin) = &entry.twin else { continue };
            if failures.iter().any(|failure| failure.identity == *identity) || self.known(identity).is_err() {
                continue;
            }
            let if_match = entry.twin_etag.clone().map_or(IfMatch::Any, IfMatch::Etag);
            let changed = self.shared.twins.change(identity, TwinChange::Patch(twin.clone()), if_match).await;
            if let Err(error) = changed {
                failures.push(BulkFailure::new(identity.clone(), mode, error));
            }
        }
        for BulkFailure { identity, error, .. } in &failures {
            tracing::info!(client = %identity, error = %edge_core::Report(error), "an entry of a bulk operation is refused");
        }
        Ok(failures)
    }

    async fn statistics(&self) -> Result<Statistics, ServiceError> {
        let (devices, disabled) = self.registry()?.device_counts();
        Ok(Statistics::new(devices, disabled, self.shared.clients.connected_devices()))
    }

    async fn twin(&self, identity: &Identity) -> Result<Bytes, ServiceError> {
        let state = self.identity(identity).await?;
        self.shared.twins.service_view(&state).await
    }

    async fn change_twin(
        &self,
        identity: &Identity,
        change: TwinChange,
        if_match: IfMatch,
    ) -> Result<Bytes, ServiceError> {
        let state = self.identity(identity).await?;
        self.shared.twins.change(identity, change, if_match).await?;
        self.shared.twins.service_view(&state).await
    }

    async fn invoke(
        &self,
        identity: &Identity,
        request: MethodRequest,
    ) -> Result<MethodAnswer, ServiceError> {
        self.known(identity)?;
        let started = self.shared.clock.now();
        let answer = self.shared.methods.invoke(&self.shared.clients, identity, request).await;
        let took = self.shared.clock.now().saturating_duration_since(started);
        self.shared.metrics.device_api.method(identity, took);
        answer
    }

    async fn send_to_device(&self, identity: &Identity, message: Message) -> Result<(), ServiceError> {
        self.known(identity)?;
        self.shared.mail.send(identity, &message).await
    }

    async fn purge(&self, identity: &Identity) -> Result<u64, ServiceError> {
        self.known(identity)?;
        self.shared.mail.purge(identity).await
    }

    async fn receive(
        &self,
        identity: &Identity,
        lock: Option<Duration>,
    ) -> Result<Option<Message>, ServiceError> {
        self.known(identity)?;
        self.shared.mail.fetch(identity, lock).await
    }

    async fn settle(
        &self,
        identity: &Identity,
        lock_token: &str,
        outcome: LockOutcome,
    ) -> Result<(), ServiceError> {
        self.known(identity)?;
        self.shared.mail.settle(identity, lock_token, outcome).await
    }

    async fn receive_feedback(&self) -> Result<Option<Message>, ServiceError> {
        self.shared.mail.feedback().await
    }

    async fn settle_feedback(&self, lock_token: &str, outcome: LockOutcome) -> Result<(), ServiceError> {
        self.shared.mail.settle_feedback(lock_token, outcome != LockOutcome::Abandon)
    }
}
