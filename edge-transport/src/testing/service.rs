//! A service in memory, for tests of those who ask it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edge_core::service::{
    AccessRequest, AuthRecord, AuthSpec, BulkEntry, BulkFailure, BulkMode, IdentityRecord, IdentitySpec,
    IdentityState, IfMatch, LockOutcome, MethodRequest, Permission, Secret, Service, ServiceError,
    Statistics, TwinChange,
};
use edge_core::{Credentials, DeviceId, Identity, Message, MethodAnswer, Timestamp};

/// A service in memory, for tests of the service API; clones are the same service.
///
/// It takes every token whose text is [`FakeService::TOKEN`], and keeps identities, twins and queues in the simplest
/// way: a twin is what was last sent to it, a method is answered by what [`FakeService::answer_methods`] was told.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use edge_core::service::{IdentitySpec, Service};
/// use edge_transport::testing::FakeService;
///
/// let service = FakeService::default();
/// let made = service.create(IdentitySpec::new("press-7".parse()?)).await?;
/// assert!(made.record.enabled);
/// assert!(service.twin(&"press-7".parse()?).await.is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct FakeService(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    records: BTreeMap<Identity, IdentityRecord>,
    twins: BTreeMap<Identity, Bytes>,
    queues: BTreeMap<Identity, VecDeque<Message>>,
    feedback: VecDeque<Message>,
    settled: Vec<(String, LockOutcome)>,
    methods: Option<MethodAnswer>,
    invoked: Vec<(Identity, MethodRequest)>,
    asked: Vec<(Permission, String)>,
    changes: u64,
    /// Until when tokens are good.
    until: Option<Timestamp>,
}

impl State {
    fn found(&self, identity: &Identity) -> Result<&IdentityRecord, ServiceError> {
        self.records.get(identity).ok_or_else(|| ServiceError::NotFound { identity: identity.clone() })
    }

    fn matching(&self, identity: &Identity, if_match: &IfMatch) -> Result<&IdentityRecord, ServiceError> {
        let found = self.found(identity)?;
        if if_match.is_met_by(&found.etag) {
            return Ok(found);
        }
        Err(ServiceError::PreconditionFailed { identity: identity.clone() })
    }

    fn put(&mut self, mut record: IdentityRecord, spec: IdentitySpec) -> IdentityState {
        self.changes += 1;
        record.etag = format!("AAAA{}=", self.changes).into();
        record.enabled = spec.enabled.unwrap_or(record.enabled);
        record.status_reason = spec.status_reason.map(Into::into).or(record.status_reason);
        record.edge = spec.edge.unwrap_or(record.edge);
        let made_up = || Secret::new("bWFkZSB1cCBmb3IgYSB0ZXN0");
        match spec.auth {
            AuthSpec::Sas { primary, secondary } => {
                let primary = primary.unwrap_or_else(made_up);
                record.auth = AuthRecord::Sas { primary, secondary: Some(secondary.unwrap_or_else(made_up)) };
            }
            AuthSpec::Thumbprints { primary, secondary } => {
                let text = |print: Option<String>| print.map(Into::into);
                record.auth = AuthRecord::Thumbprints { primary: text(primary), secondary: text(secondary) };
            }
            AuthSpec::CertificateAuthority => record.auth = AuthRecord::CertificateAuthority,
            _ => {}
        }
        self.records.insert(record.identity.clone(), record.clone());
        IdentityState::new(record)
    }

    fn create(&mut self, spec: IdentitySpec) -> Result<IdentityState, ServiceError> {
        let identity = spec.identity.clone();
        if self.records.contains_key(&identity) {
            return Err(ServiceError::AlreadyExists { identity });
        }
        if identity.module().is_some() {
            self.found(&Identity::of_device(identity.device().clone()))?;
        }
        let auth = AuthRecord::Sas { primary: Secret::new("bWFkZSB1cCBmb3IgYSB0ZXN0"), secondary: None };
        let twin = format!(
            r#"{{"deviceId":"{}","etag":"AAAB=","version":1,"tags":{{}},"properties":{{"desired":{{"$version":1}},"reported":{{"$version":1}}}}}}"#,
            identity.device()
        );
        self.twins.insert(identity.clone(), twin.into());
        let mut record = IdentityRecord::new(identity, auth);
        record.generation = "1".into();
        Ok(self.put(record, spec))
    }

    fn update(&mut self, spec: IdentitySpec, if_match: &IfMatch) -> Result<IdentityState, ServiceError> {
        let record = self.matching(&spec.identity, if_match)?.clone();
        Ok(self.put(record, spec))
    }

