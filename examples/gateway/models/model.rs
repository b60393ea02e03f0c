//! One model: its endpoint, the life of its versions, and its twin.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use edge_core::{DeviceId, Report, SystemClock};
use edge_hub::{Client, ClientEvent, HubHandle};
use edge_ml::fetch::HttpFetch;
use edge_ml::registry::{OnnxFactory, Registry, RegistryOptions, Trust};
use edge_ml::rollout::{Driver, Lifecycle, ModelMetrics, Monitor, Serving, ServingLimits};
use edge_ml::{Demands, ModelEndpoint, OnError, PoolOptions};
use edge_transport::Stop;
use serde_json::Value;
use tokio::sync::watch;

use super::tasks::pause;
use super::{Fallible, complete, identity, sum};
use crate::config::ModelSpec;

/// Where operating systems keep the authorities that they trust.
const SYSTEM_BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// How soon what failed is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// A model that the gateway runs.
pub(super) struct Model {
    pub(super) spec: ModelSpec,
    pub(super) endpoint: Arc<ModelEndpoint>,
    serving: Arc<Serving>,
    device: DeviceId,
    folder: PathBuf,
    monitor: OnceLock<Monitor>,
}

/// Returns what the files of a model's configuration say.
pub(super) fn parts(spec: &ModelSpec) -> Fallible<(RegistryOptions, HttpFetch)> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let mut options = RegistryOptions::default();
    if let Some(path) = &spec.trust {
        options.trust = Trust::anybody().with_authorities(&read(path)?)?;
    }
    for (name, key) in &spec.trusted_keys {
        options.trust = options.trust.with_key(name, key)?;
    }
    let system = SYSTEM_BUNDLES.iter().map(PathBuf::from).find(|path| path.exists());
    let pem = match spec.ca.as_ref().or(system.as_ref()) {
        Some(path) => read(path)?,
        None => Vec::new(),
    };
    Ok((options, HttpFetch::with_roots(&pem)?))
}

