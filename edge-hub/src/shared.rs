//! What all parts of a hub share, and the hub as its transports see it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use edge_core::service::{Service, ServiceError};
use edge_core::{
    AuthError, Authenticated, Authenticator, Backoff, Clock, CloseReason, DeviceId, Durability, Endpoint,
    EndpointError, EndpointId, Feed, FeedSet, Gateway, Hello, Identity, Incident, MessageStore, Outcome,
    Refusal, Session, SessionStore, Stored, Visit,
};
use edge_transport::{Stop, Stopper};
use tracing::Instrument as _;

use crate::c2d::Mail;
use crate::clients::{Clients, Connected};
use crate::dispatch::Dispatcher;
use crate::hub::HubHandle;
use crate::inputs::ModuleInput;
use crate::ledger::Ledger;
use crate::methods::Methods;
use crate::metrics::{Gauges, Metrics, More};
use crate::pump::{Feeder, Pump, PumpError};
use crate::registry::Registry;
use crate::session::HubSession;
use crate::slot::Slot;
use crate::tasks::Tasks;
use crate::twins::Twins;
use crate::visit::HubVisit;
use crate::{DeliveryPolicy, Limits, Policies, names};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) device: DeviceId,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) registry: Option<Arc<Registry>>,
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) store: Arc<dyn MessageStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) policies: Mutex<Policies>,
    pub(crate) delivery: Mutex<HashMap<EndpointId, DeliveryPolicy>>,
    /// Held while dead letters are given back.
    pub(crate) replaying: tokio::sync::Mutex<()>,
    pub(crate) methods: Arc<Methods>,
    pub(crate) mail: Arc<Mail>,
    pub(crate) twins: Arc<Twins>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) more_metrics: More,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) durability: Durability,
    pub(crate) time_to_live: Option<Duration>,
    pub(crate) limits: Limits,
    pub(crate) backoff: Backoff,
    /// The endpoints that were added, by id.
    pub(crate) endpoints: Mutex<HashMap<EndpointId, Arc<Slot>>>,
    pub(crate) feeders: Mutex<HashMap<EndpointId, Feeder>>,
    pub(crate) pumps: Tasks<Result<(), PumpError>>,
    pub(crate) stop_pumps: (Stopper, Stop),
    pub(crate) running: AtomicBool,
    pub(crate) stopping: AtomicBool,
    /// How often rights were taken away.
    pub(crate) revocations: AtomicU64,
    /// Who is registered no more, and could not be forgotten.
    pub(crate) unforgotten: Mutex<HashSet<Identity>>,
}

