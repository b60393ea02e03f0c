//! Topics and topic filters: which mean what, and to whom.
//!
//! | who | topic or filter | meaning |
//! |---|---|---|
//! | device sends | `devices/{d}/messages/events/{bag}` | telemetry |
//! | module sends | `devices/{d}/modules/{m}/messages/events/{bag}` | telemetry, or an output with `$.on` |
//! | both send | `$iothub/twin/GET/?$rid={rid}` | a request for the whole twin |
//! | both send | `$iothub/twin/PATCH/properties/reported/?$rid={rid}` | a change of the reported properties |
//! | both send | `$iothub/methods/res/{status}/?$rid={id}` | the answer to a method |
//! | device asks for | `devices/{d}/messages/devicebound/#` | cloud-to-device messages |
//! | module asks for | `devices/{d}/modules/{m}/messages/devicebound/#` | the same for a module |
//! | module asks for | `devices/{d}/modules/{m}/inputs/#`, `…/inputs/{input}/#`, `devices/{d}/modules/{m}/#` | its inputs |
//! | both ask for | `$iothub/twin/res/#` | answers to twin requests |
//! | both ask for | `$iothub/twin/PATCH/properties/desired/#` | changes of the desired properties |
//! | both ask for | `$iothub/methods/POST/#` | methods |
//! | both receive | `$iothub/twin/res/{status}/?$rid={rid}[&$version={v}]` | the answer to a twin request |
//! | both receive | `$iothub/twin/PATCH/properties/desired/?$version={v}` | a change of the desired properties |
//! | both receive | `$iothub/methods/POST/{method}/?$rid={id}` | a method to carry out |
//!
//! # Source
//! Azure IoT Hub, "Communicate with IoT Hub using the MQTT protocol"; Azure IoT Edge's hub for modules.

use std::fmt::Write as _;

use edge_core::{Channel, Delivery, Feed, Identity, Message, MethodCall, TwinAnswer};

use super::{bag, percent};

/// What a topic that a client publishes to means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inbound<'a> {
    /// The client's own telemetry or output.
    Telemetry {
        /// The property bag, still encoded.
        bag: &'a str,
    },
    /// A request about the client's twin.
    Twin {
        /// What is asked; `None` for what clients cannot ask.
        operation: Option<TwinOperation>,
        /// The request id, as it stands; `None` when there is none.
        rid: Option<&'a str>,
    },
    /// The answer to a method.
    MethodResponse {
        /// The number of the call; `None` when it is missing or no number.
        id: Option<u64>,
        /// The status; `None` when it is missing or no number.
        status: Option<i32>,
    },
}

/// What a client can ask of its twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TwinOperation {
    /// To read all of it.
    Read,
    /// To change the reported properties.
    Report,
}

/// Returns what publishing to `topic` means for the client `who`; `None` when the topic is not that client's.
///
/// A slash or a `?` before the bag, and a slash after it, are allowed and mean nothing.
///
/// # Examples
/// ```
/// use edge_transport::iothub::topic::{Inbound, inbound};
///
/// let who = "press-7".parse()?;
/// assert_eq!(inbound(&who, "devices/press-7/messages/events/a=1"), Some(Inbound::Telemetry { bag: "a=1" }));
/// assert_eq!(inbound(&who, "devices/press-8/messages/events/a=1"), None);
/// # Ok::<(), edge_core::IdError>(())
/// ```
#[must_use]
pub fn inbound<'a>(who: &Identity, topic: &'a str) -> Option<Inbound<'a>> {
    if let Some(rest) = topic.strip_prefix("$iothub/") {
        return request(rest);
    }
    let rest = own(who, topic)?.strip_prefix("messages/events")?;
    let bag = match rest.as_bytes().first() {
        None => rest,
        Some(b'/') => rest.strip_prefix("/?").or_else(|| rest.strip_prefix('/'))?,
        Some(b'?') => rest.strip_prefix('?')?,
        Some(_) => return None,
    };
    Some(Inbound::Telemetry { bag: without_slash(bag) })
}

/// Returns what follows the client's own prefix, `devices/{d}/` or `devices/{d}/modules/{m}/`.
fn own<'a>(who: &Identity, topic: &'a str) -> Option<&'a str> {
    let rest = topic.strip_prefix("devices/")?.strip_prefix(who.device().as_str())?.strip_prefix('/')?;
    match who.module() {
        None => Some(rest),
        Some(module) => rest.strip_prefix("modules/")?.strip_prefix(module.as_str())?.strip_prefix('/'),
    }
}

/// Returns what a topic means that begins with `$iothub/`, by what follows.
fn request(topic: &str) -> Option<Inbound<'_>> {
    let (path, query) = topic.split_once('?').unwrap_or((topic, ""));
    let rid = query.split('&').find_map(|pair| pair.strip_prefix("$rid=")).filter(|rid| !rid.is_empty());
    if let Some(what) = path.strip_prefix("twin/") {
        let operation = match without_slash(what) {
            "GET" => Some(TwinOperation::Read),
            "PATCH/properties/reported" => Some(TwinOperation::Report),
            _ => None,
        };
        return Some(Inbound::Twin { operation, rid });
    }
    let status = path.strip_prefix("methods/res/")?;
    let id = rid.filter(|rid| rid.bytes().all(|byte| byte.is_ascii_digit()));
    Some(Inbound::MethodResponse {
        id: id.and_then(|id| id.parse().ok()),
        status: without_slash(status).parse().ok(),
    })
}

