//! Messages to devices, and what their senders hear of them.

use super::*;

fn send(operator: &mut Script, body: &str, id: &str) {
    let told = json!({
        "do": "send", "device": "device1", "body": body, "id": id, "ack": "full",
        "properties": { "line": "7/8" },
    });
    ask(operator, "sent", &told);
}

fn check(heard: &Value, body: &str, id: &str) {
    assert_eq!((&heard["body"], &heard["id"]), (&json!(body), &json!(id)), "{heard}");
    assert_eq!(heard["correlation"], "c/1", "{heard}");
    // The SDK leaves the prefix of HTTP's headers on the names.
    let properties = &heard["properties"];
    assert!([&properties["line"], &properties["iothub-app-line"]].contains(&&json!("7/8")), "{heard}");
}

/// Checks what the sender hears of its messages.
fn hears(operator: &mut Script, fates: &[(&str, &str)]) {
    let heard = ask(operator, "records", &json!({ "do": "records", "count": fates.len() }));
    let records = heard["records"].as_array().into_iter().flatten();
    let heard: Vec<_> = records.map(|record| (&record["originalMessageId"], &record["statusCode"])).collect();
    let expected: Vec<_> = fates.iter().map(|(id, fate)| (json!(id), json!(fate))).collect();
    assert_eq!(heard, expected.iter().map(|(id, fate)| (id, fate)).collect::<Vec<_>>());
}

/// Messages wait for the device, and are completed, given back and refused.
fn is_settled(number: u8, transport: &str, websockets: bool) {
    let site = site(number, DOORS);
    let gateway = site.start(443);
    let mut operator = operator(&site, websockets);
    ask(&mut operator, "listening", &json!({ "do": "feedback" }));
    send(&mut operator, "hello", "m1");
    let mut device = connected(&site, "device1", transport);
    device.tell(&json!({ "do": "listen" }).to_string());
    check(&device.skip_to("message"), "hello", "m1");
    assert_eq!(device.skip_to("settled")["how"], "complete");
    // One after the other: the SDK's AMQP puts settlements of one moment into one frame, whatever they are.
    send(&mut operator, "abandon", "m2");
    for how in ["abandon", "complete"] {
        check(&device.skip_to("message"), "abandon", "m2");
        assert_eq!(device.skip_to("settled")["how"], how);
    }
    send(&mut operator, "reject", "m3");
    check(&device.skip_to("message"), "reject", "m3");
    assert_eq!(device.skip_to("settled")["how"], "reject");
    hears(&mut operator, &[("m1", "Success"), ("m2", "Success"), ("m3", "Rejected")]);
    finish(device);
    finish(operator);
    stop(gateway);
}

#[test]
fn over_amqp() {
    is_settled(31, "amqp", false);
}

#[test]
fn over_amqp_in_websockets() {
    is_settled(32, "amqp-ws", true);
}

#[test]
fn over_http() {
    is_settled(33, "http", false);
}

#[test]
fn over_mqtt_they_can_only_be_completed() {
    let site = site(34, DOORS);
    let gateway = site.start(443);
    let mut operator = operator(&site, false);
    ask(&mut operator, "listening", &json!({ "do": "feedback" }));
    // The subscription is kept: over the second connection a message would come before the SDK has a listener for it.
    send(&mut operator, "hello", "m1");
    for (transport, id) in [("mqtt", "m1"), ("mqtt-ws", "m2")] {
        let mut device = connected(&site, "device1", transport);
        ask(&mut device, "listening", &json!({ "do": "listen" }));
        if transport == "mqtt-ws" {
            send(&mut operator, "hello", id);
        }
        check(&device.skip_to("message"), "hello", id);
        hears(&mut operator, &[(id, "Success")]);
        finish(device);
    }
    finish(operator);
    stop(gateway);
}

/// The sender is the SDK from PyPI, which speaks AMQP by a library of its own.
#[test]
fn the_service_sdk_for_python_sends_them() {
    let site = site(35, DOORS);
    let gateway = site.start(443);
    let mut operator = operator(&site, false);
    ask(&mut operator, "listening", &json!({ "do": "feedback" }));
    let owner =
        format!("HostName={};SharedAccessKeyName=iothubowner;SharedAccessKey={}", site.ip, shared_key());
    let mut sender = Script::start("service.py", &json!({ "service": owner, "ca": site.pki.ca }));
    sender.expect("ready");
    let properties =
        json!({ "messageId": "m1", "correlationId": "c/1", "iothub-ack": "full", "line": "7/8" });
    let told = json!({ "do": "send_c2d", "device": "device1", "body": "hello", "properties": properties });
    ask(&mut sender, "sent", &told);
    let mut device = connected(&site, "device1", "amqp");
    device.tell(&json!({ "do": "listen" }).to_string());
    check(&device.skip_to("message"), "hello", "m1");
    hears(&mut operator, &[("m1", "Success")]);
    let mut told = told;
    told["device"] = "nobody".into();
    assert_eq!(ask(&mut sender, "failed", &told)["do"], "send_c2d", "{told}");
    for script in [device, operator, sender] {
        finish(script);
    }
    stop(gateway);
}