impl Shared {
    /// Returns the feeder of an endpoint; a new one gets its pump at once when the hub runs.
    pub(crate) fn feeder(&self, id: &EndpointId) -> Feeder {
        let mut feeders = self.feeders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feeder) = feeders.get(id) {
            return feeder.clone();
        }
        let policy = self.deliveries().get(id).cloned().unwrap_or_default();
        let feeder = Feeder::new(self.endpoint(id), policy);
        feeders.insert(id.clone(), feeder.clone());
        if self.running.load(Ordering::Acquire) {
            self.start(feeder.clone());
        }
        feeder
    }

    fn deliveries(&self) -> MutexGuard<'_, HashMap<EndpointId, DeliveryPolicy>> {
        self.delivery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers the queues of an endpoint in another way, now and when it comes back.
    pub(crate) fn set_delivery(&self, id: &EndpointId, policy: DeliveryPolicy) {
        let feeders = self.feeders.lock().unwrap_or_else(PoisonError::into_inner);
        self.deliveries().insert(id.clone(), policy.clone());
        if let Some(feeder) = feeders.get(id) {
            feeder.policy.send_if_modified(|current| {
                let is_another = *current != policy;
                *current = policy;
                is_another
            });
        }
    }

    fn endpoint(&self, id: &EndpointId) -> Arc<dyn Endpoint> {
        if names::upstream(id).is_some() || *id == EndpointId::upstream() {
            let slot = self.slot(id);
            if !slot.is_taken() {
                tracing::warn!(endpoint = %id, "nothing is there to take messages; they wait until they expire");
            }
            return slot;
        }
        if let Some(endpoint) = self.slots().get(id) {
            return endpoint.clone();
        }
        match ModuleInput::from_id(id, &self.device, &self.clients, &self.limits) {
            Some(input) => Arc::new(input),
            None => {
                tracing::warn!(endpoint = %id, "nothing is there to take messages; they wait until they expire");
                Arc::new(Nowhere(id.clone()))
            }
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<EndpointId, Arc<Slot>>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the place of an endpoint, an empty one when there is none yet.
    pub(crate) fn slot(&self, id: &EndpointId) -> Arc<Slot> {
        let empty = || Arc::new(Slot::new(id.clone(), None));
        self.slots().entry(id.clone()).or_insert_with(empty).clone()
    }

    /// Returns the names of the upstreams that there are beside `$upstream`.
    pub(crate) fn upstreams(&self) -> Vec<String> {
        let slots = self.slots();
        let there = slots.iter().filter(|(_, slot)| slot.is_taken());
        let mut names: Vec<_> = there.filter_map(|(id, _)| names::upstream(id)).map(str::to_owned).collect();
        names.sort_unstable();
        names
    }

    /// Starts the pumps of all endpoints known so far; those that come later start at once.
    pub(crate) fn start_pumps(&self) {
        let feeders = self.feeders.lock().unwrap_or_else(PoisonError::into_inner);
        self.running.store(true, Ordering::Release);
        for feeder in feeders.values() {
            self.start(feeder.clone());
        }
    }

    fn start(&self, feeder: Feeder) {
        let pump = Pump {
            store: self.store.clone(),
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
            limits: self.limits.clone(),
            policy: DeliveryPolicy::new(),
            changes: feeder.policy.subscribe(),
            backoff: self.backoff,
            stop: self.stop_pumps.1.clone(),
            feeder,
        };
        let span = tracing::info_span!("edge.pump", endpoint = %pump.feeder.endpoint.id());
        self.pumps.spawn(pump.run().instrument(span));
    }

    /// Forgets what is kept for an identity that is registered no more.
    pub(crate) async fn forget(&self, identity: &Identity) -> Result<(), ServiceError> {
        self.clients.forget(identity);
        if !self.sessions.load(identity).is_empty() {
            drop(self.sessions.save(identity, FeedSet::EMPTY));
        }
        let mail = self.mail.forget(identity).await;
        let twin = self.twins.remove(identity).await;
        let twin = twin.map_err(|error| ServiceError::Unavailable { source: error.into() });
        let forgotten = mail.and(twin);
        let mut unforgotten = self.unforgotten.lock().unwrap_or_else(PoisonError::into_inner);
        if forgotten.is_ok() {
            unforgotten.remove(identity);
        } else {
            unforgotten.insert(identity.clone());
        }
        forgotten
    }

    /// Returns those of whom something may be kept although they were deleted.
    pub(crate) fn unforgotten(&self, identities: &[Identity]) -> Vec<Identity> {
        let unforgotten = self.unforgotten.lock().unwrap_or_else(PoisonError::into_inner);
        identities.iter().filter(|identity| unforgotten.contains(*identity)).cloned().collect()
    }

    /// Starts what delivers cloud-to-device messages.
    pub(crate) fn start_mail(&self) {
        let (mail, stop) = (self.mail.clone(), self.stop_pumps.1.clone());
        self.pumps.spawn(async move {
            tokio::select! {
                () = mail.run() => {}
                () = stop.wait() => {}
            }
            Ok(())
        });
    }

    /// Returns the ledger at this moment.
    pub(crate) fn ledger(&self) -> Ledger {
        let refused = self.dispatcher.refused_batches.load(Ordering::Relaxed);
        Ledger::of(&self.store.accounts(), refused)
    }

    /// Writes the metrics.
    pub(crate) fn metrics_text(&self) -> String {
        let ledger = self.ledger();
        let gauges = Gauges { store: &*self.store, ledger: &ledger, clients: self.clients.len() };
        self.metrics.write(&gauges) + &self.more_metrics.text()
    }

    /// What is done once a second: give expired space back, end sessions whose credentials have run out, and look for
    /// entries that became readable only after their append, which a store may do.
    pub(crate) fn tick(&self) {
        let now = self.clock.wall();
        self.wake_pumps();
        self.mail.tick();
        self.twins.tidy();
        match self.store.expire(now) {
            Ok(gone) => {
                for gone in gone.iter().filter(|gone| names::is_routed(gone.queue.endpoint())) {
                    self.metrics.lost(gone.cause, Some(&gone.route), gone.entries);
                }
            }
            Err(error) => tracing::debug!(%error, "expired messages cannot be given up"),
        }
        self.clients.close_where(CloseReason::Expired, |client| client.expires.is_some_and(|at| at <= now));
    }

    /// Wakes the pump of every queue that holds something.
    fn wake_pumps(&self) {
        let queues = self.store.queues();
        let feeders = self.feeders.lock().unwrap_or_else(PoisonError::into_inner);
        for state in queues.iter().filter(|state| !state.is_empty()) {
            if let Some(feeder) = feeders.get(state.queue.endpoint()) {
                feeder.signal.raise(state.queue.priority());
            }
        }
    }

    /// Opens a session for a client that needs no authentication, or has passed it.
    pub(crate) fn admit(
        self: &Arc<Self>,
        authenticated: Authenticated,
        clean: bool,
    ) -> Result<HubSession, Refusal> {
        if self.stopping.load(Ordering::Acquire) {
            return Err(Refusal::NotReady { reason: "the gateway is stopping".into() });
        }
        let identity = authenticated.identity.clone();
        let kept = if clean { FeedSet::EMPTY } else { self.sessions.load(&identity) };
        if clean && !self.sessions.load(&identity).is_empty() {
            drop(self.sessions.save(&identity, FeedSet::EMPTY));
        }
        let client = Arc::new(Connected::new(identity, authenticated.expires, clean, kept));
        self.clients
            .enter(&client, self.limits.max_clients)
            .map_err(|_| Refusal::TooManyClients { limit: self.limits.max_clients })?;
        self.clients.note(&client.identity, self.clock.wall());
        if kept.contains(Feed::CloudToDevice) {
            self.mail.call(&client.identity);
        }
        Ok(HubSession::new(self.clone(), client, authenticated, !kept.is_empty()))
    }
}

/// An endpoint that routes name and nobody has set up.
#[derive(Debug)]
struct Nowhere(EndpointId);

#[async_trait]
impl Endpoint for Nowhere {
    fn id(&self) -> &EndpointId {
        &self.0
    }

    async fn send(&self, _: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        Err(EndpointError::Absent)
    }
}

/// The hub as transports see it.
#[derive(Clone)]
pub(crate) struct Door(pub(crate) Arc<Shared>);

#[async_trait]
impl Gateway for Door {
    async fn open(&self, hello: Hello) -> Result<Box<dyn Session>, Refusal> {
        let span = tracing::debug_span!("edge.open", client = %hello.claimed, protocol = hello.protocol);
        self.judge(hello).instrument(span).await
    }

    async fn visit(&self, hello: Hello) -> Result<Box<dyn Visit>, Refusal> {
        let who = self.judged(&hello).await?;
        if self.0.stopping.load(Ordering::Acquire) {
            return Err(Refusal::NotReady { reason: "the gateway is stopping".into() });
        }
        Ok(Box::new(HubVisit::new(self.0.clone(), who)))
    }

    fn service(&self) -> Option<Arc<dyn Service>> {
        self.0.registry.as_ref().map(|_| Arc::new(HubHandle { shared: self.0.clone() }) as Arc<dyn Service>)
    }

    fn report(&self, incident: &Incident<'_>) {
        self.0.metrics.incident(incident);
    }
}

impl Door {
    /// Authenticates a client, and opens its session.
    async fn judge(&self, hello: Hello) -> Result<Box<dyn Session>, Refusal> {
        let revocations = || self.0.revocations.load(Ordering::SeqCst);
        let before = revocations();
        let who = self.judged(&hello).await?;
        let session = self.0.admit(who, hello.clean).map_err(|refusal| self.refused(&hello, refusal))?;
        if revocations() != before {
            // Rights were taken away meanwhile, perhaps these, when this session could not be found yet.
            self.judged(&hello).await?;
        }
        Ok(Box::new(session))
    }

    /// Authenticates a client.
    async fn judged(&self, hello: &Hello) -> Result<Authenticated, Refusal> {
        let hub = &self.0;
        let now = hub.clock.wall();
        let judged = hub.authenticator.authenticate(&hello.claimed, &hello.credentials, now).await;
        judged.map_err(|error| self.refused(hello, error.into()))
    }

    /// Counts a refusal.
    fn refused(&self, hello: &Hello, refusal: Refusal) -> Refusal {
        self.0.metrics.refused(reason(&refusal), &who(&hello.claimed), &refusal);
        refusal
    }
}

fn who(identity: &Identity) -> String {
    identity.to_string()
}

/// Returns the reason of a refusal, as metrics label it.
fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Auth(AuthError::Unknown { .. }) => "unknown_identity",
        Refusal::Auth(AuthError::Disabled { .. }) => "disabled",
        Refusal::Auth(AuthError::Unavailable { .. }) => "unavailable",
        Refusal::Auth(_) => "not_authenticated",
        Refusal::TooManyClients { .. } => "too_many_clients",
        _ => "not_ready",
    }
}
