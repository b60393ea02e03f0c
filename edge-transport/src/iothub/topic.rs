//! Topics and topic filters: which mean what, and to whom.
//!
//! | who | topic or filter | meaning |
//! |---|---|---|
//! | device sends | `devices/{d}/messages/events/{bag}` | telemetry |
//! | module sends | `devices/{d}/modules/{m}/messages/events/{bag}` | telemetry, or an output with `$.on` |
//! | both send | `$iothub/twin/…/?$rid={rid}` | twin requests |
//! | both send | `$iothub/methods/res/{status}/?$rid={rid}` | the answer to a method |
//! | device asks for | `devices/{d}/messages/devicebound/#` | cloud-to-device messages |
//! | module asks for | `devices/{d}/modules/{m}/messages/devicebound/#` | the same for a module |
//! | module asks for | `devices/{d}/modules/{m}/inputs/#`, `…/inputs/{input}/#`, `devices/{d}/modules/{m}/#` | its inputs |
//! | both ask for | `$iothub/twin/res/#` | answers to twin requests |
//! | both ask for | `$iothub/twin/PATCH/properties/desired/#` | changes of the desired properties |
//! | both ask for | `$iothub/methods/POST/#` | methods |
//!
//! # Source
//! Azure IoT Hub, "Communicate with IoT Hub using the MQTT protocol"; Azure IoT Edge's hub for modules.

use edge_core::{Channel, Delivery, Feed, Identity, Message};

use super::bag;

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
        /// The request id, as it stands; `None` when there is none.
        rid: Option<&'a str>,
    },
    /// The answer to a method.
    MethodResponse {
        /// The request id, as it stands; `None` when there is none.
        rid: Option<&'a str>,
    },
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
        return if rest.starts_with("twin/") {
            Some(Inbound::Twin { rid: rid(rest) })
        } else if rest.starts_with("methods/res/") {
            Some(Inbound::MethodResponse { rid: rid(rest) })
        } else {
            None
        };
    }
    let rest = own(who, topic)?.strip_prefix("messages/events")?;
    let bag = match rest.as_bytes().first() {
        None => rest,
        Some(b'/') => rest.strip_prefix("/?").or_else(|| rest.strip_prefix('/'))?,
        Some(b'?') => rest.strip_prefix('?')?,
        Some(_) => return None,
    };
    Some(Inbound::Telemetry { bag: bag.strip_suffix('/').unwrap_or(bag) })
}

/// Returns what follows the client's own prefix, `devices/{d}/` or `devices/{d}/modules/{m}/`.
fn own<'a>(who: &Identity, topic: &'a str) -> Option<&'a str> {
    let rest = topic.strip_prefix("devices/")?.strip_prefix(who.device().as_str())?.strip_prefix('/')?;
    match who.module() {
        None => Some(rest),
        Some(module) => rest.strip_prefix("modules/")?.strip_prefix(module.as_str())?.strip_prefix('/'),
    }
}

