//! Starts the gateway, keeps it running, and changes what can be changed while it runs.

use std::error::Error;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use edge_core::{EndpointId, Report};
use edge_hub::{HubHandle, IdentityAuth, Registry};
use edge_transport::{Stop, TlsServer};
use tokio::sync::Notify;

use crate::args::Run;
use crate::config::{Config, Upstream};
use crate::models::{self, Models};
use crate::parts::{self, Doors};
use crate::sensor::{self, Sensor};
use crate::signals::{self, Request};
use crate::windows::Windows;
use crate::{status, zero};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Says what is wrong with a configuration, or that nothing is.
pub(crate) fn check(path: &Path) -> Fallible<()> {
    let config = Config::read(path)?;
    check_parts(&config)?;
    println!(
        "{}: {} identities and {} routes, nothing is wrong",
        path.display(),
        config.identities.len(),
        config.routes.len()
    );
    Ok(())
}

/// Checks what the configuration refers to; prints warnings of the routes.
fn check_parts(config: &Config) -> Fallible<()> {
    for warning in &config.warnings {
        eprintln!("warning: {warning}");
    }
    if config.tls.server.is_some() {
        parts::certificate(config)?;
    }
    parts::registry(config)?;
    models::check(config)
}

/// Runs the gateway until it is told to stop.
pub(crate) fn run(run: Run) -> Fallible<()> {
    log_to_stderr()?;
    let zero = run.config.is_none();
    let path = match &run.config {
        Some(path) => path.clone(),
        None => zero::prepare(run.state_dir.as_deref().unwrap_or_else(|| Path::new("edge-data")))?,
    };
    let mut config = Config::read(&path)?;
    if let Some(state_dir) = &run.state_dir {
        config.state_dir.clone_from(state_dir);
    }
    config.state_dir = config.state_dir.components().collect();
    std::fs::create_dir_all(&config.state_dir)
        .map_err(|e| format!("the state folder {} cannot be made: {e}", config.state_dir.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config, path, zero, zero && !run.no_sensor))
}

fn log_to_stderr() -> Fallible<()> {
    let level = std::env::var("EDGE_LOG").unwrap_or_else(|_| "info".into());
    let level: tracing_subscriber::filter::LevelFilter =
        level.parse().map_err(|_| format!("EDGE_LOG={level}: write error, warn, info, debug or trace"))?;
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_max_level(level).with_ansi(colours).with_writer(std::io::stderr).init();
    Ok(())
}

async fn serve(config: Config, path: PathBuf, zero: bool, with_sensor: bool) -> Fallible<()> {
    let (certificate, ca) = parts::certificate(&config)?;
    let tls = TlsServer::new(&certificate)?;
    let registry = Arc::new(parts::kept_registry(&config).await?);
    let builder = parts::stored(&config, parts::hub(&config, registry.clone()))?;
    let upstreams = parts::upstreams(&config)?;
    let mut builder = builder;
    for (id, upstream) in &upstreams {
        builder = builder.endpoint(parts::upstream(id.clone(), upstream, &[])?);
    }
    let (windows, models) = (Windows::open(&config)?, Models::open(&config)?);
    for endpoint in windows.endpoints().into_iter().chain(models.endpoints()) {
        builder = builder.endpoint(endpoint);
    }
    let told = (windows.clone(), models.clone());
    let builder = builder.more_metrics(move || told.0.metrics() + &told.1.metrics());
    let (builder, doors) = parts::listeners(&config, &tls, zero, builder).await?;
    let hub = builder.build().map_err(|e| format!("routes:\n{e}"))?;
    let handle = hub.handle();
    windows.connect(&handle)?;
    models.start(&handle).await;
    if zero {
        let strings = zero::write_connection_strings(&config)?;
        zero::introduce(&config, &doors, ca.as_deref(), &strings);
    } else {
        println!("The gateway {} listens at {doors}.", config.device_id);
    }
    let (running_windows, running_models) = (windows.clone(), models.clone());
    let (stopper, stop) = Stop::pair();
    let state_dir = config.state_dir.clone();
    let mut live =
        Live { path, state_dir, handle: handle.clone(), registry, tls, upstreams, windows, models };
    let asked = Arc::new(Notify::new());
    let is_asked = asked.clone();
    let signals = signals::listen(move |request| match request {
        Request::Reload => asked.notify_one(),
        Request::Stop => stopper.stop(),
    })?;
    let reloads = async {
        loop {
            is_asked.notified().await;
            live.reload().await;
        }
    };
    let sensor = with_sensor.then(|| sensor_of(&config, &doors, ca.as_deref())).flatten();
    let report = tokio::select! {
        report = hub.run(stop) => report?,
        () = signals => return Err("the signals ended".into()),
        () = reloads => return Err("the reading again ended".into()),
        () = status::show(handle) => return Err("the status ended".into()),
        () = running_windows.run() => return Err("the windows ended".into()),
        () = simulate(sensor) => return Err("the sensor ended".into()),
    };
    running_models.stop().await;
    let stored = report.ledger.total.stored;
    println!("\nStopped: {}.", report.ledger.total);
    if stored > 0 {
        println!(
            "{stored} messages wait in {}, and are delivered after the next start.",
            config.state_dir.display()
        );
    }
    if !report.orderly {
        println!("Some connections or endpoints did not end in time, and were cut off.");
    }
    Ok(())
}

