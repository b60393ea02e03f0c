//! Addresses of AMQP links, and audiences of tokens: which mean what, and to whom.
//!
//! | address | who attaches | the client's end | meaning |
//! |---|---|---|---|
//! | `$cbs` | anybody | both | tokens for the connection |
//! | `/devices/{d}/messages/events` | device | sender | telemetry |
//! | `/devices/{d}/modules/{m}/messages/events` | module | sender | telemetry and outputs |
//! | the same | module | receiver | the module's inputs |
//! | `/devices/{d}[/modules/{m}]/messages/devicebound` | both | receiver | cloud-to-device messages |
//! | `/devices/{d}[/modules/{m}]/twin` | both | a pair | the twin |
//! | `/devices/{d}[/modules/{m}]/methods/devicebound` | both | a pair | direct methods |
//! | `/messages/devicebound` | service | sender | cloud-to-device messages, to whom each says |
//! | `/messages/servicebound/feedback` | service | receiver | what became of them |
//!
//! An address may be a whole URI, and may lack its first slash. Ids are percent-encoded by some SDKs and not by others;
//! the fixed parts are compared in any case of their letters.
//!
//! # Source
//! Azure IoT Hub, "Communicate with your IoT hub by using the AMQP Protocol"; Azure IoT Edge's hub for modules.

use edge_core::Identity;

use super::percent;

/// What an address means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkAddress {
    /// Tokens for the connection.
    Cbs,
    /// Something of one device or module.
    Of(Identity, LinkTopic),
    /// Cloud-to-device messages, to whom each says.
    ServiceSend,
    /// What became of cloud-to-device messages.
    ServiceFeedback,
}

/// What of a device or module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkTopic {
    /// Telemetry when the client sends, inputs when it receives.
    Events,
    CloudToDevice,
    Twin,
    Methods,
}

/// The path of an address: without a scheme and host, and without the first and last slash.
fn path(address: &str) -> &str {
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => address,
    };
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path)
}

fn same(segment: &str, word: &str) -> bool {
    segment.eq_ignore_ascii_case(word)
}

/// Returns the identity that the first segments of a path name, and the segments behind.
fn identity_of<'p, 's>(segments: &'s [&'p str]) -> Option<(Identity, &'s [&'p str])> {
    let [devices, device, rest @ ..] = segments else { return None };
    if !same(devices, "devices") {
        return None;
    }
    let device = percent::decode(device)?.parse().ok()?;
    match rest {
        [modules, module, rest @ ..] if same(modules, "modules") => {
            let module = percent::decode(module)?.parse().ok()?;
            Some((Identity::of_module(device, module), rest))
        }
        _ => Some((Identity::of_device(device), rest)),
    }
}

impl LinkAddress {
    /// Returns what `address` means; `None` when it is nothing that the gateway has.
    pub(crate) fn parse(address: &str) -> Option<Self> {
        let path = path(address);
        if same(path, "$cbs") {
            return Some(Self::Cbs);
        }
        let segments: Vec<&str> = path.splitn(8, '/').collect();
        match segments[..] {
            [messages, bound] if same(messages, "messages") && same(bound, "devicebound") => {
                return Some(Self::ServiceSend);
            }
            [messages, bound, feedback]
                if same(messages, "messages")
                    && same(bound, "servicebound")
                    && same(feedback, "feedback") =>
            {
                return Some(Self::ServiceFeedback);
            }
            _ => {}
        }
        let (identity, rest) = identity_of(&segments)?;
        let topic = match *rest {
            [messages, what] if same(messages, "messages") && same(what, "events") => LinkTopic::Events,
            [messages, what] if same(messages, "messages") && same(what, "devicebound") => {
                LinkTopic::CloudToDevice
            }
            [twin] if same(twin, "twin") => LinkTopic::Twin,
            [methods, what] if same(methods, "methods") && same(what, "devicebound") => LinkTopic::Methods,
            _ => return None,
        };
        Some(Self::Of(identity, topic))
    }
}

/// Returns whom a cloud-to-device message with this `to` is for.
pub(crate) fn recipient(to: &str) -> Option<Identity> {
    match LinkAddress::parse(to) {
        Some(LinkAddress::Of(identity, LinkTopic::CloudToDevice)) => Some(identity),
        _ => None,
    }
}

/// Whom a token that is put on a connection is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CbsAudience {
    /// One device or module.
    Of(Identity),
    /// The hub, or a part of it: the token of a policy.
    Hub,
}

