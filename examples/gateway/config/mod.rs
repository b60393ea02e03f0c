//! The gateway's configuration: what `gateway.toml` may say, read whole, with every mistake found at once.

mod delivery;
mod models;
mod reader;
mod routes;
mod service;
mod upstream;
mod values;
mod windows;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use edge_core::{DeviceId, Durability};
use edge_hub::{DeliveryPolicy, IdentityAuth, IdentityEntry, Policies, RouteSpec};
use edge_store::Gather;
use edge_stream::Definition;
use edge_transport::iothub::{SasKey, Thumbprint};
use toml::Spanned;
use toml::de::DeTable;

pub(crate) use models::ModelSpec;
pub(crate) use reader::Mistakes;
use reader::{Collector, Section};
use routes::Routes;
pub(crate) use service::ServicePolicy;
use upstream::Place;
pub(crate) use upstream::{NamedUpstream, Upstream};
use values::Bytes;

/// A whole configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// What clients sign their tokens for.
    pub(crate) hub_name: String,
    /// What clients connect to; in the server certificate.
    pub(crate) hostname: String,
    /// The gateway's own device id.
    pub(crate) device_id: DeviceId,
    /// Where the gateway keeps what must survive.
    pub(crate) state_dir: PathBuf,
    /// Where it listens.
    pub(crate) listen: Listen,
    /// Its own certificate, instead of a generated one.
    pub(crate) tls: Tls,
    /// Who may connect.
    pub(crate) identities: Vec<IdentityEntry>,
    /// Who may use the service API.
    pub(crate) policies: Vec<ServicePolicy>,
    /// Where messages go.
    pub(crate) routes: Vec<RouteSpec>,
    /// Windows over streams of messages.
    pub(crate) windows: Vec<Definition>,
    /// Models that answer messages.
    #[cfg_attr(not(feature = "ml"), allow(dead_code, reason = "a gateway without models refuses them"))]
    pub(crate) models: Vec<ModelSpec>,
    /// How long messages without a time to live of their own are kept; `None` is for ever.
    pub(crate) time_to_live: Option<Duration>,
    /// How durable a message must be before its sender is acknowledged.
    pub(crate) durability: Durability,
    /// The most bytes that the store may hold; `None` is no limit but the disk.
    pub(crate) max_bytes: Option<u64>,
    /// What the store waits for before it syncs; `None` is the store's own choice.
    pub(crate) gather: Option<Gather>,
    /// Whether the store compresses messages.
    pub(crate) compress: bool,
    /// What routes ask of the store.
    pub(crate) route_policies: Policies,
    /// Where `$upstream` is.
    pub(crate) upstream: Upstream,
    /// How messages are delivered there.
    pub(crate) delivery: DeliveryPolicy,
    /// The upstreams with names.
    pub(crate) upstreams: Vec<NamedUpstream>,
    /// What deserves a warning, as it is shown.
    pub(crate) warnings: Vec<String>,
}

/// Where the gateway listens; each door may be closed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listen {
    /// MQTT over TLS.
    pub(crate) mqtt: Option<String>,
    /// HTTPS and WebSockets.
    pub(crate) https: Option<String>,
    /// AMQP over TLS.
    pub(crate) amqp: Option<String>,
    /// MQTT without TLS.
    pub(crate) mqtt_plain: Option<String>,
    /// Metrics.
    pub(crate) metrics: Option<String>,
}