/// Returns the value of `$rid` in the query at the end of a topic.
fn rid(topic: &str) -> Option<&str> {
    let (_, query) = topic.rsplit_once("/?")?;
    query.split('&').find_map(|pair| pair.strip_prefix("$rid=")).filter(|rid| !rid.is_empty())
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

/// Returns the topic and body that answer a twin request which is not served.
///
/// # Source
/// Azure IoT Hub answers twin requests on `$iothub/twin/res/{status}/?$rid={rid}`; the Python SDK reads the status, the
/// Node SDK only the body's `errorCode`.
#[must_use]
pub fn twin_not_implemented(rid: &str) -> (String, &'static [u8]) {
    let topic = format!("$iothub/twin/res/501/?$rid={rid}");
    (topic, br#"{"errorCode":501000,"message":"twins are not served by this gateway"}"#)
}

#[cfg(test)]
mod tests {
    use edge_core::Source;
    use proptest::prelude::*;

    use super::*;

    fn check_bag(who: &str, topic: &str, bag: &str) {
        assert_eq!(inbound(&who.parse().unwrap(), topic), Some(Inbound::Telemetry { bag }), "{topic}");
    }

    fn check_foreign(who: &str, topic: &str) {
        assert_eq!(inbound(&who.parse().unwrap(), topic), None, "{topic}");
    }

    #[test]
    fn telemetry_topics() {
        check_bag("d", "devices/d/messages/events", "");
        check_bag("d", "devices/d/messages/events/", "");
        check_bag("d", "devices/d/messages/events/a=1", "a=1");
        check_bag("d", "devices/d/messages/events/a=1/", "a=1");
        check_bag("d", "devices/d/messages/events?a=1", "a=1");
        check_bag("d", "devices/d/messages/events/?a=1", "a=1");
        check_bag("d?x", "devices/d?x/messages/events/a=1", "a=1");
        check_bag("d/m", "devices/d/modules/m/messages/events/%24.on=o", "%24.on=o");
    }

    #[test]
    fn foreign_topics() {
        check_foreign("d", "devices/e/messages/events/");
        check_foreign("d", "devices/dd/messages/events/");
        check_foreign("d", "devices/D/messages/events/");
        check_foreign("d", "devices/d/modules/m/messages/events/");
        check_foreign("d/m", "devices/d/messages/events/");
        check_foreign("d/m", "devices/d/modules/n/messages/events/");
        check_foreign("d", "devices/d/messages/eventsX");
        check_foreign("d", "devices/d/messages/devicebound/");
        check_foreign("d", "weather");
        check_foreign("d", "$iothub/other/");
        check_foreign("d", "$SYS/x");
    }

    #[test]
    fn request_ids() {
        let who = "d".parse().unwrap();
        let twin = |topic| inbound(&who, topic);
        assert_eq!(twin("$iothub/twin/GET/?$rid=a-b"), Some(Inbound::Twin { rid: Some("a-b") }));
        assert_eq!(
            twin("$iothub/twin/PATCH/properties/reported/?$version=1&$rid=7"),
            Some(Inbound::Twin { rid: Some("7") })
        );
        assert_eq!(twin("$iothub/twin/GET/?$rid="), Some(Inbound::Twin { rid: None }));
        assert_eq!(twin("$iothub/twin/GET/"), Some(Inbound::Twin { rid: None }));
        assert_eq!(twin("$iothub/methods/res/200/?$rid=1"), Some(Inbound::MethodResponse { rid: Some("1") }));
    }

    fn check_wanted(who: &str, filter: &str, expected: Wanted) {
        assert_eq!(wanted(&who.parse().unwrap(), filter), expected, "{filter}");
    }

    #[test]
    fn filters() {
        check_wanted("d", "devices/d/messages/devicebound/#", Wanted::Feed(Feed::CloudToDevice));
        check_wanted("d/m", "devices/d/modules/m/messages/devicebound/#", Wanted::Feed(Feed::CloudToDevice));
        check_wanted("d/m", "devices/d/modules/m/inputs/#", Wanted::Feed(Feed::Inputs));
        check_wanted("d/m", "devices/d/modules/m/inputs/a/#", Wanted::Feed(Feed::Inputs));
        check_wanted("d/m", "devices/d/modules/m/#", Wanted::Feed(Feed::Inputs));
        check_wanted("d", "$iothub/methods/POST/#", Wanted::Feed(Feed::Methods));
        check_wanted("d/m", "devices/d/messages/devicebound/#", Wanted::Foreign);
        check_wanted("d", "devices/d/modules/m/inputs/#", Wanted::Foreign);
        check_wanted("d", "devices/e/messages/devicebound/#", Wanted::Foreign);
        check_wanted("d", "devices/d/inputs/#", Wanted::Nothing);
        check_wanted("d", "#", Wanted::Nothing);
        check_wanted("d", "devices/+/messages/devicebound/#", Wanted::Foreign);
    }

    #[test]
    fn outbound_topics_keep_their_slash() {
        let message = Message::builder(&Source::telemetry()).build();
        let check = |who: &str, channel: Channel, expected: &str| {
            let mut topic = String::new();
            write_outbound(&who.parse().unwrap(), &channel, &message, &mut topic);
            assert_eq!(topic, expected);
        };
        check("d/m", Channel::Input("in".parse().unwrap()), "devices/d/modules/m/inputs/in/");
        check("d", Channel::CloudToDevice, "devices/d/messages/devicebound/");
    }

    proptest! {
        #[test]
        fn any_topic_is_read_without_a_panic(topic in "(devices/d/|\\$iothub/|)\\PC{0,40}") {
            let who = "d".parse().unwrap();
            let _either_way = (inbound(&who, &topic), wanted(&who, &topic));
        }
    }
}
