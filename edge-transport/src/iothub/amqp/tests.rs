//! The law: what is written is read back.

use edge_core::Source;
use proptest::prelude::*;

use super::*;
use crate::iothub::bag;

fn read_back(bytes: &[u8], author: Author) -> (Message, PropertiesRead) {
    let sections = Sections::read(bytes).unwrap();
    let mut builder = MessageBuilder::new("/messages/");
    let found = read(&sections, author, &mut builder).unwrap();
    let mut buffer = Vec::new();
    builder.set_body(sections.body_bytes(&mut buffer).unwrap());
    (builder.build(), found)
}

fn written(message: &Message, reader: Reader) -> Vec<u8> {
    let mut out = Vec::new();
    write(message, reader, None, &mut out);
    out
}

/// A value that the property may well have, or one that it may not.
fn value_of(key: SystemKey) -> BoxedStrategy<String> {
    let text = "\\PC{0,12}";
    let place = properties::of(key).map(|row| row.amqp);
    match place {
        Some(Place::Annotation(_, Kind::Ubyte)) => {
            prop_oneof![text, any::<u16>().prop_map(|n| n.to_string())].boxed()
        }
        Some(Place::Annotation(_, Kind::Long)) => {
            prop_oneof![text, any::<i64>().prop_map(|n| n.to_string())].boxed()
        }
        Some(Place::Annotation(_, Kind::Uuid)) => {
            prop_oneof![text, any::<[u8; 16]>().prop_map(|id| uuid::to_text(&id))].boxed()
        }
        Some(Place::Annotation(_, Kind::Time)) => times(),
        _ if key == SystemKey::ExpiryTime => times(),
        _ => text.boxed(),
    }
}

fn times() -> BoxedStrategy<String> {
    let time = (0..4_000_000_000_000u64).prop_map(|ms| Timestamp::from_unix_ms(ms).to_string());
    prop_oneof!["[a-z]{0,12}", time].boxed()
}

fn message() -> impl Strategy<Value = Message> {
    let system = (0..SystemKey::ALL.len())
        .prop_flat_map(|at| value_of(SystemKey::ALL[at]).prop_map(move |value| (SystemKey::ALL[at], value)));
    let properties = proptest::collection::btree_map("\\PC{1,12}", proptest::option::of("\\PC{0,12}"), 0..8);
    let body = proptest::collection::vec(any::<u8>(), 0..300);
    (proptest::collection::vec(system, 0..8), properties, body).prop_map(|(system, properties, body)| {
        let mut builder = Message::builder(&Source::telemetry()).body(&body);
        for (key, value) in &system {
            builder.set_system(*key, value);
        }
        for (name, value) in &properties {
            builder.set_property(name, value.as_deref());
        }
        builder.build()
    })
}

proptest! {
    #[test]
    fn everything_that_goes_to_a_broker_is_read_back(message in message()) {
        prop_assert_eq!(read_back(&written(&message, Reader::Broker), Author::Trusted).0, message);
    }

    #[test]
    fn what_passes_through_a_bag_and_amqp_is_what_passes_through_a_bag(message in message()) {
        let through_a_bag = |message: &Message| {
            let mut text = String::new();
            bag::write(message, &mut text);
            let mut builder = MessageBuilder::new(message.source());
            builder.set_body(message.body());
            let read = bag::read(&text, &mut builder).unwrap();
            if let Some(output) = &read.output {
                builder.set_system(SystemKey::OutputName, output);
            }
            builder.build()
        };
        let once = through_a_bag(&message);
        let (over_amqp, found) = read_back(&written(&once, Reader::Client), Author::Client);
        let mut builder = over_amqp.to_builder();
        if let Some(output) = &found.output {
            builder.set_system(SystemKey::OutputName, output);
        }
        prop_assert_eq!(builder.build(), once);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
        if let Ok(sections) = Sections::read(&bytes) {
            let _either_way = read(&sections, Author::Client, &mut MessageBuilder::new("/"));
        }
    }
}

#[test]
fn every_place_is_in_the_docs() {
    let docs = include_str!("../amqp.rs");
    for properties::Row { key, amqp: place, .. } in TABLE {
        let wanted = match place {
            Place::Field => format!("//! | {key} | properties: "),
            Place::Application(name) => format!("//! | {key} | application property `{name}` |"),
            Place::Annotation(name, _) => format!("//! | {key} | annotation `{name}` |"),
        };
        let wanted = wanted.replace("| cid |", "| correlationId |");
        assert!(docs.contains(&wanted), "{wanted}");
    }
}

#[test]
fn the_names_of_mqtt_in_the_docs_are_those_of_bags() {
    let docs = include_str!("../amqp.rs");
    for line in docs.lines().filter(|line| line.contains("| `$.") || line.contains("| `iothub-")) {
        let cells: Vec<&str> = line.trim_start_matches("//! |").split('|').map(str::trim).collect();
        let key = SystemKey::from_name(cells[0]).unwrap();
        let mut out = String::new();
        bag::write(&Message::builder(&Source::telemetry()).system(key, "x").build(), &mut out);
        let name = cells[3].trim_matches('`').replace('$', "%24");
        assert_eq!(out, format!("{name}=x"));
    }
}

#[test]
fn a_client_cannot_say_who_it_is_nor_where_its_message_is_in_a_queue() {
    let mut builder = Message::builder(&Source::telemetry());
    for properties::Row { key, by_client: may, .. } in TABLE.iter().filter(|row| !row.by_client) {
        assert!(!may);
        builder.set_system(*key, "1");
    }
    builder.set_system(SystemKey::ConnectionAuthMethod, "boss");
    let bytes = written(&builder.build(), Reader::Broker);
    assert!(read_back(&bytes, Author::Client).0.system().is_empty());
}

#[test]
fn numbers_and_times_become_text() {
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out);
    w.descriptor(0x74);
    w.map(|w| {
        for (name, value) in [
            ("a", Value::Int(-7)),
            ("b", Value::Bool(true)),
            ("c", Value::Ulong(u64::MAX)),
            ("d", Value::Timestamp(0)),
            ("e", Value::Uuid([0x11; 16])),
            ("f", Value::Null),
            ("g", Value::Binary(&[0xff])),
        ] {
            w.string(name);
            w.value(value);
        }
        7
    });
    let (message, _) = read_back(&out, Author::Client);
    let all: Vec<_> = message.properties().iter().collect();
    assert_eq!(
        all,
        [
            ("a", Some("-7")),
            ("b", Some("true")),
            ("c", Some("18446744073709551615")),
            ("d", Some(&*Timestamp::from_unix_ms(0).to_string())),
            ("e", Some("11111111-1111-1111-1111-111111111111")),
            ("f", None),
            ("g", Some("/w==")),
        ]
    );
}
