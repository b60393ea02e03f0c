//! Twins, read and changed from both sides.

use super::*;

fn a_twin_has_two_sides(number: u8, name: &'static str, websockets: bool) {
    let mut bench = Bench::start(number, name, websockets);
    let twin = bench.client("twin", &json!({ "do": "get" }))["twin"].clone();
    assert_eq!(twin, json!({ "desired": { "$version": 1 }, "reported": { "$version": 1 } }), "a new twin");

    let patch = json!({ "line": { "speed": 1.5, "mode": "fast", "list": [1, { "two": true }] }, "gone": 1 });
    bench.client("reported", &json!({ "do": "report", "patch": patch }));
    let patch = json!({ "line": { "mode": null, "größe": "ü" }, "gone": null, "never": null });
    bench.client("reported", &json!({ "do": "report", "patch": patch }));
    let expected = json!({ "line": { "speed": 1.5, "list": [1, { "two": true }], "größe": "ü" } });
    let mut seen = bench.service("twin", json!({ "do": "get_twin" }))["reported"].clone();
    assert_eq!(seen["$version"], 3);
    let fields = seen.as_object_mut().expect("the reported properties are an object");
    fields.retain(|key, _| !key.starts_with('$'));
    assert_eq!(seen, expected);

    bench.listen(&["desired"]);
    let desired = json!({ "target": { "speed": 2 }, "mode": "slow" });
    let twin = bench.service("twin", json!({ "do": "patch_twin", "desired": desired }));
    assert_eq!(twin["desired"]["$version"], 2);
    let mut expected = desired;
    expected["$version"] = 2.into();
    assert_eq!(bench.client.skip_to("desired")["patch"], expected);
    bench.service("twin", json!({ "do": "patch_twin", "desired": { "mode": null } }));
    assert_eq!(bench.client.skip_to("desired")["patch"], json!({ "mode": null, "$version": 3 }));
    let twin = bench.client("twin", &json!({ "do": "get" }))["twin"].clone();
    assert_eq!(twin["desired"], json!({ "target": { "speed": 2 }, "$version": 3 }));
    bench.finish();
}

#[test]
fn of_a_device() {
    a_twin_has_two_sides(1, "sensor1", false);
}

#[test]
fn of_a_device_over_websocket() {
    a_twin_has_two_sides(2, "sensor1", true);
}

#[test]
fn of_a_module() {
    a_twin_has_two_sides(3, "edge1/filter", false);
}

#[test]
fn of_a_module_over_websocket() {
    a_twin_has_two_sides(4, "edge1/filter", true);
}

#[test]
fn what_was_desired_while_the_device_was_away_arrives() {
    let mut bench = Bench::start(5, "sensor1", false);
    bench.listen(&["desired"]);
    bench.leave();
    bench.service("twin", json!({ "do": "patch_twin", "desired": { "a": 1, "b": 1 } }));
    bench.service("twin", json!({ "do": "patch_twin", "desired": { "b": null } }));
    bench.come_back();
    // The SDK reads the twin when it is back, and shows all of it when the version is another than it knew.
    let patch = bench.client.skip_to("desired")["patch"].clone();
    assert_eq!(patch, json!({ "a": 1, "$version": 3 }));
    bench.finish();
}

#[test]
fn a_restart_forgets_nothing() {
    let mut bench = Bench::start(6, "sensor1", false);
    bench.listen(&["desired"]);
    for (round, in_order) in [true, false].into_iter().enumerate() {
        let n = round as u64;
        bench.client("reported", &json!({ "do": "report", "patch": { "n": n } }));
        bench.service("twin", json!({ "do": "patch_twin", "desired": { "n": n } }));
        bench = bench.restart(in_order);
        let twin = bench.service("twin", json!({ "do": "get_twin" }));
        assert_eq!((&twin["desired"]["n"], &twin["reported"]["n"]), (&json!(n), &json!(n)));
        assert_eq!(
            (&twin["desired"]["$version"], &twin["reported"]["$version"]),
            (&json!(n + 2), &json!(n + 2))
        );
        assert_eq!(bench.client("twin", &json!({ "do": "get" }))["twin"]["desired"]["n"], n);
    }
    // Subscriptions were kept too: the SDK does not subscribe again.
    bench.service("twin", json!({ "do": "patch_twin", "desired": { "last": true } }));
    while bench.client.skip_to("desired")["patch"]["last"] != true {}
    bench.finish();
}

#[test]
fn what_may_not_be_reported_is_refused_and_changes_nothing() {
    let mut bench = Bench::start(7, "sensor1", false);
    bench.client("reported", &json!({ "do": "report", "patch": { "kept": 1 } }));
    let deep = (0..12).fold(json!(1), |inner, _| json!({ "d": inner }));
    for wrong in [
        json!({ "a.b": 1 }),
        json!({ "$a": 1 }),
        json!({ "a": 1u64 << 60 }),
        json!({ "a": "x".repeat(5000) }),
        json!({ "a": [null] }),
        deep,
        json!({ "a": vec!["x".repeat(4000); 10] }),
        json!({ "a": vec!["x".repeat(4000); 20] }),
    ] {
        bench.client("failed", &json!({ "do": "report", "patch": wrong }));
    }
    let twin = bench.service("twin", json!({ "do": "get_twin" }));
    assert_eq!((&twin["reported"]["kept"], &twin["reported"]["$version"]), (&json!(1), &json!(2)));
    bench.finish();
}

#[test]
fn an_old_etag_is_refused() {
    let mut bench = Bench::start(8, "sensor1", false);
    let etag = bench.service("twin", json!({ "do": "get_twin" }))["etag"].clone();
    bench.service("twin", json!({ "do": "patch_twin", "tags": { "floor": 1 }, "etag": etag }));
    let failed = bench.service("failed", json!({ "do": "patch_twin", "tags": { "floor": 2 }, "etag": etag }));
    assert_eq!(failed["status"], 412);
    assert_eq!(bench.service("twin", json!({ "do": "get_twin" }))["tags"], json!({ "floor": 1 }));
    bench.finish();
}
