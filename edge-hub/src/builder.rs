//! Puts a hub together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use edge_core::{
    AuthError, Authenticated, Authenticator, Backoff, Clock, Credentials, DeviceId, Durability, Endpoint,
    EndpointId, Identity, MemorySessions, MemoryStore, MessageStore, SessionStore, SystemClock, Timestamp,
};
use edge_routing::{Diagnostics, RouteSpec};
use edge_transport::{Listener, MetricsListener, Stop};
use edge_twin::{MemoryTwins, TwinStore};

use crate::c2d::Mail;
use crate::clients::Clients;
use crate::dispatch::Dispatcher;
use crate::hub::Hub;
use crate::limits::Limits;
use crate::methods::Methods;
use crate::registry::Registry;
use crate::routes::RouteTable;
use crate::shared::Shared;
use crate::slot::Slot;
use crate::tasks::Tasks;
use crate::throttle::Throttle;
use crate::twins::Twins;
use crate::{DeliveryPolicy, Policies, metrics, names};

/// Puts a [`Hub`] together; what is not set has a default that works.
///
/// | part | default |
/// |---|---|
/// | routes | none: every message is dropped, and counted |
/// | store | [`MemoryStore`]: nothing survives the process |
/// | sessions | [`MemorySessions`] |
/// | twins | [`MemoryTwins`] |
/// | authenticator | lets nobody in; in-process clients need none |
/// | durability | [`Durability::Synced`], as far as the store goes |
/// | time to live | none: messages wait for ever |
/// | policies of routes | a full store refuses |
/// | delivery | strict order, no budget |
/// | listeners, endpoints | none |
///
/// # Examples
/// ```
/// use edge_hub::Hub;
///
/// let hub = Hub::builder("edge1".parse()?).route("all", "FROM /messages/* INTO $upstream").build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until build"]
pub struct HubBuilder {
    device: DeviceId,
    hub_name: String,
    authenticator: Arc<dyn Authenticator>,
    registry: Option<Arc<Registry>>,
    sessions: Arc<dyn SessionStore>,
    store: Arc<dyn MessageStore>,
    twins: Arc<dyn TwinStore>,
    clock: Arc<dyn Clock>,
    durability: Durability,
    time_to_live: Option<Duration>,
    limits: Limits,
    backoff: Backoff,
    endpoints: Vec<Arc<dyn Endpoint>>,
    listeners: Vec<Box<dyn Listener>>,
    metrics: Option<MetricsListener>,
    more_metrics: metrics::More,
    routes: Vec<RouteSpec>,
    policies: Policies,
    delivery: HashMap<EndpointId, DeliveryPolicy>,
}

/// Lets nobody in.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl Authenticator for Nobody {
    async fn authenticate(
        &self,
        claimed: &Identity,
        _: &Credentials,
        _: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        Err(AuthError::Unknown { identity: claimed.clone() })
    }
}

impl HubBuilder {
    pub(crate) fn new(device: DeviceId) -> Self {
        Self {
            device,
            hub_name: "local".into(),
            authenticator: Arc::new(Nobody),
            registry: None,
            sessions: Arc::new(MemorySessions::default()),
            store: Arc::new(MemoryStore::new()),
            twins: Arc::new(MemoryTwins::default()),
            clock: Arc::new(SystemClock),
            durability: Durability::default(),
            time_to_live: None,
            limits: Limits::default(),
            backoff: Backoff::default(),
            endpoints: Vec::new(),
            listeners: Vec::new(),
            metrics: None,
            more_metrics: metrics::More::default(),
            routes: Vec::new(),
            policies: Policies::default(),
            delivery: HashMap::new(),
        }
    }

    /// Sets the name of the hub that clients sign their tokens for; metrics carry it.
    pub fn hub_name(mut self, name: impl Into<String>) -> Self {
        self.hub_name = name.into();
        self
    }

