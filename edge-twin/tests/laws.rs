//! Laws of patches, for documents of all shapes.

use edge_core::Timestamp;
use edge_twin::{Expect, Limits, Map, Nulls, Patch, Section, Twin, Value, View, diff, merge};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}

fn key() -> impl Strategy<Value = Box<str>> {
    "[a-d]{1,2}|\"|é|\\\\".prop_map(String::into_boxed_str)
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        (-4_503_599_627_370_496_i64..4_503_599_627_370_496).prop_map(Value::Integer),
        // Quarters: others read all other fractions less exactly.
        any::<i32>().prop_map(|quarters| Value::Float(f64::from(quarters) / 4.0)),
        "[a-z\"\\\\\n\u{1}é]{0,8}".prop_map(|text| Value::String(text.into())),
        vec((0_i64..5).prop_map(Value::Integer), 0..3).prop_map(Value::Array),
    ]
}

fn tree(leaf: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    leaf.prop_recursive(4, 32, 5, |inner| btree_map(key(), inner, 0..5).prop_map(Value::Object))
}

fn document() -> impl Strategy<Value = Map> {
    btree_map(key(), tree(leaf()), 0..5)
}

fn changes() -> impl Strategy<Value = Map> {
    btree_map(key(), tree(prop_oneof![2 => leaf(), 1 => Just(Value::Null)]), 0..5)
}

fn patch(members: Map) -> Patch {
    Patch::from_value(members.into(), &Limits::default()).unwrap()
}

fn apply(section: &Section, change: &Patch) -> Section {
    section.apply(change, &Limits::default(), at(2)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn applying_to_stored_bytes_is_merging_values(base in document(), change in changes()) {
        let section = apply(&Section::with_version(&base, 1, at(1)), &patch(change.clone()));
        let mut merged = Value::from(base);
        merge(&mut merged, &change.into(), Nulls::Purge);
        prop_assert_eq!(section.to_value(), merged.clone());
        prop_assert_eq!(section.to_json(View::Plain), merged.to_string());
        prop_assert_eq!(section.json_bytes(), merged.to_string().len());
    }

    #[test]
    fn what_is_changed_and_nothing_else_is_stamped(base in document(), change in changes()) {
        let before = Section::with_version(&base, 1, at(1));
        let after = apply(&before, &patch(change.clone()));
        for key in base.keys() {
            if let Some((time, version)) = after.updated_at([&**key]) {
                let expected = if change.contains_key(key) { (at(2), 2) } else { (at(1), 1) };
                prop_assert_eq!((time, version), expected, "{}", key);
            }
        }
    }

    #[test]
    fn a_difference_leads_from_one_to_the_other(from in document(), to in document()) {
        let change = Patch::between(&from, &to);
        let section = apply(&Section::with_version(&from, 1, at(1)), &change);
        prop_assert_eq!(&section.to_map(), &to);
        let mut merged = Value::from(from.clone());
        merge(&mut merged, &diff(&from.into(), &to.clone().into()), Nulls::Delete);
        prop_assert_eq!(merged, Value::from(to));
    }

    #[test]
    fn applying_twice_is_applying_once(base in document(), change in changes()) {
        let change = patch(change);
        let once = apply(&Section::with_version(&base, 1, at(1)), &change);
        prop_assert_eq!(apply(&once, &change).to_value(), once.to_value());
    }

    #[test]
    fn one_patch_does_what_two_do_unless_it_brings_an_object_for_something_else(
        base in document(), first in changes(), second in changes()
    ) {
        let (first, second) = (patch(first), patch(second));
        prop_assume!(!replaces_an_object(first.members(), second.members()));
        let section = Section::with_version(&base, 1, at(1));
        let stepwise = apply(&apply(&section, &first), &second);
        let at_once = apply(&section, &first.then(&second));
        prop_assert_eq!(at_once.to_value(), stepwise.to_value());
    }

    #[test]
    fn patches_are_read_as_they_are_written(change in changes(), version in 0_u64..1 << 52) {
        let change = patch(change);
        let read = Patch::parse(&change.to_json_with_version(version), &Limits::default()).unwrap();
        prop_assert_eq!(read.members(), change.members());
        prop_assert_eq!(read.stated_version(), Some(version));
        let plain = Patch::parse(&change.to_json(), &Limits::default()).unwrap();
        prop_assert_eq!(plain, change);
    }

    #[test]
    fn twins_are_read_as_they_are_stored(base in document(), change in changes()) {
        let mut twin = Twin::new(at(1));
        for members in [base, change] {
            twin.report(&patch(members), Expect::Anything, &Limits::default(), at(2)).unwrap();
        }
        prop_assert_eq!(Twin::decode(twin.encode()).unwrap(), twin);
    }

    #[test]
    fn json_is_read_as_by_others(base in document()) {
        let text = Value::from(base).to_string();
        let theirs: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(Value::parse(theirs.to_string().as_bytes()).unwrap(), Value::parse(text.as_bytes()).unwrap());
    }

    #[test]
    fn limits_are_checked_before_anything_changes(base in document(), change in changes(), max in 2_usize..60) {
        let limits = Limits::default().with_document_bytes(max);
        let section = Section::with_version(&base, 1, at(1));
        let mut merged = Value::from(base);
        merge(&mut merged, &change.clone().into(), Nulls::Purge);
        let applied = section.apply(&patch(change.clone()), &limits, at(2));
        prop_assert_eq!(applied.is_ok(), merged.to_string().len() <= max || change.is_empty());
    }
}

/// Whether the second patch brings an object where the first removes something or sets something else.
fn replaces_an_object(first: &Map, second: &Map) -> bool {
    second.iter().any(|(key, value)| match (first.get(key), value) {
        (Some(Value::Object(first)), Value::Object(second)) => replaces_an_object(first, second),
        (Some(_), Value::Object(_)) => true,
        _ => false,
    })
}
