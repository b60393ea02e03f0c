//! Laws that hold for all messages and identifiers.

use std::collections::BTreeMap;

use bytes::BytesMut;
use edge_core::testing::arbitrary;
use edge_core::{FeedSet, Identity, Message, MessageBuilder, Priority, Source, SystemKey};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

type Pairs = Vec<(String, Option<String>)>;

fn pairs() -> impl Strategy<Value = Pairs> {
    vec(("[a-c]{1,2}|.{0,6}", option::of(".{0,6}")), 0..8)
}

fn build(pairs: &Pairs) -> Message {
    let mut builder = Message::builder(&Source::telemetry());
    pairs.iter().for_each(|(name, value)| builder.set_property(name, value.as_deref()));
    builder.build()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decoding_gives_back_what_was_encoded(message in arbitrary::message()) {
        prop_assert_eq!(Message::decode(message.encoded().clone())?, message);
    }

    #[test]
    fn a_damaged_message_is_refused_or_another_whole_one(
        message in arbitrary::message(), at in any::<prop::sample::Index>(), bit in 0..8u32,
    ) {
        let mut bytes = message.encoded().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1u8 << bit;
        let is_reserved = at == 1;
        if let Ok(other) = Message::decode(bytes.into()) {
            prop_assert_eq!(other.to_builder().build() == other, !is_reserved);
        }
    }

    #[test]
    fn a_copy_through_a_builder_is_the_same(message in arbitrary::message()) {
        prop_assert_eq!(message.to_builder().build(), message);
    }

    #[test]
    fn a_detached_copy_is_the_same(message in arbitrary::message()) {
        prop_assert_eq!(message.detached(), message);
    }

    #[test]
    fn properties_are_a_map_whose_last_write_wins(pairs in pairs()) {
        let expected: BTreeMap<_, _> = pairs.iter().cloned().collect();
        let message = build(&pairs);
        let found: Vec<_> = message.properties().iter()
            .map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).collect();
        prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn system_properties_are_a_map_whose_last_write_wins(
        pairs in vec((arbitrary::system_key(), ".{0,6}"), 0..8),
    ) {
        let expected: BTreeMap<SystemKey, String> = pairs.iter().cloned().collect();
        let mut builder = Message::builder(&Source::telemetry());
        pairs.iter().for_each(|(key, value)| builder.set_system(*key, value));
        let message = builder.build();
        let found: Vec<_> = message.system().iter().map(|(key, value)| (key, value.to_owned())).collect();
        prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn the_order_of_different_properties_does_not_matter(pairs in pairs()) {
        let unique: BTreeMap<_, _> = pairs.into_iter().collect();
        let forwards: Pairs = unique.into_iter().collect();
        let backwards: Pairs = forwards.iter().rev().cloned().collect();
        prop_assert_eq!(build(&forwards), build(&backwards));
    }

    #[test]
    fn one_builder_in_one_arena_builds_what_many_would(builders in vec(arbitrary::message_builder(), 1..5)) {
        let mut arena = BytesMut::new();
        let mut shared = MessageBuilder::default();
        let mut messages = Vec::new();
        for builder in &builders {
            let wanted = builder.clone().build();
            shared.reset(wanted.source());
            wanted.system().iter().for_each(|(key, value)| shared.set_system(key, value));
            wanted.properties().iter().for_each(|(name, value)| shared.set_property(name, value));
            messages.push((shared.finish(&mut arena, wanted.body()), wanted));
        }
        for (message, wanted) in messages {
            prop_assert_eq!(message, wanted);
        }
    }

    #[test]
    fn the_size_counts_every_byte_of_content(message in arbitrary::message()) {
        let names: usize = message.properties().iter()
            .map(|(name, value)| name.len() + value.unwrap_or_default().len()).sum();
        prop_assert!(message.size() >= message.source().len() + names + message.body().len());
        prop_assert!(message.size() < message.encoded().len());
    }

    #[test]
    fn identities_print_as_they_parse(identity in arbitrary::identity()) {
        prop_assert_eq!(identity.to_string().parse::<Identity>()?, identity);
    }

    #[test]
    fn priorities_print_as_they_parse(priority in arbitrary::priority()) {
        prop_assert_eq!(priority.to_string().parse::<Priority>()?, priority);
    }

    #[test]
    fn feed_sets_come_back_from_their_bits(feeds in arbitrary::feeds(), others in arbitrary::feeds()) {
        prop_assert_eq!(FeedSet::from_bits(feeds.bits()), feeds);
        prop_assert_eq!(feeds.union(others).without(others), feeds.without(others));
    }
}
