//! What a device says arrives as it was said.

use edge_e2e::script::Script;
use edge_e2e::site::Site;
use serde_json::{Value, json};

const COUNT: usize = 1000;

fn odd_properties() -> Value {
    json!({
        "plain": "value", "with space": "a b", "amp&eq=": "v&v=1/2", "percent%": "100%25", "plus+": "a+b",
        "slash/": "a/b", "question?": "#hash", "empty": "", "quote\"": "back\\slash", "größe": "значение ✓", "$dollar": "$",
    })
}

fn arrives_as_it_was_said(site: u8, websockets: bool, at_once: bool) {
    let doors = "mqtt = \"IP:8883\"\nhttps = \"IP:443\"";
    let site = Site::new(21, site).listen(doors).tls(None).identity("sensor1");
    let site = site.and("[routes]\nall = \"FROM /messages/* INTO $upstream\"\n");
    let gateway = site.start(if websockets { 443 } else { 8883 });
    let mut arguments = site.script("sensor1");
    arguments["websockets"] = websockets.into();
    arguments["at_once"] = at_once.into();
    arguments["count"] = COUNT.into();
    arguments["properties"] = odd_properties();
    let script = Script::start("telemetry.py", &arguments);
    script.expect("connected");
    script.expect("sent");
    script.finish();

    let arrived = site.wait_for_upstream(COUNT);
    assert!(gateway.stop().success());
    assert_eq!(site.upstream().len(), COUNT, "no message arrives twice where nothing fails");
    for (number, line) in arrived.iter().enumerate() {
        let n = line["body"]["n"].as_u64().unwrap_or_else(|| panic!("no number in {line}"));
        if !at_once {
            assert_eq!(n, number as u64, "one after another means in order");
        }
        let mut expected = odd_properties();
        expected["n"] = n.to_string().into();
        assert_eq!(line["properties"], expected, "of message {n}");
        let system = &line["systemProperties"];
        assert_eq!(system["messageId"], format!("id-{n}"), "{line}");
        assert_eq!(system["cid"], format!("corr/{n}&x=1"), "{line}");
        assert_eq!(system["userId"], "user %+", "{line}");
        assert_eq!(system["contentType"], "application/json", "{line}");
        assert_eq!(system["contentEncoding"], "utf-8", "{line}");
        assert_eq!(system["connectionDeviceId"], "sensor1", "{line}");
    }
    let mut numbers: Vec<u64> = arrived.iter().filter_map(|line| line["body"]["n"].as_u64()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..COUNT as u64).collect::<Vec<_>>());
}

#[test]
fn one_after_another() {
    arrives_as_it_was_said(1, false, false);
}

#[test]
fn all_at_once() {
    arrives_as_it_was_said(2, false, true);
}

#[test]
fn one_after_another_over_websocket() {
    arrives_as_it_was_said(3, true, false);
}

#[test]
fn all_at_once_over_websocket() {
    arrives_as_it_was_said(4, true, true);
}