impl CbsAudience {
    /// Returns whom the audience `name` stands for: encoded or not, with or without a scheme.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        // A whole audience is encoded once, and the ids in it once more by some; what an id may hold stands for itself.
        let decoded = if name.contains('/') { name.into() } else { percent::decode(name)? };
        let rest = decoded.split_once("://").map_or(&*decoded, |(_, rest)| rest);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let Some((_host, path)) = rest.split_once('/') else {
            return (!rest.is_empty()).then_some(Self::Hub);
        };
        let segments: Vec<&str> = path.splitn(8, '/').collect();
        match identity_of(&segments) {
            // What stands behind the address, an interface version of old clients, says nothing about who it is.
            Some((identity, _)) => Some(Self::Of(identity)),
            None if segments.first().is_some_and(|first| same(first, "devices")) && segments.len() > 1 => {
                None
            }
            None => Some(Self::Hub),
        }
    }
}

/// Returns the identity or policy that a SASL PLAIN user name stands for.
///
/// `{d}@sas.{hub}`, `{d}/modules/{m}@sas.{hub}`; `None` for `{policy}@sas.root.{hub}`, and for what is neither.
pub(crate) fn sasl_identity(user: &str) -> Option<Identity> {
    let (path, hub) = user.rsplit_once("@sas.")?;
    if hub.starts_with("root.") {
        return None;
    }
    match path.split_once("/modules/") {
        Some((device, module)) => Some(Identity::of_module(device.parse().ok()?, module.parse().ok()?)),
        None => Some(Identity::of_device(path.parse().ok()?)),
    }
}

/// Returns whether a SASL PLAIN user name is that of a policy.
pub(crate) fn is_sasl_policy(user: &str) -> bool {
    user.rsplit_once("@sas.").is_some_and(|(policy, hub)| !policy.is_empty() && hub.starts_with("root."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(address: &str, expected: Option<LinkAddress>) {
        assert_eq!(LinkAddress::parse(address), expected, "{address}");
    }

    fn of(identity: &str, topic: LinkTopic) -> Option<LinkAddress> {
        Some(LinkAddress::Of(identity.parse().unwrap(), topic))
    }

    #[test]
    fn addresses() {
        check("$cbs", Some(LinkAddress::Cbs));
        check("/devices/d/messages/events", of("d", LinkTopic::Events));
        check("devices/d/messages/events/", of("d", LinkTopic::Events));
        check("amqps://hub.local/devices/d%3A1/messages/deviceBound", of("d:1", LinkTopic::CloudToDevice));
        check("/devices/d/modules/m/messages/events", of("d/m", LinkTopic::Events));
        check("/devices/d/modules/m/twin", of("d/m", LinkTopic::Twin));
        check("/Devices/d/Methods/DeviceBound", of("d", LinkTopic::Methods));
        check("amqps://h/messages/devicebound", Some(LinkAddress::ServiceSend));
        check("/messages/serviceBound/feedback", Some(LinkAddress::ServiceFeedback));
        for address in [
            "",
            "/",
            "amqps://h",
            "/devices/d",
            "/devices//twin",
            "/devices/d/twin/x",
            "/devices/d/modules/twin",
            "/devices/d/modules/m/n/twin",
            "/devices/a b/twin",
            "/messages/events",
        ] {
            check(address, None);
        }
    }

    #[test]
    fn audiences() {
        let of = |id: &str| Some(CbsAudience::Of(id.parse().unwrap()));
        assert_eq!(CbsAudience::parse("localhost%2Fdevices%2Fdev1"), of("dev1"));
        assert_eq!(CbsAudience::parse("localhost/devices/dev1/modules/m"), of("dev1/m"));
        assert_eq!(CbsAudience::parse("amqps://h/devices/dev%3A1/"), of("dev:1"));
        assert_eq!(CbsAudience::parse("https://h"), Some(CbsAudience::Hub));
        assert_eq!(CbsAudience::parse("h/devices"), Some(CbsAudience::Hub));
        assert_eq!(CbsAudience::parse("h/devices/a b"), None);
        assert_eq!(CbsAudience::parse(""), None);
    }

    #[test]
    fn user_names() {
        assert_eq!(sasl_identity("d@sas.hub"), Some("d".parse().unwrap()));
        assert_eq!(sasl_identity("d/modules/m@sas.hub"), Some("d/m".parse().unwrap()));
        assert_eq!(sasl_identity("a@b@sas.hub"), Some("a@b".parse().unwrap()));
        assert_eq!(sasl_identity("service@sas.root.hub"), None);
        assert_eq!(sasl_identity("d"), None);
        assert!(is_sasl_policy("service@sas.root.hub"));
        assert!(!is_sasl_policy("d@sas.hub"));
    }

    #[test]
    fn recipients() {
        assert_eq!(recipient("/devices/d/messages/devicebound"), Some("d".parse().unwrap()));
        assert_eq!(recipient("/devices/d/modules/m/messages/deviceBound"), Some("d/m".parse().unwrap()));
        assert_eq!(recipient("/devices/d/messages/events"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,60}") {
            let _either_way = (LinkAddress::parse(&text), CbsAudience::parse(&text), sasl_identity(&text));
        }
    }
}
