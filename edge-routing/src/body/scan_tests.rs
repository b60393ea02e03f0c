use alloc::borrow::ToOwned;
use alloc::string::String;

use super::super::path::{Path, Segment, read_path};
use super::super::tree::Tree;
use super::*;

/// The value at `path`, shown; "missing" when there is none and "unusable" when the text is not a JSON object.
fn look(text: &str, path: &str) -> String {
    let Path::Plain(segments) = read_path(path) else { return "never".to_owned() };
    let mut trie = Trie::default();
    let slot = trie.insert(&segments);
    let bump = Bump::new();
    let mut out = Extract::default();
    match extract(text, &trie, &bump, &mut out) {
        Ok(()) => out.value(slot).map_or_else(|| "missing".to_owned(), |value| alloc::format!("{value:?}")),
        Err(_) => "unusable".to_owned(),
    }
}

#[track_caller]
fn check(text: &str, path: &str, expected: &str) {
    assert_eq!(look(text, path), expected, "{text} {path}");
}

#[test]
fn finds_values() {
    check(r#"{"a":{"b":[1,{"c":"x"}]}}"#, "a.b[1].c", "Str(\"x\")");
    check(r#"{"a":{"b":[1,{"c":"x"}]}}"#, "a.b[0]", "Number(1.0)");
    check(r#"{"a":{"b":[1]}}"#, "a.b", "Structured");
    check(r#"{"a":{"b":[1]}}"#, "a.b[1]", "missing");
    check(r#"{"a":{"b":[1]}}"#, "a.c", "missing");
    check(r#"{"a":"2017-03-09T00:00:00Z"}"#, "a", "Structured");
    check(r#"{"a":"é"}"#, "a", "Str(\"é\")");
    check(r#"{"\u0061":"\n"}"#, "a", "Str(\"\\n\")");
    check(r#"{"a":1e999}"#, "a", "Number(inf)");
}

#[test]
fn the_last_of_equal_names_counts() {
    check(r#"{"a":{"b":1},"a":2}"#, "a.b", "missing");
    check(r#"{"a":{"b":1},"a":{"b":2}}"#, "a.b", "Number(2.0)");
    check(r#"{"a":{"b":1},"a":{"c":2}}"#, "a.b", "missing");
}

#[test]
fn only_whole_objects_are_usable() {
    for text in ["[1]", "1", "", r#"{"a":1"#, r#"{"a":1}x"#, r#"{"a":1,}"#] {
        check(text, "a", "unusable");
    }
}

#[test]
fn a_buffer_serves_many_bodies() {
    let mut trie = Trie::default();
    let a = trie.insert(&[Segment::Name("a".into())]);
    let b = trie.insert(&[Segment::Name("b".into())]);
    let bump = Bump::new();
    let mut out = Extract::default();
    extract(r#"{"a":1,"b":2}"#, &trie, &bump, &mut out).expect("valid");
    extract(r#"{"b":3}"#, &trie, &bump, &mut out).expect("valid");
    assert_eq!((out.value(a), out.value(b)), (None, Some(BodyValue::Number(3.0))));
}

/// What is at a path with wildcards.
fn wild(text: &str, path: &str) -> String {
    let Path::Plain(segments) = read_path(path) else { return "never".to_owned() };
    let bump = Bump::new();
    match Tree::read(text, &bump) {
        Ok(tree) => {
            tree.follow(&segments).map_or_else(|| "missing".to_owned(), |value| alloc::format!("{value:?}"))
        }
        Err(_) => "unusable".to_owned(),
    }
}

#[test]
fn wildcards_find_the_only_value() {
    for (text, path, expected) in [
        (r#"{"a":{"x":1}}"#, "a.*", "Number(1.0)"),
        (r#"{"a":{"x":1,"y":2}}"#, "a.*", "Structured"),
        (r#"{"a":{}}"#, "a.*", "missing"),
        (r#"{"a":1}"#, "a.*", "missing"),
        (r#"{"a":[{"b":"\n"}]}"#, "a.*.b", r#"Str("\n")"#),
        (r#"{"a":[{"b":1},{"c":2},{"b":{}}]}"#, "*.*.c", "Number(2.0)"),
        (r#"{"a":{"x":1,"\u0078":2}}"#, "a.*", "Number(2.0)"),
        (r#"{"a":{"x":{"y":1},"x":{"z":2}}}"#, "a.*.y", "missing"),
        (r#"{"a":"2017-03-09T00:00:00Z"}"#, "*", "Structured"),
        (r#"{"a":[1,2]}"#, "*[1]", "Number(2.0)"),
        ("[1]", "*", "unusable"),
    ] {
        assert_eq!(wild(text, path), expected, "{text} {path}");
    }
}

#[test]
fn repeated_members_cost_what_they_hold() {
    let mut trie = Trie::default();
    let slots: Vec<u32> = (0..2000)
        .map(|at| trie.insert(&[Segment::Name("m".into()), Segment::Name(alloc::format!("p{at}").into())]))
        .collect();
    let own = trie.insert(&[Segment::Name("m".into())]);
    let bump = Bump::new();
    let mut out = Extract::default();
    let text = alloc::format!("{{{}\"m\":{{\"p7\":3}}}}", "\"m\":{\"p1\":0},\"m\":0,".repeat(20));
    extract(&text, &trie, &bump, &mut out).expect("valid");
    let found: Vec<u32> = slots.iter().copied().filter(|&slot| out.value(slot).is_some()).collect();
    assert_eq!((found, out.value(own)), (alloc::vec![slots[7]], Some(BodyValue::Structured)));
    // One value for each member that was read and no more: nothing is looked at of the paths that found nothing.
    let mut touched = 0;
    while out.slot_at(touched).is_some() {
        touched += 1;
    }
    assert_eq!(touched, 20 * 3 + 2);
    assert_eq!(out.recycle(trie.slots()).found.len(), 0);
}

#[test]
fn paths_deeper_than_any_body_find_nothing() {
    let path = alloc::vec!["a"; 70].join(".");
    check(r#"{"a":{"a":1}}"#, &path, "missing");
}

mod beside_serde_json {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::super::{BodyValue, Bump, Extract, Trie, extract, is_date};
    use super::Segment;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i32>().prop_map(Value::from),
            any::<f64>().prop_filter("JSON has finite numbers only", |x| x.is_finite()).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            Just(Value::from("2020-01-01T00:00:00Z")),
        ];
        let name = prop::sample::select(&["a", "b", "c\"\n", "é"][..]);
        leaf.prop_recursive(5, 40, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map(name.clone().prop_map(String::from), inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    fn segment() -> impl Strategy<Value = Segment> {
        prop_oneof![
            3 => prop::sample::select(&["a", "b", "c\"\n", "é"][..]).prop_map(|name| Segment::Name(name.into())),
            1 => (0..4_u32).prop_map(Segment::Index),
        ]
    }

    fn walk<'j>(json: &'j Value, path: &[Segment]) -> Option<&'j Value> {
        path.iter().try_fold(json, |json, segment| match segment {
            Segment::Name(name) => json.as_object()?.get(&**name),
            Segment::Index(index) => json.as_array()?.get(*index as usize),
            Segment::All => None,
        })
    }

    fn shown(value: Option<&Value>) -> String {
        match value {
            None => "None".into(),
            Some(Value::String(text)) if is_date(text) => "Structured".into(),
            Some(Value::Null) => "Null".into(),
            Some(Value::Bool(value)) => format!("Bool({value})"),
            Some(Value::Number(number)) => format!("Number({:?})", number.as_f64().expect("finite")),
            Some(Value::String(text)) => format!("Str({text:?})"),
            Some(Value::Array(_) | Value::Object(_)) => "Structured".into(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_pass_finds_what_a_tree_has(
            json in json(),
            paths in prop::collection::vec(prop::collection::vec(segment(), 1..5), 1..6),
            pretty in any::<bool>(),
        ) {
            let text = if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) }.expect("text");
            let mut trie = Trie::default();
            let slots: Vec<u32> = paths.iter().map(|path| trie.insert(path)).collect();
            let bump = Bump::new();
            let mut out = Extract::default();
            let result = extract(&text, &trie, &bump, &mut out);
            prop_assert_eq!(result.is_ok(), json.is_object());
            if json.is_object() {
                for (path, slot) in paths.iter().zip(slots) {
                    let found: Option<BodyValue<'_>> = out.value(slot);
                    let found = found.map_or_else(|| "None".into(), |value| format!("{value:?}"));
                    prop_assert_eq!(found, shown(walk(&json, path)), "{:?} in {}", path, text);
                }
            }
        }

        #[test]
        fn what_is_json_is_agreed_on(text in "[ \\[\\]{}:,\"a\\\\u0019tfnrlse.eE+-]{0,24}") {
            let ours = crate::json::parse(&text, 64).is_ok();
            let parsed = serde_json::from_str::<Value>(&text);
            let theirs = match &parsed {
                Ok(_) => true,
                // Ours reads numbers beyond the range as infinite, and replaces halves of surrogate pairs.
                Err(error) => format!("{error}").contains("out of range") || format!("{error}").contains("surrogate") || format!("{error}").contains("hex escape"),
            };
            prop_assert!(ours == theirs || (parsed.is_err() && theirs), "{text}: {ours} {parsed:?}");
        }
    }
}