    fn delete(&mut self, identity: &Identity, if_match: &IfMatch) -> Result<(), ServiceError> {
        self.matching(identity, if_match)?;
        self.records.remove(identity);
        self.twins.remove(identity);
        Ok(())
    }
}

impl FakeService {
    /// The token that is taken.
    pub const TOKEN: &str = "SharedAccessSignature good";
    /// A token that is taken for everything but [`Permission::RegistryWrite`].
    pub const READER: &str = "SharedAccessSignature reader";

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets until when the tokens are good that are shown from now on; without it they never run out.
    pub fn let_tokens_expire(&self, until: Timestamp) {
        self.state().until = Some(until);
    }

    /// Sets the answer to every method; without one nobody is online.
    pub fn answer_methods(&self, answer: MethodAnswer) {
        self.state().methods = Some(answer);
    }

    /// Returns the methods called so far.
    #[must_use]
    pub fn invoked(&self) -> Vec<(Identity, MethodRequest)> {
        self.state().invoked.clone()
    }

    /// Returns what tokens were shown for so far: the permission, and the path.
    #[must_use]
    pub fn asked(&self) -> Vec<(Permission, String)> {
        self.state().asked.clone()
    }

    /// Returns what waits for a device or module.
    #[must_use]
    pub fn waiting(&self, identity: &Identity) -> Vec<Message> {
        self.state().queues.get(identity).map(|queue| queue.iter().cloned().collect()).unwrap_or_default()
    }

    /// Puts a batch of feedback there; its lock token is in the system property.
    pub fn put_feedback(&self, feedback: Message) {
        self.state().feedback.push_back(feedback);
    }

    /// Returns the feedback that was settled.
    #[must_use]
    pub fn settled(&self) -> Vec<(String, LockOutcome)> {
        self.state().settled.clone()
    }

    /// Returns how many changes were made.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.state().changes
    }
}

#[async_trait]
impl Service for FakeService {
    async fn authorize(&self, request: AccessRequest<'_>) -> Result<Option<Timestamp>, ServiceError> {
        let mut state = self.state();
        state.asked.push((request.needed, request.path.to_owned()));
        match request.token {
            Self::TOKEN => Ok(state.until),
            Self::READER if request.needed != Permission::RegistryWrite => Ok(state.until),
            _ => Err(ServiceError::Unauthorized { reason: "another token".to_owned() }),
        }
    }

    async fn authenticate(&self, claimed: &Identity, credentials: &Credentials) -> Result<(), ServiceError> {
        let good = matches!(credentials, Credentials::SasToken(token) if token == Self::TOKEN);
        if good && claimed.device().as_str() == "edge1" {
            return Ok(());
        }
        Err(ServiceError::Unauthorized { reason: "not a module of edge1".to_owned() })
    }

    async fn create(&self, spec: IdentitySpec) -> Result<IdentityState, ServiceError> {
        self.state().create(spec)
    }

    async fn update(&self, spec: IdentitySpec, if_match: IfMatch) -> Result<IdentityState, ServiceError> {
        self.state().update(spec, &if_match)
    }

    async fn identity(&self, identity: &Identity) -> Result<IdentityState, ServiceError> {
        Ok(IdentityState::new(self.state().found(identity)?.clone()))
    }

    async fn devices(
        &self,
        after: Option<&DeviceId>,
        limit: usize,
    ) -> Result<Vec<IdentityState>, ServiceError> {
        let state = self.state();
        let devices = state.records.values().filter(|record| record.identity.module().is_none());
        let behind = devices.filter(|record| after.is_none_or(|after| record.identity.device() > after));
        Ok(behind.take(limit).cloned().map(IdentityState::new).collect())
    }

    async fn modules(&self, device: &DeviceId) -> Result<Vec<IdentityState>, ServiceError> {
        let state = self.state();
        state.found(&Identity::of_device(device.clone()))?;
        let modules = state.records.values().filter(|record| record.identity.module().is_some());
        let modules = modules.filter(|record| record.identity.device() == device);
        Ok(modules.cloned().map(IdentityState::new).collect())
    }

    async fn delete(&self, identity: &Identity, if_match: IfMatch) -> Result<(), ServiceError> {
        self.state().delete(identity, &if_match)
    }