async fn simulate(sensor: Option<Sensor>) {
    match sensor {
        Some(sensor) => sensor::run(sensor).await,
        None => std::future::pending().await,
    }
}

/// Returns the simulated sensor, when its identity is among those of the configuration.
fn sensor_of(config: &Config, doors: &Doors, ca: Option<&Path>) -> Option<Sensor> {
    let entry = config.identities.iter().find(|entry| entry.identity.to_string() == "simulated-sensor")?;
    let IdentityAuth::Sas { keys } = &entry.auth else { return None };
    Some(Sensor {
        host: config.hostname.clone(),
        port: doors.mqtt?.port(),
        hub_name: config.hub_name.clone(),
        identity: entry.identity.clone(),
        key: keys.first()?.clone(),
        ca: ca?.to_owned(),
    })
}

/// What can be changed while the gateway runs.
struct Live {
    path: PathBuf,
    state_dir: PathBuf,
    handle: HubHandle,
    registry: Arc<Registry>,
    tls: TlsServer,
    upstreams: Vec<(EndpointId, Upstream)>,
    windows: Windows,
    models: Models,
}

impl Live {
    /// Reads the configuration again; with a mistake in it, everything stays as it is.
    async fn reload(&mut self) {
        match self.try_reload().await {
            Ok(revoked) => {
                tracing::info!(
                    revoked,
                    "upstreams, windows, models, routes, identities and certificate are those of the file now"
                )
            }
            Err(error) => tracing::error!("nothing was changed: {}", Report(&*error)),
        }
    }

    async fn try_reload(&mut self) -> Fallible<usize> {
        let mut config = Config::read(&self.path)?;
        config.state_dir.clone_from(&self.state_dir);
        check_parts(&config)?;
        let (certificate, _) = parts::certificate(&config)?;
        let upstreams = parts::upstreams(&config)?;
        let mut made = Vec::new();
        for (id, upstream) in upstreams.iter().filter(|one| !self.upstreams.contains(one)) {
            made.push(parts::upstream(id.clone(), upstream, &self.upstreams)?);
        }
        // Rights are taken away first: the endpoints below wait for the batches that are on their way.
        let revoked = self.registry.replace(std::mem::take(&mut config.identities));
        self.handle.revoke(&revoked);
        self.tls.replace(&certificate);
        for endpoint in made {
            self.handle.set_endpoint(endpoint).await;
        }
        let gone = self.upstreams.iter().filter(|(id, _)| !upstreams.iter().any(|(kept, _)| kept == id));
        for (id, _) in gone {
            self.handle.remove_endpoint(id).await;
        }
        self.upstreams = upstreams;
        for (id, delivery) in parts::deliveries(&config) {
            self.handle.set_delivery(&id, delivery);
        }
        // What cannot be opened stays as it was, and keeps nothing else from changing.
        if let Err(error) = self.windows.reload(&config, &self.handle).await {
            tracing::error!("windows were not changed: {}", Report(&*error));
        }
        if let Err(error) = self.models.reload(&config, &self.handle).await {
            tracing::error!("models were not changed: {}", Report(&*error));
        }
        self.handle
            .set_routes_with(&config.routes, config.route_policies.clone())
            .map_err(|e| format!("routes:\n{e}"))?;
        Ok(revoked.len())
    }
}
