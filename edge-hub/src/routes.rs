//! The routes in force, with the queues that they lead to.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use edge_core::{EndpointId, IdError, Message, Priority, QueueId, RouteName, Target};
use edge_routing::{CompileOptions, Compiled, Diagnostics, Matches, RouteSpec, Router, Sink};

use crate::Policies;
use crate::pump::Signal;
use crate::shared::Shared;

/// The most combinations of routes whose destinations are remembered.
const REMEMBERED: usize = 4096;

/// Where a message goes: for all messages that match the same routes, one and the same.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) targets: Arc<[Target]>,
    /// The signal of the pump of each target.
    pub(crate) signals: Vec<Arc<Signal>>,
}

/// A compiled set of routes.
#[derive(Debug)]
pub(crate) struct RouteTable {
    router: Option<Arc<Router>>,
    /// Counts up with each table of a hub.
    generation: u64,
    /// For each route of the router, where it leads.
    leads: Vec<(Target, Arc<Signal>)>,
    known: Mutex<HashMap<Box<[usize]>, Arc<Destination>>>,
}

/// The buffers of one session for finding routes, and the destination found last.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    matches: Matches,
    last: Option<(Vec<usize>, Arc<Destination>)>,
    generation: u64,
}

impl RouteTable {
    pub(crate) fn empty() -> Self {
        Self { router: None, generation: 0, leads: Vec::new(), known: Mutex::default() }
    }

    /// Returns where the route of this name leads.
    pub(crate) fn target_of(&self, route: &RouteName) -> Option<&Target> {
        self.leads.iter().map(|(target, _)| target).find(|target| target.route == *route)
    }

    /// Finds out where a message goes; `None` when no route wants it.
    pub(crate) fn route(&self, message: &Message, scratch: &mut Scratch) -> Option<Arc<Destination>> {
        self.router.as_ref()?.route(message, &mut scratch.matches);
        let deliveries = scratch.matches.deliveries();
        if deliveries.is_empty() {
            return None;
        }
        let routes = deliveries.iter().map(|delivery| delivery.route);
        match &scratch.last {
            Some((last, found))
                if scratch.generation == self.generation && routes.clone().eq(last.iter().copied()) =>
            {
                Some(found.clone())
            }
            _ => {
                let routes: Vec<usize> = routes.collect();
                let found = self.destination(&routes);
                scratch.generation = self.generation;
                scratch.last = Some((routes, found.clone()));
                Some(found)
            }
        }
    }

    /// Returns the destination of a combination of deciding routes.
    fn destination(&self, routes: &[usize]) -> Arc<Destination> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(routes) {
            return found.clone();
        }
        let leads = || routes.iter().filter_map(|route| self.leads.get(*route));
        let targets = leads().map(|(target, _)| target.clone()).collect();
        let signals = leads().map(|(_, signal)| signal.clone()).collect();
        let made = Arc::new(Destination { targets, signals });
        if known.len() < REMEMBERED {
            known.insert(routes.into(), made.clone());
        }
        made
    }
}

impl Shared {
    /// Compiles routes and puts them in force, with new policies or those in force; returns the warnings.
    pub(crate) fn set_routes(
        &self,
        specs: &[RouteSpec],
        policies: Option<Policies>,
    ) -> Result<Diagnostics, Diagnostics> {
        let _span = tracing::info_span!("edge.routes", routes = specs.len()).entered();
        let Compiled { router, warnings, .. } =
            Router::compile(specs, &CompileOptions::new().with_known_upstreams(self.upstreams()))?;
        let router = Arc::new(router);
        let mut in_force = self.policies.lock().unwrap_or_else(PoisonError::into_inner);
        let policies = policies.unwrap_or_else(|| in_force.clone());
        let mut leads = Vec::with_capacity(router.routes().len());
        for route in router.routes() {
            let endpoint = endpoint_id(self.device.as_str(), route.sink());
            let signal = self.feeder(&endpoint).signal;
            let name: RouteName = id(route.name(), 1024);
            let priority = route.priority().level().and_then(Priority::new).unwrap_or_default();
            let own = route.time_to_live_secs().map(|secs| Duration::from_secs(secs.into()));
            let target = Target::new(QueueId::new(endpoint, priority), name, own.or(self.time_to_live));
            leads.push((policies.apply(route.name(), target), signal));
        }
        for name in policies.named().filter(|name| !router.routes().iter().any(|route| route.name() == *name))
        {
            tracing::warn!(route = name, "a policy is for a route that there is not");
        }
        for endpoint in policies.endpoints() {
            if !leads.iter().any(|(target, _)| target.queue.endpoint() == endpoint) {
                tracing::warn!(%endpoint, "a policy is for an endpoint that no route leads to");
            }
        }
        for warning in warnings.iter() {
            let route = warning.route().unwrap_or_default();
            tracing::warn!(route, code = %warning.code(), "{}", warning.message());
        }
        self.dispatcher.table.rcu(|earlier| RouteTable {
            router: Some(router.clone()),
            generation: earlier.generation + 1,
            leads: leads.clone(),
            known: Mutex::default(),
        });
        *in_force = policies;
        Ok(warnings)
    }
}

/// Returns the endpoint that a sink names.
fn endpoint_id(device: &str, sink: &Sink) -> EndpointId {
    match sink {
        Sink::Module { module, input } => id(&format!("{device}/{module}/{input}"), 384),
        Sink::Named { upstream } => id(&format!("/upstreams/{upstream}"), 384),
        Sink::Upstream => EndpointId::upstream(),
    }
}

/// Returns a text of a route as an id, with what no id may hold replaced: no module can have such a name, and its
/// messages wait until they expire, as they do in Azure IoT Edge.
fn id<T: FromStr<Err = IdError>>(text: &str, max: usize) -> T {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut cut: String = text.chars().map(clean).collect();
    while cut.len() > max {
        cut.pop();
    }
    #[expect(
        clippy::expect_used,
        reason = "the text is not empty, not too long, and has no control characters"
    )]
    cut.parse().expect("a text made to be an id")
}
