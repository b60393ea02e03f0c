//! Where messages go: `[upstream]`, which is `$upstream`, and `[[upstreams]]` with names.

use std::num::{NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};

use edge_hub::DeliveryPolicy;
use edge_transport::upstream::{
    AmqpLogin, AmqpUpstreamOptions, AmqpUrl, BrokerUrl, HttpFormat, HttpUpstreamOptions, HttpUrl,
    MqttUpstreamOptions, MqttVersion, PropertyPlacement, TopicTemplate,
};
use toml::Spanned;
use toml::de::DeValue;

use super::reader::{self, Section};
use super::values::Bytes;
use super::{certificate, delivery};

/// Where an upstream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// A file of NDJSON.
    File {
        /// The file.
        path: PathBuf,
        /// At which size the next file is begun.
        rotate_bytes: Option<NonZeroU64>,
        /// How many full files are kept; `None` is all of them.
        keep_files: Option<NonZeroU32>,
    },
    /// An MQTT broker.
    Mqtt(Box<MqttUpstreamOptions>),
    /// An AMQP 1.0 broker.
    Amqp(Box<AmqpUpstreamOptions>),
    /// An HTTP server.
    Http(Box<HttpUpstreamOptions>),
}

/// An upstream with a name, to which `BrokeredEndpoint("/upstreams/<name>")` routes.
#[derive(Clone, Debug)]
pub(crate) struct NamedUpstream {
    pub(crate) name: String,
    pub(crate) upstream: Upstream,
    pub(crate) delivery: DeliveryPolicy,
}

/// What the paths and names in an upstream are relative to.
pub(super) struct Place<'p> {
    pub(super) base: &'p Path,
    pub(super) state_dir: &'p Path,
    pub(super) gateway: Option<&'p str>,
}

/// Returns where messages go when nothing is said.
pub(super) fn default(place: &Place<'_>) -> Upstream {
    Upstream::File { path: default_file(place), rotate_bytes: None, keep_files: None }
}

fn default_file(place: &Place<'_>) -> PathBuf {
    place.state_dir.join("upstream.ndjson")
}

/// Reads one upstream, and how messages are delivered to it.
pub(super) fn one(section: &mut Section<'_, '_>, place: &Place<'_>) -> (Option<Upstream>, DeliveryPolicy) {
    let delivery = section.section("delivery", delivery::delivery).unwrap_or_default();
    (kind(section, place), delivery)
}

/// Reads one of `[[upstreams]]`.
pub(super) fn named(section: &mut Section<'_, '_>, place: &Place<'_>) -> Option<Spanned<NamedUpstream>> {
    let name = section.required("name");
    if let Some(name) = &name
        && let Err(error) = edge_hub::upstream_id(name.get_ref())
    {
        section.mistake(name.span(), format!("name: {error}"));
    }
    let (upstream, delivery) = one(section, place);
    let (at, name) = name.map(|name| (name.span(), name.into_inner()))?;
    Some(Spanned::new(at, NamedUpstream { name, upstream: upstream?, delivery }))
}

/// Checks that no two have the same name, in any case of its letters, and no two write to the same file.
pub(super) fn check(section: &mut Section<'_, '_>, all: &[Spanned<NamedUpstream>]) {
    for (number, one) in all.iter().enumerate() {
        let name = &one.get_ref().name;
        let earlier = all.iter().take(number).map(Spanned::get_ref);
        if earlier.clone().any(|earlier| earlier.name.eq_ignore_ascii_case(name)) {
            section.mistake(one.span(), format!("there are two upstreams with the name `{name}`"));
        }
        let file = |upstream: &Upstream| match upstream {
            Upstream::File { path, .. } => Some(path.clone()),
            _ => None,
        };
        let own = file(&one.get_ref().upstream);
        if own.is_some() && earlier.map(|earlier| file(&earlier.upstream)).any(|other| other == own) {
            section.mistake(one.span(), format!("the upstream `{name}` writes to the file of another one"));
        }
    }
}

fn kind(section: &mut Section<'_, '_>, place: &Place<'_>) -> Option<Upstream> {
    let kind = section.required("type")?;
    match kind.get_ref().as_str() {
        "file" => Some(Upstream::File {
            path: match section.string("path") {
                Some(path) => place.base.join(path.into_inner()),
                None => default_file(place),
            },
            rotate_bytes: section.parsed::<Bytes>("rotate_bytes").and_then(|bytes| NonZeroU64::new(bytes.0)),
            keep_files: section
                .integer("keep_files", 1..=1_000_000)
                .and_then(|n| NonZeroU32::new(u32::try_from(n).ok()?)),
        }),
        "mqtt" => mqtt(section, place).map(|options| Upstream::Mqtt(Box::new(options))),
        "amqp" => amqp(section, place).map(|options| Upstream::Amqp(Box::new(options))),
        "http" => http(section, place).map(|options| Upstream::Http(Box::new(options))),
        other => {
            let close = reader::closest(other, &["mqtt", "amqp", "http", "file"]);
            let help = close
                .map_or_else(|| "write mqtt, amqp, http or file".into(), |c| format!("did you mean `{c}`?"));
            section.mistake(kind.span(), format!("unknown upstream type `{other}`; {help}"));
            None
        }
    }
}

/// Reads a secret: `key` is the secret itself, `file` is a file that holds it, without the line's end.
fn secret(
    section: &mut Section<'_, '_>,
    key: &'static str,
    file: &'static str,
    place: &Place<'_>,
) -> Option<String> {
    let (stated, path) = (section.string(key), section.string(file));
    let Some(path) = path else { return stated.map(Spanned::into_inner) };
    if stated.is_some() {
        section.mistake(path.span(), format!("{key} is stated too: state one of {key} and {file}"));
        return None;
    }
    let whole = place.base.join(path.get_ref());
    match std::fs::read_to_string(&whole) {
        Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => {
            section.mistake(path.span(), format!("{file}: {} cannot be read: {error}", whole.display()));
            None
        }
    }
}