    /// Sets who decides which clients may connect.
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.authenticator = authenticator;
        self
    }

    /// Sets the registry of identities: it decides which clients may connect, and the service API changes it.
    pub fn registry(mut self, registry: Arc<Registry>) -> Self {
        self.authenticator = registry.clone();
        self.registry = Some(registry);
        self
    }

    /// Sets where subscriptions are kept.
    pub fn sessions(mut self, sessions: Arc<dyn SessionStore>) -> Self {
        self.sessions = sessions;
        self
    }

    /// Sets where messages are kept.
    pub fn store(mut self, store: Arc<dyn MessageStore>) -> Self {
        self.store = store;
        self
    }

    /// Sets where twins are kept.
    pub fn twins(mut self, twins: Arc<dyn TwinStore>) -> Self {
        self.twins = twins;
        self
    }

    /// Sets the clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how durable a message must be before its sender is acknowledged.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets how long messages of routes without a time to live of their own are kept; `None` is for ever.
    pub fn time_to_live(mut self, time_to_live: Option<Duration>) -> Self {
        self.time_to_live = time_to_live;
        self
    }

    /// Sets the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how long pumps wait after a failure.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Adds an endpoint: `$upstream`, an upstream of another name ([`upstream_id`](crate::upstream_id)), or one that
    /// takes the place of a module's input (`<device>/<module>/<input>`).
    pub fn endpoint(mut self, endpoint: Arc<dyn Endpoint>) -> Self {
        self.endpoints.push(endpoint);
        self
    }

    /// Adds a listener.
    pub fn listener(mut self, listener: Box<dyn Listener>) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Adds the metrics of something beside the hub, as Prometheus' text, to those of the hub; it is asked each time.
    pub fn more_metrics(mut self, metrics: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.more_metrics.add(metrics);
        self
    }

    /// Sets where metrics are served.
    pub fn metrics(mut self, listener: MetricsListener) -> Self {
        self.metrics = Some(listener);
        self
    }

    /// Adds a route.
    pub fn route(mut self, name: &str, text: &str) -> Self {
        self.routes.push(RouteSpec::new(name, text));
        self
    }

    /// Adds routes.
    pub fn routes(mut self, routes: impl IntoIterator<Item = RouteSpec>) -> Self {
        self.routes.extend(routes);
        self
    }

    /// Sets what routes ask of the store: durability, limits, and what happens at overflow.
    pub fn policies(mut self, policies: Policies) -> Self {
        self.policies = policies;
        self
    }

    /// Sets how the queues of an endpoint are delivered: order, window, budget.
    pub fn delivery(mut self, endpoint: EndpointId, policy: DeliveryPolicy) -> Self {
        self.delivery.insert(endpoint, policy);
        self
    }

    /// Builds the hub.
    ///
    /// # Errors
    /// [`Diagnostics`] with everything that is wrong with the routes.
    pub fn build(self) -> Result<Hub, Diagnostics> {
        let limits = self.limits;
        let throttle = Throttle::new(self.clock.clone());
        let metrics =
            metrics::shared(&self.hub_name, self.device.as_str(), limits.max_metric_series, throttle);
        let dispatcher = Arc::new(Dispatcher {
            table: ArcSwap::from_pointee(RouteTable::empty()),
            store: self.store.clone(),
            refused_batches: AtomicU64::new(0),
            nowhere: names::no_route(),
            metrics: metrics.clone(),
            clock: self.clock.clone(),
            limits: limits.clone(),
        });
        let clients = Arc::new(Clients::default());
        let mail = Mail::new(
            self.store.clone(),
            clients.clone(),
            self.clock.clone(),
            self.registry.clone(),
            self.durability,
        );
        let twins = Twins::new(
            self.twins,
            self.clock.clone(),
            clients.clone(),
            metrics.clone(),
            dispatcher.clone(),
            self.device.clone(),
            self.durability,
        );
        let shared = Arc::new(Shared {
            device: self.device,
            authenticator: self.authenticator,
            registry: self.registry,
            sessions: self.sessions,
            store: self.store,
            clock: self.clock,
            policies: Mutex::default(),
            delivery: Mutex::new(self.delivery),
            replaying: tokio::sync::Mutex::default(),
            clients,
            methods: Arc::new(Methods::new(limits.max_method_calls)),
            mail: Arc::new(mail),
            twins: Arc::new(twins),
            metrics,
            more_metrics: self.more_metrics,
            dispatcher,
            durability: self.durability,
            time_to_live: self.time_to_live,
            limits,
            backoff: self.backoff,
            endpoints: slots(self.endpoints).into(),
            feeders: crate::hub::no_feeders(),
            pumps: Tasks::default(),
            stop_pumps: Stop::pair(),
            running: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            revocations: AtomicU64::new(0),
            unforgotten: Mutex::default(),
        });
        shared.set_routes(&self.routes, Some(self.policies))?;
        for state in shared.store.queues() {
            let endpoint = state.queue.endpoint();
            if names::is_routed(endpoint) {
                shared.feeder(endpoint);
            }
        }
        Ok(Hub::new(shared, self.listeners, self.metrics))
    }
}

fn slots(endpoints: Vec<Arc<dyn Endpoint>>) -> HashMap<EndpointId, Arc<Slot>> {
    let slot = |endpoint: Arc<dyn Endpoint>| {
        let id = endpoint.id().clone();
        (id.clone(), Arc::new(Slot::new(id, Some(endpoint))))
    };
    endpoints.into_iter().map(slot).collect()
}