impl Model {
    pub(super) fn new(device: &DeviceId, spec: &ModelSpec, state_dir: &Path) -> Fallible<Self> {
        let number = |number| NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN);
        let mut pools = PoolOptions::default();
        (pools.threads, pools.max_batch) = (number(spec.workers), number(spec.batch));
        pools.max_wait = spec.batch_wait;
        pools.max_requests = number(spec.workers.saturating_mul(spec.batch).max(64));
        let serving = Serving::new(Arc::new(SystemClock), ServingLimits::default()).with_pools(pools);
        let serving = Arc::new(serving);
        let ports = (spec.input.parse()?, spec.output.parse()?);
        let module = spec.name.parse()?;
        let endpoint = ModelEndpoint::of_versions(device, &module, (&ports.0, ports.1), Arc::clone(&serving));
        let endpoint = Arc::new(endpoint.on_error(match spec.on_error {
            "pass" => OnError::PassThrough,
            "drop" => OnError::Drop,
            _ => OnError::DeadLetter,
        }));
        let folder = state_dir.join("models");
        let (spec, device) = (spec.clone(), device.clone());
        Ok(Self { spec, endpoint, serving, device, folder, monitor: OnceLock::new() })
    }

    pub(super) fn name(&self) -> &str {
        &self.spec.name
    }

    pub(super) fn metrics(&self) -> Option<ModelMetrics> {
        Some(self.monitor.get()?.metrics().with_messages(self.endpoint.stats()))
    }

    /// Opens the last known good version, and lets it serve.
    fn open(&self) -> Fallible<(Lifecycle, HttpFetch, Option<Value>)> {
        let (options, fetch) = parts(&self.spec)?;
        let registry = Registry::open(&self.folder, self.spec.name.parse()?, options)?;
        let mut demands = Demands::default();
        if let Some(bytes) = self.spec.max_memory_bytes {
            demands = demands.max_memory_bytes(bytes);
        }
        let factory = OnnxFactory::new(demands);
        let life = Lifecycle::new(registry, Arc::new(factory), Arc::clone(&self.serving));
        let mut wish = self.spec.desired.clone();
        let file = wish.get("file").and_then(Value::as_str).map(PathBuf::from);
        let has_file = file.is_some() || wish.get("url").is_some();
        complete(&mut wish, || sum(&file?));
        Ok((life, fetch, has_file.then_some(wish)))
    }

    /// Runs the model until it is told to stop; what fails is tried again.
    pub(super) fn run(self: Arc<Self>, hub: HubHandle) -> impl FnOnce(Stop) -> Running {
        move |stop| {
            Box::pin(async move {
                while !stop.is_stopping() {
                    if let Err(error) = self.live(&hub, &stop).await {
                        let (model, error) = (self.name(), Report(&*error));
                        tracing::error!(model, %error, "the model does not run, and is tried again");
                    }
                    tokio::select! {
                        () = stop.wait() => {}
                        () = pause(AGAIN) => {}
                    }
                }
            })
        }
    }

    async fn live(self: &Arc<Self>, hub: &HubHandle, stop: &Stop) -> Result<(), edge_core::BoxError> {
        let model = Arc::clone(self);
        let opened = tokio::task::spawn_blocking(move || model.open().map_err(|error| error.to_string()));
        let (life, fetch, wish) = opened.await??;
        // Until the twin has been read nothing is asked for: the version that served before does.
        let (desired, wishes) = watch::channel(None);
        let (reports, reported) = watch::channel(Value::Null);
        let driver = Driver::new(life, Arc::new(fetch), wishes, reports);
        let _first = self.monitor.set(driver.monitor());
        let module = identity(&self.device, self.name()).map_err(|error| error.to_string())?;
        let talk = async {
            // It ends, and with it what the driver waits for.
            let desired = desired;
            loop {
                let client = hub.client(module.clone())?;
                self.endpoint.connect(client.session());
                tokio::select! {
                    () = stop.wait() => return Ok(()),
                    ended = self.follow(&client, wish.as_ref(), &desired) => ended?,
                    ended = tell(&client, reported.clone()) => ended?,
                }
                // When the gateway stops, sessions end first.
                tokio::select! {
                    () = stop.wait() => return Ok(()),
                    () = pause(AGAIN) => {}
                }
                tracing::warn!(
                    model = self.name(),
                    "the session of the model's module was ended; it connects again"
                );
            }
        };
        let ((), ended) = tokio::join!(driver.run(), talk);
        ended
    }

    /// Asks for what the module's twin desires, and for what the configuration does while the twin desires nothing.
    async fn follow(
        &self,
        client: &Client,
        wish: Option<&Value>,
        desired: &watch::Sender<Option<Value>>,
    ) -> Result<(), edge_core::BoxError> {
        let mut events = client.events();
        loop {
            let twin: Value = serde_json::from_slice(&client.twin().await?)?;
            let asked = twin
                .get("desired")
                .and_then(Value::as_object)
                .filter(|members| members.keys().any(|key| !key.starts_with('$')));
            let next = match asked {
                None => wish.cloned(),
                Some(members) => {
                    let mut next: Value = members.clone().into();
                    // What the twin leaves out is as in the configuration, but for the file and its name.
                    for key in ["model", "mapping", "policy"] {
                        if let (None, Some(own)) = (next.get(key), self.spec.desired.get(key)) {
                            next[key] = own.clone();
                        }
                    }
                    complete(&mut next, || None);
                    Some(next)
                }
            };
            desired.send_if_modified(|before| {
                let is_new = *before != next;
                *before = next;
                is_new
            });
            loop {
                match events.next().await {
                    Some(ClientEvent::Called(call)) => {
                        call.answer(404, r#"{"message":"a model has no methods"}"#);
                    }
                    Some(ClientEvent::Desired { .. }) => break,
                    Some(_) => {}
                    None => return Ok(()),
                }
            }
        }
    }
}

type Running = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tells the twin how it stands, at most once a second.
async fn tell(client: &Client, mut reported: watch::Receiver<Value>) -> Result<(), edge_core::BoxError> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let report = reported.borrow_and_update().clone();
        if !report.is_null()
            && let Err(error) = client.report(report.to_string()).await
        {
            tracing::warn!(error = %Report(&error), "the state of a model is not in its twin");
        }
        ticks.tick().await;
        if reported.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}