/// Reads a user name and its password, which need each other.
fn login(section: &mut Section<'_, '_>, place: &Place<'_>) -> Option<(String, String)> {
    let user = section.string("username");
    let password = secret(section, "password", "password_file", place);
    Some((user?.into_inner(), password.unwrap_or_default()))
}

fn in_flight(section: &mut Section<'_, '_>) -> Option<NonZeroU16> {
    let number = section.integer("max_inflight", 1..=65_535)?;
    u16::try_from(number).ok().and_then(NonZeroU16::new)
}

fn mqtt(section: &mut Section<'_, '_>, place: &Place<'_>) -> Option<MqttUpstreamOptions> {
    let url = section.parsed_required::<BrokerUrl>("url");
    let topic = match section.parsed("topic") {
        Some(topic) => Some(topic),
        None => DEFAULT_TOPIC.parse::<TopicTemplate>().ok(),
    };
    let client_id = section.required("client_id");
    let version = section.parsed::<MqttVersion>("version");
    let properties = section.parsed::<PropertyPlacement>("properties");
    let login = login(section, place);
    let ca = section.string("ca").map(|path| place.base.join(path.into_inner()));
    let identity = certificate(section, "client_certificate", "client_key", place.base);
    let in_flight = in_flight(section);
    let mut options = MqttUpstreamOptions::new(url?, topic?, client_id?.get_ref());
    if let Some(version) = version {
        options = options.version(version);
    }
    if let Some(properties) = properties {
        options = options.properties(properties);
    }
    if let Some((user, password)) = login {
        options = options.login(&user, &password);
    }
    if let Some(ca) = ca {
        options = options.ca_file(ca);
    }
    if let Some((chain, key)) = identity {
        options = options.client_certificate(chain, key);
    }
    if let Some(in_flight) = in_flight {
        options = options.in_flight(in_flight);
    }
    Some(options)
}

fn amqp(section: &mut Section<'_, '_>, place: &Place<'_>) -> Option<AmqpUpstreamOptions> {
    let url = section.parsed_required::<AmqpUrl>("url");
    let address = section.required("address");
    let container = section.string("container_id").map(Spanned::into_inner);
    let host_name = section.string("host_name");
    let anonymous = section.boolean("anonymous").unwrap_or(false);
    let durable = section.boolean("durable");
    let login = login(section, place);
    let ca = section.string("ca").map(|path| place.base.join(path.into_inner()));
    let identity = certificate(section, "client_certificate", "client_key", place.base);
    let in_flight = in_flight(section);
    let container = container.or_else(|| place.gateway.map(str::to_owned)).unwrap_or_else(|| "edge".into());
    let mut options = AmqpUpstreamOptions::new(url?, address?.get_ref(), &container);
    if let Some(name) = host_name {
        options = options.host_name(name.get_ref());
    }
    if let Some(durable) = durable {
        options = options.durable(durable);
    }
    if let Some((user, password)) = login {
        options = options.login(&user, &password);
    } else if anonymous {
        options = options.login_as(AmqpLogin::Anonymous);
    }
    if let Some(ca) = ca {
        options = options.ca_file(ca);
    }
    if let Some((chain, key)) = identity {
        options = options.client_certificate(chain, key);
    }
    if let Some(in_flight) = in_flight {
        options = options.in_flight(in_flight);
    }
    Some(options)
}

fn http(section: &mut Section<'_, '_>, place: &Place<'_>) -> Option<HttpUpstreamOptions> {
    let url = section.parsed_required::<HttpUrl>("url");
    let format = section.parsed::<HttpFormat>("format");
    let bearer = secret(section, "bearer", "bearer_file", place);
    let login = login(section, place);
    let headers = section.section("headers", headers).unwrap_or_default();
    let ca = section.string("ca").map(|path| place.base.join(path.into_inner()));
    let identity = certificate(section, "client_certificate", "client_key", place.base);
    let messages = section.integer("batch_messages", 1..=100_000).and_then(|n| usize::try_from(n).ok());
    let bytes = section.parsed::<Bytes>("batch_bytes").and_then(|bytes| usize::try_from(bytes.0).ok());
    let mut options = HttpUpstreamOptions::new(url?).gateway(place.gateway.unwrap_or_default());
    if let Some(format) = format {
        options = options.format(format);
    }
    if let Some(token) = bearer {
        options = options.bearer(&token);
    } else if let Some((user, password)) = login {
        options = options.basic(&user, &password);
    }
    for (name, value) in headers {
        options = options.header(&name, &value);
    }
    if let Some(ca) = ca {
        options = options.ca_file(ca);
    }
    if let Some((chain, key)) = identity {
        options = options.client_certificate(chain, key);
    }
    if messages.is_some() || bytes.is_some() {
        let messages =
            messages.and_then(NonZeroUsize::new).unwrap_or(const { NonZeroUsize::new(100).unwrap() });
        options = options.batch(messages, bytes.unwrap_or(1 << 20));
    }
    Some(options)
}

/// Reads a table of headers: names and texts.
fn headers(section: &mut Section<'_, '_>) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, value) in section.rest() {
        let at = value.span();
        match value.into_inner() {
            DeValue::String(text) => all.push((name.into_inner(), text.into_owned())),
            other => section.wrong(at, name.get_ref(), "a text in quotes", &other),
        }
    }
    all
}

const DEFAULT_TOPIC: &str = "devices/{device_id}/messages/events";
