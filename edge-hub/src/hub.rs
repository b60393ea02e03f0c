//! The hub: built from parts, run until told to stop.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use edge_core::{Authenticated, CloseReason, Endpoint, EndpointId, Identity, Refusal, Session, StoreError};
use edge_routing::{Diagnostics, RouteSpec};
use edge_transport::{Listener, ListenerError, MetricsListener, Stop, Stopper};

use tracing::Instrument as _;

use crate::DeliveryPolicy;
use crate::builder::HubBuilder;
use crate::client::Client;
use crate::ledger::Ledger;
use crate::policy::Policies;
use crate::pump::PumpError;
use crate::shared::{Door, Shared};
use crate::tasks::{Ended, Task, Tasks};
use crate::timer;

/// Why a running hub had to give up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The store fails for good: what is in it is safe, and the gateway has to be restarted to recover it.
    #[error("the store fails for good")]
    Store(
        /// What it said.
        #[source]
        StoreError,
    ),
    /// A listener gave up.
    #[error("a listener gave up")]
    Listener(
        /// What it said.
        #[source]
        ListenerError,
    ),
    /// A part of the hub panicked, which is a fault of this program.
    #[error("a part of the hub panicked: {what}")]
    Panicked {
        /// What is known of it.
        what: String,
    },
}

/// What a hub left when it stopped.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The ledger at the end: what is stored is delivered after the next start.
    pub ledger: Ledger,
    /// Whether connections, pumps and endpoints all ended within the time given.
    pub orderly: bool,
}

/// An edge gateway: clients in, routes, durable queues, endpoints out.
///
/// # Examples
/// A filtered route from one module to another, inside one process:
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use edge_hub::{Hub, Outgoing};
///
/// let hub = Hub::builder("edge1".parse()?)
///     .route("hot", r#"FROM /messages/modules/sensor/* WHERE $body.t > 30
///                      INTO BrokeredEndpoint("/modules/alarm/inputs/in")"#)
///     .build()?;
/// let sensor = hub.client("edge1/sensor".parse()?)?;
/// let mut inputs = hub.client("edge1/alarm".parse()?)?.inputs();
/// let running = hub.start();
/// sensor.send(Outgoing::json(r#"{"t": 21}"#)).await?;
/// sensor.send(Outgoing::json(r#"{"t": 31}"#)).await?;
/// let delivery = inputs.next().await.ok_or("the hub has stopped")?;
/// assert_eq!(delivery.message().body(), br#"{"t": 31}"#);
/// delivery.accept();
/// let report = running.stop().await?;
/// assert_eq!(report.ledger.total.residual(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Hub {
    shared: Arc<Shared>,
    listeners: Vec<Box<dyn Listener>>,
    metrics: Option<MetricsListener>,
}

impl Hub {
    /// Returns a builder of the hub of the edge device `device`.
    pub fn builder(device: edge_core::DeviceId) -> HubBuilder {
        HubBuilder::new(device)
    }

    pub(crate) fn new(
        shared: Arc<Shared>,
        listeners: Vec<Box<dyn Listener>>,
        metrics: Option<MetricsListener>,
    ) -> Self {
        Self { shared, listeners, metrics }
    }

    /// Returns a handle that works while the hub runs.
    #[must_use]
    pub fn handle(&self) -> HubHandle {
        HubHandle { shared: self.shared.clone() }
    }

    /// Opens a session for a client inside the process, see [`HubHandle::client`].
    ///
    /// # Errors
    /// [`Refusal`] when there are too many clients.
    pub fn client(&self, identity: Identity) -> Result<Client, Refusal> {
        self.handle().client(identity)
    }

