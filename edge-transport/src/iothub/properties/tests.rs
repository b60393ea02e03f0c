//! The law: any message survives any chain of protocols.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::BytesMut;
use edge_core::{Message, MessageBuilder, Source, Stored, Timestamp};
use proptest::prelude::*;
use rumqttc::v5::mqttbytes::v5;

use super::*;
use crate::amqp::wire::Sections;
use crate::iothub::{amqp, bag, headers};
use crate::upstream::MqttUpstreamOptions;
use crate::upstream::http::law::through_cloud_events;
use crate::upstream::mqtt::law::publish;
use crate::upstream::ndjson::Record;

/// A way through a protocol and back, for whoever is told everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hop {
    /// The topic of MQTT 3.1.1 or 5.
    Bag,
    /// User properties of MQTT 5.
    UserProperties,
    Amqp,
    /// HTTP, as NDJSON; files too.
    Ndjson,
    /// HTTP, as CloudEvents.
    CloudEvents,
    /// The headers of HTTP, out to a device and in from one.
    Headers,
}

const HOPS: [Hop; 6] =
    [Hop::Bag, Hop::UserProperties, Hop::Amqp, Hop::Ndjson, Hop::CloudEvents, Hop::Headers];

impl Hop {
    fn pass(self, message: &Message) -> Message {
        let mut builder = MessageBuilder::new(message.source());
        match self {
            Self::Bag => {
                let mut text = String::new();
                bag::write_all(message, &mut text);
                bag::read_all(&text, &mut builder).unwrap();
                builder.set_body(message.body());
            }
            Self::UserProperties => user_properties(message, &mut builder),
            Self::Amqp => {
                let mut bytes = Vec::new();
                amqp::write(message, amqp::Reader::Broker, None, &mut bytes);
                let sections = Sections::read(&bytes).unwrap();
                amqp::read(&sections, Author::Trusted, &mut builder).unwrap();
                let mut buffer = Vec::new();
                builder.set_body(sections.body_bytes(&mut buffer).unwrap());
            }
            Self::Ndjson => {
                let record = Record::new(Timestamp::from_unix_ms(0), message.clone());
                return record.to_string().parse::<Record>().unwrap().message;
            }
            Self::CloudEvents => {
                let route = "r".parse().unwrap();
                let stored = Stored::new(0, Timestamp::from_unix_ms(0), None, route, message.clone());
                through_cloud_events(&stored, &mut builder);
            }
            Self::Headers => through_headers(message, &mut builder),
        }
        builder.build()
    }
}

/// Sends a message to a device, which sends the same.
fn through_headers(message: &Message, builder: &mut MessageBuilder) {
    let mut all = HeaderMap::new();
    headers::write(message, |name, value| {
        // Spaces around a value do not arrive.
        let value = HeaderValue::from_bytes(value.trim_matches(' ').as_bytes()).unwrap();
        all.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
    });
    let mut found = amqp::PropertiesRead::default();
    for (name, value) in &all {
        headers::read(name.as_str(), Some(&headers::text(value.as_bytes())), builder, &mut found);
    }
    builder.set_body(message.body());
}

fn user_properties(message: &Message, builder: &mut MessageBuilder) {
    let options = MqttUpstreamOptions::new("mqtt://h".parse().unwrap(), "t".parse().unwrap(), "c");
    let mut out = BytesMut::new();
    publish(&options, message, &mut out);
    let Ok(v5::Packet::Publish(publish)) = v5::Packet::read(&mut out, None) else { panic!("a PUBLISH") };
    let properties = publish.properties.unwrap_or_default();
    if let Some(value) = &properties.content_type {
        builder.set_system(SystemKey::ContentType, value);
    }
    for (name, value) in &properties.user_properties {
        match name.strip_prefix('$').and_then(SystemKey::from_name) {
            Some(key) => builder.set_system(key, value),
            None => builder.set_property(name, Some(value)),
        }
    }
    builder.set_body(&publish.payload);
}

/// What MQTT 5 cannot say: that a property has no value.
fn without_nulls(message: &Message) -> Message {
    let mut builder = message.to_builder();
    for (name, value) in message.properties() {
        builder.set_property(name, Some(value.unwrap_or_default()));
    }
    builder.build()
}

impl Hop {
    /// Returns what a protocol can say of a message at all.
    fn leaves(self, message: Message) -> Message {
        match self {
            Self::UserProperties => without_nulls(&message),
            Self::Headers => headers::said_again(&message),
            Self::Bag | Self::Amqp | Self::Ndjson | Self::CloudEvents => message,
        }
    }
}