/// Returns a part of a topic without the slash that it may end with.
fn without_slash(text: &str) -> &str {
    text.strip_suffix('/').unwrap_or(text)
}

/// What a topic filter asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// A feed of the client itself.
    Feed(
        /// Which.
        Feed,
    ),
    /// Nothing that is ever sent.
    Nothing,
    /// Something of another identity.
    Foreign,
}

/// Returns what `filter` asks for on behalf of the client `who`.
///
/// # Examples
/// ```
/// use edge_core::Feed;
/// use edge_transport::iothub::topic::{Wanted, wanted};
///
/// let who = "edge1/filter".parse()?;
/// assert_eq!(wanted(&who, "devices/edge1/modules/filter/inputs/#"), Wanted::Feed(Feed::Inputs));
/// assert_eq!(wanted(&who, "devices/edge1/modules/other/inputs/#"), Wanted::Foreign);
/// assert_eq!(wanted(&who, "weather/#"), Wanted::Nothing);
/// # Ok::<(), edge_core::IdError>(())
/// ```
#[must_use]
pub fn wanted(who: &Identity, filter: &str) -> Wanted {
    match filter {
        "$iothub/twin/res/#" => return Wanted::Feed(Feed::TwinResponses),
        "$iothub/twin/PATCH/properties/desired/#" => return Wanted::Feed(Feed::Desired),
        "$iothub/methods/POST/#" => return Wanted::Feed(Feed::Methods),
        _ => {}
    }
    let Some(rest) = own(who, filter) else {
        return if filter.starts_with("devices/") { Wanted::Foreign } else { Wanted::Nothing };
    };
    match rest {
        "messages/devicebound/#" => Wanted::Feed(Feed::CloudToDevice),
        "#" | "inputs/#" if who.module().is_some() => Wanted::Feed(Feed::Inputs),
        _ if who.module().is_none() && rest.starts_with("modules/") => Wanted::Foreign,
        _ if who.module().is_some() && is_one_input(rest) => Wanted::Feed(Feed::Inputs),
        _ => Wanted::Nothing,
    }
}

/// Whether a filter is `inputs/{input}/#`.
fn is_one_input(rest: &str) -> bool {
    rest.strip_prefix("inputs/")
        .and_then(|rest| rest.strip_suffix("/#"))
        .is_some_and(|input| !input.is_empty() && !input.contains('/'))
}

/// Writes the topic of a delivery to the client `who` to the end of `out`.
///
/// The slash before the property bag stays when the bag is empty: the Node SDK passes the message over without it.
pub fn write_delivery(who: &Identity, delivery: &Delivery, out: &mut String) {
    write_outbound(who, delivery.channel(), delivery.message(), out);
}

fn write_outbound(who: &Identity, channel: &Channel, message: &Message, out: &mut String) {
    out.push_str("devices/");
    out.push_str(who.device().as_str());
    if let Some(module) = who.module() {
        out.push_str("/modules/");
        out.push_str(module.as_str());
    }
    match channel {
        Channel::Input(input) => {
            out.push_str("/inputs/");
            out.push_str(input.as_str());
        }
        _ => out.push_str("/messages/devicebound"),
    }
    out.push('/');
    bag::write(message, out);
}

/// Writes the topic of an answer to the twin request `rid` to the end of `out`.
///
/// # Examples
/// ```
/// use edge_core::TwinAnswer;
/// use edge_transport::iothub::topic::write_twin_answer;
///
/// let mut topic = String::new();
/// write_twin_answer("a-1", &TwinAnswer::new(204, "").with_version(7), &mut topic);
/// assert_eq!(topic, "$iothub/twin/res/204/?$rid=a-1&$version=7");
/// ```
pub fn write_twin_answer(rid: &str, answer: &TwinAnswer, out: &mut String) {
    // Writing to a text cannot fail.
    let _written = write!(out, "$iothub/twin/res/{}/?$rid={rid}", answer.status);
    if let Some(version) = answer.version {
        let _written = write!(out, "&$version={version}");
    }
}

/// Writes the topic of a change that leads to this version of the desired properties to the end of `out`.
pub fn write_desired(version: u64, out: &mut String) {
    // Writing to a text cannot fail.
    let _written = write!(out, "$iothub/twin/PATCH/properties/desired/?$version={version}");
}

/// Writes the topic of a direct method to the end of `out`.
///
/// The method's name stands as it is, but for the characters that would end it or that no topic can hold: those are
/// percent-encoded, which the Python SDK takes back.
///
/// # Examples
/// ```
/// use edge_core::MethodCall;
/// use edge_transport::iothub::topic::write_method;
///
/// let mut topic = String::new();
/// write_method(&MethodCall::new(7, "reboot now/1".to_owned(), "null".into()), &mut topic);
/// assert_eq!(topic, "$iothub/methods/POST/reboot now%2F1/?$rid=7");
/// ```
///
/// # Source
/// Azure IoT Hub does not encode the name. Encoding the few is our choice, because the SDKs would take the first part of
/// a name with a slash for the whole.
pub fn write_method(call: &MethodCall, out: &mut String) {
    out.push_str("$iothub/methods/POST/");
    let is_plain = |c: char| !matches!(c, '/' | '?' | '#' | '+') && !c.is_control();
    let mut encoded = [0; 4];
    for c in call.name.chars() {
        if is_plain(c) {
            out.push(c);
        } else {
            percent::encode_into(c.encode_utf8(&mut encoded), out);
        }
    }
    // Writing to a text cannot fail.
    let _written = write!(out, "/?$rid={}", call.id);
}

#[cfg(test)]
mod tests;