    async fn bulk(&self, entries: Vec<BulkEntry>) -> Result<Vec<BulkFailure>, ServiceError> {
        let mut state = self.state();
        let mut failures = Vec::new();
        for entry in entries {
            let (identity, mode) = (entry.spec.identity.clone(), entry.mode);
            let etag = entry.etag.map_or(IfMatch::Any, IfMatch::Etag);
            let done = match mode {
                BulkMode::Create => state.create(entry.spec).map(drop),
                BulkMode::Update => state.update(entry.spec, &IfMatch::Any).map(drop),
                BulkMode::UpdateIfMatchEtag => state.update(entry.spec, &etag).map(drop),
                BulkMode::Delete => state.delete(&identity, &IfMatch::Any),
                BulkMode::DeleteIfMatchEtag => state.delete(&identity, &etag),
                _ if state.records.contains_key(&identity) => {
                    state.update(entry.spec, &IfMatch::Any).map(drop)
                }
                _ => state.create(entry.spec).map(drop),
            };
            if let Some(twin) = entry.twin.filter(|_| done.is_ok()) {
                state.twins.insert(identity.clone(), twin);
            }
            failures.extend(done.err().map(|error| BulkFailure::new(identity, mode, error)));
        }
        Ok(failures)
    }

    async fn statistics(&self) -> Result<Statistics, ServiceError> {
        let state = self.state();
        let devices = state.records.values().filter(|record| record.identity.module().is_none());
        let (all, disabled) =
            devices.fold((0, 0), |(all, off), record| (all + 1, off + usize::from(!record.enabled)));
        Ok(Statistics::new(all, disabled, 0))
    }

    async fn twin(&self, identity: &Identity) -> Result<Bytes, ServiceError> {
        let twin = self.state().twins.get(identity).cloned();
        twin.ok_or_else(|| ServiceError::NotFound { identity: identity.clone() })
    }

    async fn change_twin(
        &self,
        identity: &Identity,
        change: TwinChange,
        if_match: IfMatch,
    ) -> Result<Bytes, ServiceError> {
        let mut state = self.state();
        state.found(identity)?;
        if !if_match.is_met_by("AAAB=") {
            return Err(ServiceError::PreconditionFailed { identity: identity.clone() });
        }
        let (TwinChange::Patch(body) | TwinChange::Replace(body)) = change else {
            return Err(ServiceError::NotImplemented { what: "this change".to_owned() });
        };
        if serde_json::from_slice::<serde_json::Value>(&body).is_err() {
            return Err(ServiceError::invalid("the twin is not JSON"));
        }
        state.changes += 1;
        state.twins.insert(identity.clone(), body.clone());
        Ok(body)
    }

    async fn invoke(
        &self,
        identity: &Identity,
        request: MethodRequest,
    ) -> Result<MethodAnswer, ServiceError> {
        let mut state = self.state();
        state.invoked.push((identity.clone(), request));
        state.methods.clone().ok_or_else(|| ServiceError::NotOnline { identity: identity.clone() })
    }

    async fn send_to_device(&self, identity: &Identity, message: Message) -> Result<(), ServiceError> {
        let mut state = self.state();
        state.found(identity)?;
        let queue = state.queues.entry(identity.clone()).or_default();
        if queue.len() == 50 {
            return Err(ServiceError::QueueFull { identity: identity.clone(), limit: 50 });
        }
        queue.push_back(message);
        Ok(())
    }

    async fn purge(&self, identity: &Identity) -> Result<u64, ServiceError> {
        let mut state = self.state();
        state.found(identity)?;
        Ok(state.queues.remove(identity).map_or(0, |queue| queue.len() as u64))
    }

    async fn receive(
        &self,
        identity: &Identity,
        _lock: Option<Duration>,
    ) -> Result<Option<Message>, ServiceError> {
        Ok(self.state().queues.get(identity).and_then(|queue| queue.front().cloned()))
    }

    async fn settle(
        &self,
        identity: &Identity,
        _lock_token: &str,
        outcome: LockOutcome,
    ) -> Result<(), ServiceError> {
        let mut state = self.state();
        let queue = state.queues.get_mut(identity).ok_or(ServiceError::LockLost)?;
        if outcome != LockOutcome::Abandon {
            queue.pop_front().ok_or(ServiceError::LockLost)?;
        }
        Ok(())
    }

    async fn receive_feedback(&self) -> Result<Option<Message>, ServiceError> {
        Ok(self.state().feedback.front().cloned())
    }

    async fn settle_feedback(&self, lock_token: &str, outcome: LockOutcome) -> Result<(), ServiceError> {
        let mut state = self.state();
        let locked =
            state.feedback.front().and_then(|front| front.system().value(edge_core::SystemKey::LockToken));
        if locked != Some(lock_token) {
            return Err(ServiceError::LockLost);
        }
        if outcome == LockOutcome::Complete {
            state.feedback.pop_front();
        }
        state.settled.push((lock_token.to_owned(), outcome));
        Ok(())
    }
}