/// Returns a message with its application properties by name: headers have no order of their own.
fn of_one_order(message: &Message) -> Message {
    let mut builder = MessageBuilder::new(message.source());
    for (key, value) in message.system() {
        builder.set_system(key, value);
    }
    let mut all: Vec<_> = message.properties().iter().collect();
    all.sort_unstable();
    for (name, value) in all {
        builder.set_property(name, value);
    }
    builder.set_body(message.body());
    builder.build()
}

fn value_of(key: SystemKey) -> BoxedStrategy<String> {
    let text = "\\PC{0,12}";
    let kind = match of(key).map(|row| row.amqp) {
        Some(Place::Annotation(_, kind)) => kind,
        Some(Place::Field) if key == SystemKey::ExpiryTime => Kind::Time,
        _ => Kind::Text,
    };
    match kind {
        Kind::Text => text.boxed(),
        Kind::Ubyte => prop_oneof![text, any::<u16>().prop_map(|n| n.to_string())].boxed(),
        Kind::Long => prop_oneof![text, any::<i64>().prop_map(|n| n.to_string())].boxed(),
        Kind::Uuid => {
            prop_oneof![text, any::<[u8; 16]>().prop_map(|id| crate::iothub::uuid::to_text(&id))].boxed()
        }
        Kind::Time => {
            let time = (0..4_000_000_000_000u64).prop_map(|ms| Timestamp::from_unix_ms(ms).to_string());
            prop_oneof![text, time].boxed()
        }
    }
}

fn message() -> impl Strategy<Value = Message> {
    let system = (0..SystemKey::ALL.len())
        .prop_flat_map(|at| value_of(SystemKey::ALL[at]).prop_map(move |value| (SystemKey::ALL[at], value)));
    let properties = proptest::collection::btree_map("\\PC{1,12}", proptest::option::of("\\PC{0,12}"), 0..8);
    let body = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        Just(br#"{"t": 21.50, "s": "a\u0000b"}"#.to_vec()),
        "\\PC{0,40}".prop_map(String::into_bytes),
    ];
    let json = any::<bool>();
    (proptest::collection::vec(system, 0..8), properties, body, json).prop_map(
        |(system, properties, body, json)| {
            let mut builder = Message::builder(&Source::telemetry()).body(&body);
            for (key, value) in &system {
                builder.set_system(*key, value);
            }
            if json {
                builder.set_system(SystemKey::ContentType, "application/json");
                builder.set_system(SystemKey::ContentEncoding, "utf-8");
            }
            for (name, value) in &properties {
                builder.set_property(name, value.as_deref());
            }
            builder.build()
        },
    )
}

proptest! {
    #[test]
    fn any_message_survives_any_chain(
        message in message(),
        chain in proptest::collection::vec(proptest::sample::select(&HOPS[..]), 0..8),
    ) {
        let arrived = chain.iter().fold(message.clone(), |message, hop| hop.pass(&message));
        let expected = chain.iter().fold(message, |message, hop| hop.leaves(message));
        prop_assert_eq!(of_one_order(&arrived), of_one_order(&expected));
    }

    /// One by one, so that a hop that changes more than it may is seen for itself.
    #[test]
    fn any_message_survives_any_protocol(message in message(), hop in proptest::sample::select(&HOPS[..])) {
        prop_assert_eq!(of_one_order(&hop.pass(&message)), of_one_order(&hop.leaves(message)));
    }
}

#[test]
fn the_document_has_every_row() {
    let document = include_str!("../../../PROTOCOLS.md");
    for row in TABLE {
        let amqp = match row.amqp {
            Place::Field => "properties: ".to_owned(),
            Place::Application(name) => format!("application property `{name}`"),
            Place::Annotation(name, _) => format!("annotation `{name}`"),
        };
        let name = row.key.name().replace("cid", "correlationId");
        let line = document.lines().find(|line| line.starts_with(&format!("| {name} |")));
        let line = line.unwrap_or_else(|| panic!("{name} has no line"));
        let by_client = if row.by_client { "| yes |" } else { "| no |" };
        let bag = row.bag.map(|bag| format!("| `{bag}` |")).unwrap_or_default();
        assert!(line.contains(&amqp) && line.contains(&bag) && line.contains(by_client), "{line}");
    }
}