    /// Starts the hub as a task of the caller's runtime, and returns what stops it.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(self) -> RunningHub {
        let (stopper, stop) = Stop::pair();
        RunningHub { stopper, task: Task::start(self.run(stop)) }
    }

    /// Runs the hub until `stop` resolves, then stops in order: no new clients, sessions ended, pumps finished with
    /// the batch they are at, endpoints closed, the store closed with everything durable.
    ///
    /// # Errors
    /// [`HubError`] when a part of the hub had to give up; the rest was stopped in order.
    ///
    /// # Cancel safety
    /// Not cancel-safe: listeners and pumps are stopped where they are. Nothing that was acknowledged is lost.
    pub async fn run(self, stop: Stop) -> Result<ShutdownReport, HubError> {
        let span = tracing::info_span!("edge.run", device = %self.shared.device);
        self.serve(stop).instrument(span).await
    }

    async fn serve(self, stop: Stop) -> Result<ShutdownReport, HubError> {
        let Self { shared, listeners, metrics } = self;
        let serving: Tasks<Result<(), ListenerError>> = Tasks::default();
        let (stop_listeners, listeners_stop) = Stop::pair();
        let door = Arc::new(Door(shared.clone()));
        for listener in listeners {
            serving.spawn(listener.serve(door.clone(), listeners_stop.clone()));
        }
        if let Some(metrics) = metrics {
            let (text, stop) = (shared.clone(), listeners_stop.clone());
            serving.spawn(async move {
                metrics.serve(|| text.metrics_text(), stop).await;
                Ok(())
            });
        }
        shared.start_pumps();
        shared.start_mail();
        let ended = loop {
            tokio::select! {
                () = stop.wait() => break Ok(()),
                ended = serving.ended() => match ended {
                    Ended::Returned(Ok(())) => {}
                    Ended::Returned(Err(error)) => break Err(HubError::Listener(error)),
                    Ended::Panicked(what) => break Err(HubError::Panicked { what }),
                },
                ended = shared.pumps.ended() => match ended {
                    Ended::Returned(Ok(())) => {}
                    Ended::Returned(Err(PumpError::Store(error))) => break Err(HubError::Store(error)),
                    Ended::Panicked(what) => break Err(HubError::Panicked { what }),
                },
                () = timer::pause(TICK) => shared.tick(),
            }
        };
        stop_listeners.stop();
        let orderly = shut_down(&shared, &serving).await;
        let ledger = shared.ledger();
        let closed = shared.store.close().await;
        ended?;
        closed.map_err(HubError::Store)?;
        Ok(ShutdownReport { ledger, orderly })
    }
}

/// A hub that runs as a task; dropping it stops the hub, in order, on its own time.
#[derive(Debug)]
#[must_use = "dropping it stops the hub"]
pub struct RunningHub {
    stopper: Stopper,
    task: Task<Result<ShutdownReport, HubError>>,
}

impl RunningHub {
    /// Stops the hub in order, and returns what it left.
    ///
    /// # Errors
    /// [`HubError`] when a part of the hub had to give up, now or earlier.
    ///
    /// # Cancel safety
    /// Detached: the hub stops whether or not the future is kept.
    pub async fn stop(self) -> Result<ShutdownReport, HubError> {
        self.stopper.stop();
        match self.task.ended().await {
            Ended::Returned(report) => report,
            Ended::Panicked(what) => Err(HubError::Panicked { what }),
        }
    }
}

const TICK: Duration = Duration::from_secs(1);

/// Ends sessions, pumps and endpoints; returns whether all of them ended in time.
async fn shut_down(shared: &Shared, serving: &Tasks<Result<(), ListenerError>>) -> bool {
    shared.stopping.store(true, Ordering::Release);
    shared.clients.close_where(CloseReason::Stopping, |_| true);
    shared.stop_pumps.0.stop();
    let grace = shared.limits.shutdown_grace;
    let ended = timer::within(grace, async {
        serving.joined().await;
        shared.twins.idle().await;
        shared.pumps.joined().await;
    });
    let orderly = ended.await.is_some();
    if !orderly {
        tracing::warn!("connections or endpoints did not end in time, and are cut off");
        serving.abort();
        shared.pumps.abort();
        serving.joined().await;
        shared.pumps.joined().await;
    }
    let endpoints: Vec<_> = {
        let feeders = shared.feeders.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        feeders.values().map(|feeder| feeder.endpoint.clone()).collect()
    };
    let closed = timer::within(grace, async {
        for endpoint in endpoints {
            endpoint.close().await;
        }
    });
    closed.await.is_some() && orderly
}

/// A handle on a hub: what can be asked of it and changed in it while it runs. Clones are the same hub.
#[derive(Clone, Debug)]
pub struct HubHandle {
    pub(crate) shared: Arc<Shared>,
}