/// Certificates that the operator brings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    /// The server's certificate chain and private key, in PEM.
    pub(crate) server: Option<(PathBuf, PathBuf)>,
    /// Who signs devices' certificates, in PEM.
    pub(crate) client_ca: Option<PathBuf>,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Mistakes`] with everything that is wrong with it.
    pub(crate) fn read(path: &Path) -> Result<Self, Mistakes> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&file, text, path.parent().unwrap_or_else(|| Path::new("."))),
            Err(error) => {
                let message = format!("cannot be read: {error}");
                let mistakes = vec![reader::Mistake { at: 0..0, message }];
                Err(Mistakes { file, text: String::new(), mistakes })
            }
        }
    }

    /// Reads a text; relative paths in it start at `base`.
    ///
    /// # Errors
    /// [`Mistakes`] with everything that is wrong with it.
    pub(crate) fn parse(file: &str, text: String, base: &Path) -> Result<Self, Mistakes> {
        let mut mistakes = Collector::default();
        let (table, errors) = DeTable::parse_recoverable(&text);
        for error in errors {
            mistakes.add(error.span().unwrap_or(0..0), error.message().to_owned());
        }
        let at = 0..text.lines().next().map_or(0, str::len);
        let mut section = Section::new(table.into_inner(), at, "", &mut mistakes);
        let (config, routes) = root(&mut section, base);
        section.finish();
        let mut warnings = Collector::default();
        routes.check(&text, &mut mistakes, &mut warnings);
        let mistakes = mistakes.finish();
        match config {
            Some(mut config) if mistakes.is_empty() => {
                config.warnings = reader::shown(file, &text, &warnings.finish());
                Ok(config)
            }
            _ => Err(Mistakes { file: file.to_owned(), text, mistakes }),
        }
    }
}

fn root(section: &mut Section<'_, '_>, base: &Path) -> (Option<Config>, Routes) {
    let device_id = section.parsed_required::<DeviceId>("device_id");
    let hostname = section.string("hostname").map_or_else(|| "localhost".into(), Spanned::into_inner);
    let hub_name = section.string("hub_name").map_or_else(|| hostname.clone(), Spanned::into_inner);
    let state_dir = section.string("state_dir").map_or_else(|| "edge-data".into(), Spanned::into_inner);
    let listen = section.section("listen", listen).unwrap_or_default();
    let tls = section.section("tls", |section| tls(section, base)).unwrap_or_default();
    let identities = section.sections("identities", identity);
    let policies = section.section("service", service::read).unwrap_or_default();
    let routes = section.section("routes", routes::read).unwrap_or_default();
    let windows = section.sections("windows", windows::read);
    let models = section.sections("models", |section| models::read(section, base));
    names(section, (&windows, &models), &identities, device_id.as_ref());
    let kept = |section: &mut Section<'_, '_>| store_and_forward(section, device_id.as_ref());
    let kept = section.section("store_and_forward", kept).unwrap_or_default();
    let state_dir: PathBuf = base.join(state_dir).components().collect();
    let place = Place { base, state_dir: &state_dir, gateway: device_id.as_ref().map(DeviceId::as_str) };
    let (upstream, delivery) = match section.section("upstream", |section| upstream::one(section, &place)) {
        Some(upstream) => upstream,
        None => (Some(upstream::default(&place)), DeliveryPolicy::new()),
    };
    let upstreams = section.sections("upstreams", |section| upstream::named(section, &place));
    upstream::check(section, &upstreams);
    let upstreams: Vec<_> = upstreams.into_iter().map(Spanned::into_inner).collect();
    let mut routes = routes;
    routes.upstreams = upstreams.iter().map(|named| named.name.clone()).collect();
    let route_policies = routes.policies.iter().fold(kept.3, |all, (name, own)| all.route(name, own.clone()));
    let identities = with_modules(identities, &models, device_id.as_ref());
    let (Some(device_id), Some(upstream)) = (device_id, upstream) else { return (None, routes) };
    let config = Config {
        hub_name,
        hostname,
        device_id,
        state_dir,
        listen,
        tls,
        identities,
        policies,
        routes: routes.specs.clone(),
        windows,
        models,
        time_to_live: kept.0,
        durability: kept.1,
        max_bytes: kept.2,
        gather: kept.4,
        compress: kept.5,
        route_policies,
        upstream,
        delivery,
        upstreams,
        warnings: Vec::new(),
    };
    (Some(config), routes)
}

/// Checks that each module name is that of one thing.
fn names(
    section: &mut Section<'_, '_>,
    (windows, models): (&[Definition], &[ModelSpec]),
    identities: &[IdentityEntry],
    device: Option<&DeviceId>,
) {
    let models = models.iter().map(|model| ("models", &*model.name));
    let all: Vec<_> = windows.iter().map(|windows| ("windows", windows.name())).chain(models).collect();
    for (index, (kind, name)) in all.iter().enumerate() {
        let at = section.at();
        if all.iter().take(index).any(|(_, earlier)| earlier == name) {
            section.mistake(
                at.clone(),
                format!("{kind}: `{name}` is the name of two things: write another name"),
            );
        }
        let is_module = |entry: &&IdentityEntry| {
            device == Some(entry.identity.device())
                && entry.identity.module().is_some_and(|module| module.as_str() == *name)
        };
        if identities.iter().any(|entry| is_module(&entry)) {
            section.mistake(at, format!("{kind}: `{name}` is the name of a module too: write another name"));
        }
    }
}

/// Adds the modules of models: operators reach their twins, and nobody connects as them, for want of a key.
fn with_modules(
    mut identities: Vec<IdentityEntry>,
    models: &[ModelSpec],
    device: Option<&DeviceId>,
) -> Vec<IdentityEntry> {
    for model in models {
        if let (Some(device), Ok(module)) = (device, model.name.parse()) {
            let identity = edge_core::Identity::of_module(device.clone(), module);
            identities.push(IdentityEntry::new(identity, IdentityAuth::sas(Vec::new())));
        }
    }
    identities
}

fn listen(section: &mut Section<'_, '_>) -> Listen {
    let mut door = |key| {
        let text = section.string(key)?;
        if !values::is_listen_address(text.get_ref()) {
            let message =
                format!("{key}: write an address and a port, as \"127.0.0.1:8883\" or \"[::]:8883\"");
            section.mistake(text.span(), message);
        }
        Some(text.into_inner())
    };
    Listen {
        mqtt: door("mqtt"),
        https: door("https"),
        amqp: door("amqp"),
        mqtt_plain: door("mqtt_plain"),
        metrics: door("metrics"),
    }
}

fn tls(section: &mut Section<'_, '_>, base: &Path) -> Tls {
    let server = certificate(section, "certificate", "private_key", base);
    let client_ca = section.string("client_ca").map(|path| base.join(path.into_inner()));
    Tls { server, client_ca }
}

/// Reads a certificate and its key, which need each other.
fn certificate(
    section: &mut Section<'_, '_>,
    certificate: &'static str,
    key: &'static str,
    base: &Path,
) -> Option<(PathBuf, PathBuf)> {
    match (section.string(certificate), section.string(key)) {
        (Some(c), Some(k)) => Some((base.join(c.into_inner()), base.join(k.into_inner()))),
        (Some(alone), None) => {
            section.mistake(alone.span(), format!("{certificate} needs {key} beside it"));
            None
        }
        (None, Some(alone)) => {
            section.mistake(alone.span(), format!("{key} needs {certificate} beside it"));
            None
        }
        (None, None) => None,
    }
}

fn identity(section: &mut Section<'_, '_>) -> Option<IdentityEntry> {
    let device = section.parsed_required("device_id");
    let module = section.parsed("module_id");
    let enabled = section.boolean("enabled").unwrap_or(true);
    let auth = section.section("auth", auth);
    if auth.is_none() {
        let at = section.at();
        section.mistake(at, "an identity needs `auth = { type = \"sas\", primary_key = \"BASE64\" }`");
    }
    let device = device?;
    let identity = match module {
        Some(module) => edge_core::Identity::of_module(device, module),
        None => edge_core::Identity::of_device(device),
    };
    Some(IdentityEntry::new(identity, auth??).enabled(enabled))
}

