//! Changes of whole twins: versions, times, etags, and that a refusal changes nothing.

use edge_core::Timestamp;
use edge_twin::{ApplyError, Expect, Limits, Patch, SectionKind, Twin, TwinLimits, TwinUpdate, View};

fn at(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}

fn patch(text: &str) -> Patch {
    Patch::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn report(twin: &mut Twin, text: &str, ms: u64) -> u64 {
    twin.report(&patch(text), Expect::Anything, &Limits::default(), at(ms)).unwrap()
}

fn update(twin: &mut Twin, text: &str, ms: u64) -> Option<String> {
    let update = TwinUpdate::parse(text.as_bytes(), &TwinLimits::default()).unwrap();
    let updated = twin.update(&update, Expect::Anything, &TwinLimits::default(), at(ms)).unwrap();
    updated.desired.map(|change| String::from_utf8(change.to_json().to_vec()).unwrap())
}

fn replace(twin: &mut Twin, text: &str, ms: u64) -> Option<String> {
    let update = TwinUpdate::parse(text.as_bytes(), &TwinLimits::default()).unwrap();
    let updated = twin.replace(&update, Expect::Anything, &TwinLimits::default(), at(ms)).unwrap();
    updated.desired.map(|change| String::from_utf8(change.to_json().to_vec()).unwrap())
}

#[test]
fn versions_rise_by_one_with_each_change() {
    let mut twin = Twin::new(at(0));
    assert_eq!((twin.version(), twin.desired().version(), twin.reported().version()), (1, 1, 1));
    assert_eq!(report(&mut twin, r#"{"a":1}"#, 1), 2);
    assert_eq!(report(&mut twin, r#"{"a":1}"#, 2), 3);
    assert_eq!(report(&mut twin, "{}", 3), 3, "nothing was said");
    assert_eq!(update(&mut twin, r#"{"tags":{"x":1}}"#, 4), None);
    assert_eq!((twin.version(), twin.desired().version(), twin.reported().version()), (4, 1, 3));
    update(&mut twin, r#"{"tags":{"x":2},"properties":{"desired":{"y":3}}}"#, 4).unwrap();
    assert_eq!((twin.version(), twin.desired().version()), (5, 2));
}

#[test]
fn every_node_says_when_it_was_changed() {
    let mut twin = Twin::new(at(0));
    report(&mut twin, r#"{"a":{"x":1,"y":{"z":[1]}},"b":2}"#, 1000);
    report(&mut twin, r#"{"a":{"x":2}}"#, 2000);
    let stamps = |path: &[&str]| twin.reported().updated_at(path.iter().copied());
    assert_eq!(stamps(&[]), Some((at(2000), 3)));
    assert_eq!(stamps(&["a"]), Some((at(2000), 3)));
    assert_eq!(stamps(&["a", "x"]), Some((at(2000), 3)));
    assert_eq!(stamps(&["a", "y", "z"]), Some((at(1000), 2)));
    assert_eq!(stamps(&["b"]), Some((at(1000), 2)));
    assert_eq!(stamps(&["c"]), None);
    assert_eq!(
        twin.reported().to_json(View::DatedAndNumbered),
        concat!(
            r#"{"a":{"x":2,"y":{"z":[1]}},"b":2,"$metadata":{"$lastUpdated":"1970-01-01T00:00:02.000Z","#,
            r#""$lastUpdatedVersion":3,"a":{"$lastUpdated":"1970-01-01T00:00:02.000Z","$lastUpdatedVersion":3,"#,
            r#""x":{"$lastUpdated":"1970-01-01T00:00:02.000Z","$lastUpdatedVersion":3},"#,
            r#""y":{"$lastUpdated":"1970-01-01T00:00:01.000Z","$lastUpdatedVersion":2,"#,
            r#""z":{"$lastUpdated":"1970-01-01T00:00:01.000Z","$lastUpdatedVersion":2}}},"#,
            r#""b":{"$lastUpdated":"1970-01-01T00:00:01.000Z","$lastUpdatedVersion":2}},"$version":3}"#
        )
    );
}

#[test]
fn a_service_sees_everything() {
    let mut twin = Twin::new(at(0));
    update(&mut twin, r#"{"tags":{"plant":"3"},"properties":{"desired":{"rpm":900}}}"#, 1000).unwrap();
    let mut json = vec![b'{'];
    twin.write_service_members(&mut json);
    json.push(b'}');
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let expected = serde_json::json!({
        "etag": twin.etag().to_string(),
        "version": 2,
        "tags": { "plant": "3" },
        "properties": {
            "desired": {
                "rpm": 900,
                "$metadata": {
                    "$lastUpdated": "1970-01-01T00:00:01.000Z",
                    "$lastUpdatedVersion": 2,
                    "rpm": { "$lastUpdated": "1970-01-01T00:00:01.000Z", "$lastUpdatedVersion": 2 },
                },
                "$version": 2,
            },
            "reported": { "$metadata": { "$lastUpdated": "1970-01-01T00:00:00.000Z" }, "$version": 1 },
        },
    });
    assert_eq!(json, expected);
}

#[test]
fn a_device_is_told_the_patch_with_its_nulls() {
    let mut twin = Twin::new(at(0));
    update(&mut twin, r#"{"properties":{"desired":{"a":{"x":1,"y":2},"b":1}}}"#, 1);
    let told = update(&mut twin, r#"{"properties":{"desired":{"a":{"y":null},"c":null}}}"#, 2);
    assert_eq!(told.as_deref(), Some(r#"{"a":{"y":null},"c":null,"$version":3}"#));
    assert_eq!(twin.desired().to_json(View::Plain), r#"{"a":{"x":1},"b":1}"#);
}

#[test]
fn a_replacement_says_what_is_gone() {
    let mut twin = Twin::new(at(0));
    update(&mut twin, r#"{"tags":{"t":1},"properties":{"desired":{"a":{"x":1,"y":2},"b":1,"k":1}}}"#, 1);
    let told = replace(&mut twin, r#"{"properties":{"desired":{"a":{"x":1},"k":1,"n":null}}}"#, 2);
    assert_eq!(told.as_deref(), Some(r#"{"a":{"x":1,"y":null},"b":null,"k":1,"$version":3}"#));
    assert_eq!(twin.desired().to_json(View::Plain), r#"{"a":{"x":1},"k":1}"#);
    assert_eq!(twin.tags().to_json(View::Plain), r#"{"t":1}"#, "nobody spoke of the tags");
    replace(&mut twin, r#"{"tags":{}}"#, 3);
    assert_eq!(twin.tags().to_json(View::Plain), "{}");
}

#[test]
fn a_broken_limit_changes_nothing() {
    let mut twin = Twin::new(at(0));
    for key in 'a'..='g' {
        report(&mut twin, &format!(r#"{{"{key}":"{}"}}"#, "x".repeat(4096)), 1);
    }
    let before = twin.clone();
    let large = patch(&format!(r#"{{"a":null,"h":"{}","i":"{}"}}"#, "x".repeat(4096), "x".repeat(4096)));
    let refused = twin.report(&large, Expect::Anything, &Limits::default(), at(2)).unwrap_err();
    let ApplyError::Limit { section: SectionKind::Reported, source } = &refused else { panic!("{refused}") };
    assert_eq!(source.to_string(), "document has 32825 bytes, at most 32768 are allowed");
    assert_eq!(twin, before);
    // Tags that fit and desired properties that do not: neither is changed.
    let limits = TwinLimits::default();
    let mut small = limits;
    small.desired = small.desired.with_document_bytes(10);
    let both =
        TwinUpdate::parse(br#"{"tags":{"a":1},"properties":{"desired":{"abc":"defg"}}}"#, &limits).unwrap();
    assert!(twin.update(&both, Expect::Anything, &small, at(3)).is_err());
    assert!(twin.replace(&both, Expect::Anything, &small, at(3)).is_err());
    assert_eq!(twin, before);
}

#[test]
fn a_change_meant_for_another_state_is_refused() {
    let mut twin = Twin::new(at(0));
    let limits = TwinLimits::default();
    let change = TwinUpdate::of_tags(patch(r#"{"a":1}"#));
    let first = Expect::Etag(twin.etag());
    twin.update(&change, first, &limits, at(1)).unwrap();
    let before = twin.clone();
    for stale in [first, Expect::Unknown, Expect::Version(7)] {
        let refused = twin.update(&change, stale, &limits, at(2)).unwrap_err();
        assert_eq!(refused, ApplyError::Conflict { etag: twin.etag(), version: 1 });
        assert!(twin.replace(&change, stale, &limits, at(2)).is_err());
    }
    assert_eq!(twin, before);
    twin.report(&patch(r#"{"a":1}"#), Expect::Version(1), &limits.reported, at(3)).unwrap();
    assert_eq!(twin.etag(), before.etag(), "reports do not change the etag");
    assert!(twin.report(&patch(r#"{"a":1}"#), Expect::Version(1), &limits.reported, at(3)).is_err());
    assert_eq!(twin.reported().version(), 2);
}

#[test]
fn damaged_bytes_are_refused() {
    let mut twin = Twin::new(at(0));
    report(&mut twin, r#"{"a":{"x":1.5,"y":["b",{"c":true}]},"b":"text","n":-7}"#, 1);
    let stored = twin.encode();
    assert_eq!(Twin::decode(stored.clone()).unwrap(), twin);
    for len in 0..stored.len() {
        Twin::decode(stored.slice(..len)).expect_err("a part is no twin");
    }
    for at in 0..stored.len() {
        for bit in 0..8 {
            let mut bytes = stored.to_vec();
            bytes[at] ^= 1 << bit;
            Twin::decode(bytes.into()).expect_err("a changed bit is found");
        }
    }
}