impl HubHandle {
    /// Opens a session for a client inside the process, with the rights of a connected client of that identity, which
    /// it takes over if there is one. The process is trusted: nothing is authenticated.
    ///
    /// # Errors
    /// [`Refusal`] when there are too many clients, or the hub stops.
    pub fn client(&self, identity: Identity) -> Result<Client, Refusal> {
        let session = self.shared.admit(Authenticated::new(identity, "process", None), true)?;
        let inflight = self.shared.limits.max_client_inflight_messages.get();
        Ok(Client::new(session, self.shared.durability, inflight))
    }

    /// Opens a session as [`HubHandle::client`] does, for endpoints that send by it: windows and models whose results
    /// are messages of a module.
    ///
    /// # Errors
    /// [`Refusal`] when there are too many clients, or the hub stops.
    pub fn session(&self, identity: Identity) -> Result<Box<dyn Session>, Refusal> {
        Ok(Box::new(self.shared.admit(Authenticated::new(identity, "process", None), true)?))
    }

    /// Puts other routes in force, all at once and between two batches; returns what deserves a warning.
    ///
    /// What is queued for endpoints that no route names any more is delivered all the same.
    ///
    /// # Errors
    /// [`Diagnostics`] with everything that is wrong; the routes in force stay in force.
    pub fn set_routes(&self, routes: &[RouteSpec]) -> Result<Diagnostics, Diagnostics> {
        self.shared.set_routes(routes, None)
    }

    /// Puts other routes in force together with other policies, like [`HubHandle::set_routes`], which keeps the policies.
    ///
    /// # Errors
    /// [`Diagnostics`] with everything that is wrong; routes and policies in force stay in force.
    pub fn set_routes_with(
        &self,
        routes: &[RouteSpec],
        policies: Policies,
    ) -> Result<Diagnostics, Diagnostics> {
        self.shared.set_routes(routes, Some(policies))
    }

    /// Puts an upstream in the place of the one with the same id, or adds it; the one before is closed when the batch
    /// that it has is answered. Its queues stay, and what waits in them goes to the new one.
    ///
    /// # Cancel safety
    /// The endpoint is in its place at once; dropped, the one before may stay open until it is dropped.
    pub async fn set_endpoint(&self, endpoint: Arc<dyn Endpoint>) {
        let slot = self.shared.slot(endpoint.id());
        slot.replace(Some(endpoint)).await;
    }

    /// Takes an upstream away and closes it; what is queued for it waits until there is one again. Routes that name it
    /// stay in force until routes are set again, which are refused then.
    ///
    /// # Cancel safety
    /// As that of [`HubHandle::set_endpoint`].
    pub async fn remove_endpoint(&self, id: &EndpointId) {
        self.shared.slot(id).replace(None).await;
    }

    /// Delivers the queues of an endpoint in another way, from the next batch on: order, window and budget. What was used
    /// of a day is not forgotten.
    ///
    /// # Examples
    /// ```
    /// use edge_core::EndpointId;
    /// use edge_hub::{DeliveryPolicy, Hub, InFlight};
    ///
    /// let hub = Hub::builder("edge1".parse()?).build()?;
    /// let ten = DeliveryPolicy::new().in_flight(InFlight::messages(10));
    /// hub.handle().set_delivery(&EndpointId::upstream(), ten);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_delivery(&self, endpoint: &EndpointId, policy: DeliveryPolicy) {
        self.shared.set_delivery(endpoint, policy);
    }

    /// Ends the sessions of these identities: their keys or rights have changed.
    pub fn revoke(&self, identities: &[Identity]) {
        if identities.is_empty() {
            return;
        }
        // Whoever was judged before this, and comes in after it, is judged again.
        self.shared.revocations.fetch_add(1, Ordering::SeqCst);
        self.shared.clients.close_where(CloseReason::Revoked, |client| identities.contains(&client.identity));
    }

    /// Returns the ledger at this moment.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.shared.ledger()
    }

    /// Returns how full the store is.
    #[must_use]
    pub fn usage(&self) -> edge_core::Usage {
        self.shared.store.usage()
    }

    /// Returns how many clients have a session.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.shared.clients.len()
    }

    /// Returns all metrics in Prometheus' text format, see the crate's documentation for their names.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.shared.metrics_text()
    }
}

/// Returns empty feeders.
pub(crate) fn no_feeders<T>() -> Mutex<HashMap<EndpointId, T>> {
    Mutex::default()
}