fn auth(section: &mut Section<'_, '_>) -> Option<IdentityAuth> {
    let kind = section.required("type")?;
    match kind.get_ref().as_str() {
        "sas" => {
            let primary = section.parsed_required::<SasKey>("primary_key");
            let secondary = section.parsed::<SasKey>("secondary_key");
            Some(IdentityAuth::sas([Some(primary?), secondary].into_iter().flatten().collect()))
        }
        "x509_thumbprint" => {
            let primary = section.parsed_required::<Thumbprint>("primary");
            let secondary = section.parsed::<Thumbprint>("secondary");
            Some(IdentityAuth::thumbprints([Some(primary?), secondary].into_iter().flatten().collect()))
        }
        "x509_ca" => Some(IdentityAuth::certificate_authority()),
        other => {
            let close = reader::closest(other, &["sas", "x509_thumbprint", "x509_ca"]);
            let help = close.map_or_else(
                || "write sas, x509_thumbprint or x509_ca".into(),
                |c| format!("did you mean `{c}`?"),
            );
            section.mistake(kind.span(), format!("unknown auth type `{other}`; {help}"));
            None
        }
    }
}

type Kept = (Option<Duration>, Durability, Option<u64>, Policies, Option<Gather>, bool);

fn store_and_forward(section: &mut Section<'_, '_>, device: Option<&DeviceId>) -> Kept {
    let seconds = section.integer("time_to_live_secs", -1..=i64::from(i32::MAX)).unwrap_or(-1);
    let durability = section.parsed("durability").unwrap_or_default();
    let max_bytes = section.parsed::<Bytes>("max_bytes").map(|bytes| bytes.0);
    let policies = delivery::policies(section, device, max_bytes);
    let gather = gather(section);
    let compress = section.boolean("compress").unwrap_or(false);
    (u64::try_from(seconds).ok().map(Duration::from_secs), durability, max_bytes, policies, gather, compress)
}

fn gather(section: &mut Section<'_, '_>) -> Option<Gather> {
    let at_most = section.integer("gather_ms", 0..=60_000).and_then(|ms| u64::try_from(ms).ok());
    let bytes = section.parsed::<Bytes>("gather_bytes").map(|bytes| bytes.0);
    let messages = section.integer("gather_messages", 1..=1_000_000).and_then(|n| usize::try_from(n).ok());
    let Some(at_most) = at_most else {
        if bytes.is_some() || messages.is_some() {
            let at = section.at();
            section
                .mistake(at, "gather_bytes and gather_messages need `gather_ms = MILLISECONDS` beside them");
        }
        return None;
    };
    let gather =
        Gather::new(Duration::from_millis(at_most)).with_messages(messages.and_then(NonZeroUsize::new));
    Some(bytes.map_or(gather, |bytes| gather.with_bytes(bytes)))
}

#[cfg(test)]
mod tests;
