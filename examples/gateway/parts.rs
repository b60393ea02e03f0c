//! The parts of the gateway, made from its configuration.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use edge_core::{Endpoint, EndpointId};
use edge_hub::{DeliveryPolicy, Hub, HubBuilder, Limits, Registry};
use edge_store::{IdentityFile, SegmentStore, SessionFile, StoreOptions, TwinFile};
use edge_transport::iothub::ClientAuthorities;
use edge_transport::upstream::{AmqpUpstream, FileUpstream, FileUpstreamOptions, HttpUpstream, MqttUpstream};
use edge_transport::{
    AmqpListener, Listener, ListenerError, MetricsListener, MqttListener, Resources, ServerCertificate,
    TlsServer, WebListener,
};

use crate::config::{Config, Upstream};
use crate::pki;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Where clients find the gateway, and whom they trust.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doors {
    /// MQTT over TLS.
    pub(crate) mqtt: Option<SocketAddr>,
    /// WebSockets over TLS.
    pub(crate) https: Option<SocketAddr>,
    /// AMQP over TLS.
    pub(crate) amqp: Option<SocketAddr>,
    /// MQTT without TLS.
    pub(crate) mqtt_plain: Option<SocketAddr>,
    /// Metrics.
    pub(crate) metrics: Option<SocketAddr>,
}

impl fmt::Display for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doors = [
            (self.mqtt, "MQTT over TLS"),
            (self.https, "WebSocket and the service API over TLS"),
            (self.amqp, "AMQP over TLS"),
            (self.mqtt_plain, "MQTT without TLS"),
            (self.metrics, "metrics"),
        ];
        let open: Vec<_> =
            doors.iter().filter_map(|(address, what)| address.map(|a| format!("{a} ({what})"))).collect();
        if open.is_empty() { f.write_str("no address") } else { f.write_str(&open.join(", ")) }
    }
}

/// Loads the server's certificate; one is made where the configuration names none. Returns it with the root that
/// clients trust, where that is known.
pub(crate) fn certificate(config: &Config) -> Fallible<(ServerCertificate, Option<std::path::PathBuf>)> {
    if let Some((chain, key)) = &config.tls.server {
        return Ok((ServerCertificate::from_files(chain, key)?, None));
    }
    let made = pki::prepare(&config.state_dir.join("pki"), &names(config), now())?;
    Ok((ServerCertificate::from_files(&made.certificate, &made.private_key)?, Some(made.ca)))
}

