//! Strategies that make values of this crate's types for property tests.
//!
//! # Examples
//! ```
//! use edge_core::{Message, testing::arbitrary};
//! use proptest::prelude::*;
//!
//! proptest!(ProptestConfig::with_cases(16), |(message in arbitrary::message())| {
//!     prop_assert_eq!(Message::decode(message.encoded().clone())?, message);
//! });
//! ```

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{
    DeviceId, Durability, EndpointId, Enqueue, Feed, FeedSet, Identity, Message, MessageBuilder, ModuleId,
    PortName, Priority, QueueId, RouteName, Source, SystemKey, Target, Timestamp,
};

const ID: &str = "[-a-zA-Z0-9.+%_#*?!(),:=@$']{1,24}";
const PORT: &str = "[^/#+\\p{Cc}]{1,16}";
const NAME: &str = "[^\\p{Cc}]{1,24}";

fn parsed<T>(pattern: &'static str) -> impl Strategy<Value = T>
where
    T: std::str::FromStr + std::fmt::Debug,
{
    pattern.prop_filter_map("an identifier that parses", |text: String| text.parse().ok())
}

/// Returns device ids of all characters that they may hold.
pub fn device_id() -> impl Strategy<Value = DeviceId> {
    parsed(ID)
}

/// Returns module ids of all characters that they may hold.
pub fn module_id() -> impl Strategy<Value = ModuleId> {
    parsed(ID)
}

/// Returns input and output names, in many scripts.
pub fn port_name() -> impl Strategy<Value = PortName> {
    parsed(PORT)
}

/// Returns route names, in many scripts.
pub fn route_name() -> impl Strategy<Value = RouteName> {
    parsed(NAME)
}

/// Returns endpoint ids, the upstream among them.
pub fn endpoint_id() -> impl Strategy<Value = EndpointId> {
    prop_oneof![1 => Just(EndpointId::upstream()), 4 => parsed(NAME)]
}

/// Returns devices and modules.
pub fn identity() -> impl Strategy<Value = Identity> {
    (device_id(), option::of(module_id())).prop_map(|(device, module)| match module {
        Some(module) => Identity::of_module(device, module),
        None => Identity::of_device(device),
    })
}

/// Returns all priorities, the default included.
pub fn priority() -> impl Strategy<Value = Priority> {
    (0u8..=10).prop_map(|level| Priority::new(level).unwrap_or_default())
}

/// Returns the names of queues.
pub fn queue_id() -> impl Strategy<Value = QueueId> {
    (endpoint_id(), priority()).prop_map(|(endpoint, priority)| QueueId::new(endpoint, priority))
}

/// Returns durability levels.
pub fn durability() -> impl Strategy<Value = Durability> {
    select(vec![Durability::Memory, Durability::Written, Durability::Synced])
}

/// Returns times from 1970 to the latest one, most of them near the present.
pub fn timestamp() -> impl Strategy<Value = Timestamp> {
    prop_oneof![8 => 1_600_000_000_000u64..2_000_000_000_000, 1 => any::<u64>(), 1 => Just(0)]
        .prop_map(Timestamp::from_unix_ms)
}

/// Returns sets of subscriptions, the empty one among them.
pub fn feeds() -> impl Strategy<Value = FeedSet> {
    vec(select(Feed::ALL), 0..5).prop_map(|feeds| feeds.into_iter().fold(FeedSet::EMPTY, FeedSet::with))
}

/// Returns system properties.
pub fn system_key() -> impl Strategy<Value = SystemKey> {
    select(SystemKey::ALL)
}

/// Returns sources of every kind.
pub fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        Just(Source::telemetry()),
        Just(Source::twin_changes()),
        module_id().prop_map(|module| Source::module(&module)),
        (module_id(), port_name()).prop_map(|(module, output)| Source::output(&module, &output)),
    ]
}

/// Returns builders with properties in any order, some of them set twice, some without a value, and a small body.
pub fn message_builder() -> impl Strategy<Value = MessageBuilder> {
    let system = vec((system_key(), ".{0,12}"), 0..5);
    let properties = vec(("[a-cA-C]{1,2}|.{0,8}", option::weighted(0.8, ".{0,12}")), 0..6);
    (source(), system, properties, vec(any::<u8>(), 0..64)).prop_map(|(source, system, properties, body)| {
        let mut builder = Message::builder(&source).body(&body);
        for (key, value) in system {
            builder.set_system(key, &value);
        }
        for (name, value) in properties {
            builder.set_property(&name, value.as_deref());
        }
        builder
    })
}

/// Returns messages with properties and a small body.
pub fn message() -> impl Strategy<Value = Message> {
    message_builder().prop_map(MessageBuilder::build)
}

/// Returns messages for some of `queues`, each queue at most once.
///
/// # Panics
/// Panics when `queues` is empty.
pub fn enqueue(queues: Vec<QueueId>) -> impl Strategy<Value = Enqueue> {
    assert!(!queues.is_empty(), "a message needs a queue to go to");
    let count = queues.len();
    let targets = proptest::sample::subsequence(queues, 1..=count);
    let time_to_live = option::of((0u64..100_000).prop_map(Duration::from_millis));
    (message(), targets, route_name(), time_to_live, timestamp()).prop_map(
        |(message, queues, route, time_to_live, enqueued)| {
            let targets = queues.into_iter().map(|queue| Target::new(queue, route.clone(), time_to_live));
            Enqueue::new(message, targets.collect(), enqueued)
        },
    )
}
