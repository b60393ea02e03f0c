//! Twins, direct methods, and a module's outputs and inputs.

use super::*;

fn goes_both_ways(number: u8, transport: &str) {
    let site = site(number, DOORS);
    let gateway = site.start(443);
    let mut operator = operator(&site, false);
    let mut device = connected(&site, "device1", transport);
    let twin = ask(&mut device, "twin", &json!({ "do": "twin" }));
    assert_eq!(twin["desired"]["$version"], 1, "{twin}");
    ask(&mut device, "reported", &json!({ "do": "report", "patch": { "a": { "b": 1 } } }));
    operator.tell(&json!({ "do": "desire", "device": "device1", "patch": { "x": 7 } }).to_string());
    loop {
        // The first is what the twin was when it was read.
        let heard = device.skip_to("desired");
        if heard["patch"]["$version"] == 2 {
            assert_eq!(heard["patch"]["x"], 7, "{heard}");
            break;
        }
    }
    operator.skip_to("desired");
    ask(&mut device, "listening", &json!({ "do": "method", "name": "reboot", "status": 201 }));
    let call = json!({ "do": "method", "device": "device1", "name": "reboot", "payload": { "delay": 5 } });
    // The SDK says nothing of when it is subscribed.
    let answer = edge_e2e::wait::until("the method to be there", || {
        operator.tell(&call.to_string());
        let heard = operator.hear();
        (heard["say"] == "result").then_some(heard)
    });
    assert_eq!(answer["status"], 201);
    assert_eq!(answer["payload"], json!({ "heard": { "delay": 5 } }));
    device.skip_to("answered");
    let twin = ask(&mut device, "twin", &json!({ "do": "twin" }));
    assert_eq!((&twin["reported"]["a"]["b"], &twin["desired"]["x"]), (&json!(1), &json!(7)), "{twin}");
    finish(device);
    finish(operator);
    stop(gateway);
}

#[test]
fn over_mqtt() {
    goes_both_ways(21, "mqtt");
}

#[test]
fn over_mqtt_in_websockets() {
    goes_both_ways(22, "mqtt-ws");
}

#[test]
fn over_amqp() {
    goes_both_ways(23, "amqp");
}

#[test]
fn over_amqp_in_websockets() {
    goes_both_ways(24, "amqp-ws");
}

#[test]
fn outputs_arrive_at_inputs_over_other_protocols() {
    let site = site(25, DOORS);
    let gateway = site.start(443);
    for (from, to) in [("amqp", "mqtt"), ("mqtt", "amqp"), ("amqp-ws", "amqp"), ("mqtt-ws", "amqp-ws")] {
        let mut receiver = connected(&site, "edge1/receiver", to);
        ask(&mut receiver, "listening", &json!({ "do": "listen_for_inputs" }));
        let mut sender = connected(&site, "edge1/sender", from);
        let body = format!("{from} to {to}");
        ask(&mut sender, "sent", &json!({ "do": "send", "output": "hot", "body": body }));
        let heard = receiver.skip_to("input");
        assert_eq!((&heard["input"], &heard["body"]), (&json!("in"), &json!(body)));
        finish(sender);
        finish(receiver);
    }
    assert_eq!(site.upstream().len(), 0, "no route leads upstream");
    stop(gateway);
}