#[expect(clippy::disallowed_methods, reason = "certificates are made by the machine's clock")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Returns the names and addresses that the certificate must be good for.
fn names(config: &Config) -> BTreeSet<String> {
    let mut names = BTreeSet::from(["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()]);
    names.insert(config.hostname.clone());
    for address in [&config.listen.mqtt, &config.listen.https, &config.listen.amqp].into_iter().flatten() {
        match address.parse::<SocketAddr>() {
            Ok(address) if !address.ip().is_unspecified() => names.insert(address.ip().to_string()),
            _ => continue,
        };
    }
    names
}

/// Makes the registry of who may connect, without identities.
pub(crate) fn registry(config: &Config) -> Fallible<Registry> {
    let policies = config.policies.iter().map(|service| service.policy.clone());
    let registry = Registry::new([&config.hub_name, &config.hostname]).with_policies(policies);
    let Some(path) = &config.tls.client_ca else { return Ok(registry) };
    let pem = fs::read(path).map_err(|e| format!("client_ca {} cannot be read: {e}", path.display()))?;
    let authorities =
        ClientAuthorities::from_pem(&pem).map_err(|e| format!("client_ca {}: {e}", path.display()))?;
    Ok(registry.with_authority(authorities))
}

/// Makes the registry, with the identities that are kept and those of the configuration.
pub(crate) async fn kept_registry(config: &Config) -> Fallible<Registry> {
    let identities = IdentityFile::open(config.state_dir.join("identities"))?;
    let registry = registry(config)?.with_store(Arc::new(identities)).await?;
    Ok(registry.with_identities(config.identities.clone()))
}

/// Adds store and subscriptions to a hub.
pub(crate) fn stored(config: &Config, builder: HubBuilder) -> Fallible<HubBuilder> {
    let options = StoreOptions::default().with_max_bytes(limits(config).max_store_bytes);
    let mut options = options.with_compression(config.compress);
    if let Some(gather) = config.gather {
        options = options.with_gather(gather);
    }
    let (store, recovery) = SegmentStore::open(config.state_dir.join("store"), options)?;
    if recovery.is_clean() {
        tracing::info!(%recovery, "the store is open");
    } else {
        tracing::error!(%recovery, "the store was damaged; what can be read is served");
    }
    let sessions = SessionFile::open(config.state_dir.join("sessions"))?;
    if sessions.damaged_bytes() > 0 {
        tracing::error!(
            bytes = sessions.damaged_bytes(),
            "kept subscriptions were damaged; devices must subscribe again"
        );
    }
    let twins = TwinFile::open(config.state_dir.join("twins"))?;
    Ok(builder.store(Arc::new(store)).sessions(Arc::new(sessions)).twins(Arc::new(twins)))
}

/// Returns all upstreams by the ids of their endpoints, `$upstream` first.
pub(crate) fn upstreams(config: &Config) -> Fallible<Vec<(EndpointId, Upstream)>> {
    let mut all = vec![(EndpointId::upstream(), config.upstream.clone())];
    for named in &config.upstreams {
        all.push((edge_hub::upstream_id(&named.name)?, named.upstream.clone()));
    }
    Ok(all)
}

/// Makes the endpoint of an upstream, which may come in the place of one of those in force.
pub(crate) fn upstream(
    id: EndpointId,
    upstream: &Upstream,
    in_force: &[(EndpointId, Upstream)],
) -> Fallible<Arc<dyn Endpoint>> {
    Ok(match upstream {
        Upstream::File { path, rotate_bytes, keep_files } => {
            let mut options = FileUpstreamOptions::new(path);
            if let Some(bytes) = rotate_bytes {
                options = options.max_file_bytes(*bytes);
            }
            if let Some(files) = keep_files {
                options = options.keep_files(*files);
            }
            let is_open =
                |(_, other): &(_, Upstream)| matches!(other, Upstream::File { path: its, .. } if its == path);
            if in_force.iter().any(is_open) {
                Arc::new(FileUpstream::deferred(id, options))
            } else {
                Arc::new(FileUpstream::open(id, options)?)
            }
        }
        Upstream::Mqtt(options) => Arc::new(MqttUpstream::new(id, (**options).clone())?),
        Upstream::Amqp(options) => Arc::new(AmqpUpstream::new(id, (**options).clone())?),
        Upstream::Http(options) => Arc::new(HttpUpstream::new(id, (**options).clone())?),
    })
}

/// Opens the doors, and adds them to a hub. With `forgiving`, a port that cannot be had is replaced by a free one.
pub(crate) async fn listeners(
    config: &Config,
    tls: &TlsServer,
    forgiving: bool,
    mut builder: HubBuilder,
) -> Fallible<(HubBuilder, Doors)> {
    let resources = Resources::new(limits(config).transport);
    let mut doors = Doors::default();
    if let Some(address) = &config.listen.mqtt {
        let listener = open(address, forgiving, async |a| MqttListener::bind(a, &resources).await).await?;
        let listener = listener.with_tls(tls.clone());
        doors.mqtt = listener.local_addr();
        builder = builder.listener(Box::new(listener));
    }
    if let Some(address) = &config.listen.https {
        let listener = open(address, forgiving, async |a| WebListener::bind(a, &resources).await).await?;
        let listener = listener.with_tls(tls.clone());
        doors.https = listener.local_addr();
        builder = builder.listener(Box::new(listener));
    }
    if let Some(address) = &config.listen.amqp {
        let listener = open(address, forgiving, async |a| AmqpListener::bind(a, &resources).await).await?;
        let listener = listener.with_tls(tls.clone());
        doors.amqp = listener.local_addr();
        builder = builder.listener(Box::new(listener));
    }
    if let Some(address) = &config.listen.mqtt_plain {
        let listener = open(address, forgiving, async |a| MqttListener::bind(a, &resources).await).await?;
        doors.mqtt_plain = listener.local_addr();
        builder = builder.listener(Box::new(listener));
    }
    if let Some(address) = &config.listen.metrics {
        let listener = open(address, forgiving, async |a| MetricsListener::bind(a).await).await?;
        doors.metrics = Some(listener.local_addr());
        builder = builder.metrics(listener);
    }
    Ok((builder, doors))
}

/// Listens on an address, or on any port of it when that cannot be had and `forgiving` says so.
async fn open<L>(
    address: &str,
    forgiving: bool,
    bind: impl AsyncFn(&str) -> Result<L, ListenerError>,
) -> Result<L, ListenerError> {
    match bind(address).await {
        Err(error) if forgiving => {
            let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
            println!("{}; another port is used.", edge_core::Report(&error));
            bind(&format!("{host}:0")).await
        }
        other => other,
    }
}

/// Returns the limits of a configuration.
fn limits(config: &Config) -> Limits {
    let mut limits = Limits::default();
    if let Some(bytes) = config.max_bytes {
        limits.max_store_bytes = bytes;
    }
    limits
}

/// Makes a hub of a configuration, without its doors.
pub(crate) fn hub(config: &Config, registry: Arc<Registry>) -> HubBuilder {
    let builder = Hub::builder(config.device_id.clone())
        .hub_name(&config.hub_name)
        .registry(registry)
        .limits(limits(config))
        .durability(config.durability)
        .time_to_live(config.time_to_live)
        .routes(config.routes.iter().cloned())
        .policies(config.route_policies.clone());
    deliveries(config).fold(builder, |builder, (id, delivery)| builder.delivery(id, delivery))
}

/// Returns how each upstream wants its queues delivered.
pub(crate) fn deliveries(config: &Config) -> impl Iterator<Item = (EndpointId, DeliveryPolicy)> {
    let named = config
        .upstreams
        .iter()
        .filter_map(|named| Some((edge_hub::upstream_id(&named.name).ok()?, named.delivery.clone())));
    std::iter::once((EndpointId::upstream(), config.delivery.clone())).chain(named)
}
