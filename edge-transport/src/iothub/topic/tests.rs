//! Whose a topic is, and what it says.

use edge_core::{Source, SystemKey};
use proptest::prelude::*;

use super::*;

fn check_bag(who: &str, topic: &str, bag: &str) {
    assert_eq!(inbound(&who.parse().unwrap(), topic), Some(Inbound::Telemetry { bag }), "{topic}");
}

fn check_foreign(who: &str, topic: &str) {
    assert_eq!(inbound(&who.parse().unwrap(), topic), None, "{topic}");
}

#[test]
fn telemetry_topics() {
    check_bag("d", "devices/d/messages/events", "");
    check_bag("d", "devices/d/messages/events/", "");
    check_bag("d", "devices/d/messages/events/a=1", "a=1");
    check_bag("d", "devices/d/messages/events/a=1/", "a=1");
    check_bag("d", "devices/d/messages/events?a=1", "a=1");
    check_bag("d", "devices/d/messages/events/?a=1", "a=1");
    check_bag("d?x", "devices/d?x/messages/events/a=1", "a=1");
    check_bag("d/m", "devices/d/modules/m/messages/events/%24.on=o", "%24.on=o");
}

#[test]
fn foreign_topics() {
    check_foreign("d", "devices/e/messages/events/");
    check_foreign("d", "devices/dd/messages/events/");
    check_foreign("d", "devices/D/messages/events/");
    check_foreign("d", "devices/d/modules/m/messages/events/");
    check_foreign("d/m", "devices/d/messages/events/");
    check_foreign("d/m", "devices/d/modules/n/messages/events/");
    check_foreign("d", "devices/d/messages/eventsX");
    check_foreign("d", "devices/d/messages/devicebound/");
    check_foreign("d", "weather");
    check_foreign("d", "$iothub/other/");
    check_foreign("d", "$SYS/x");
}

fn check_twin(topic: &str, operation: Option<TwinOperation>, rid: Option<&str>) {
    assert_eq!(inbound(&"d".parse().unwrap(), topic), Some(Inbound::Twin { operation, rid }), "{topic}");
}

#[test]
fn twin_requests() {
    use TwinOperation::{Read, Report};
    check_twin("$iothub/twin/GET/?$rid=a-b", Some(Read), Some("a-b"));
    check_twin("$iothub/twin/GET?$rid=1", Some(Read), Some("1"));
    check_twin("$iothub/twin/GET/?$rid=a/?b%20=c", Some(Read), Some("a/?b%20=c"));
    check_twin("$iothub/twin/PATCH/properties/reported/?$rid=7", Some(Report), Some("7"));
    check_twin("$iothub/twin/PATCH/properties/reported/?$version=1&$rid=7", Some(Report), Some("7"));
    check_twin("$iothub/twin/GET/?$rid=", Some(Read), None);
    check_twin("$iothub/twin/GET/?$RID=1", Some(Read), None);
    check_twin("$iothub/twin/GET/", Some(Read), None);
    check_twin("$iothub/twin/get/?$rid=1", None, Some("1"));
    check_twin("$iothub/twin/PUT/properties/reported/?$rid=1", None, Some("1"));
    check_twin("$iothub/twin/PATCH/properties/desired/?$rid=1", None, Some("1"));
    check_twin("$iothub/twin/PATCH/properties/reported/line/?$rid=1", None, Some("1"));
    check_twin("$iothub/twin/res/200/?$rid=1", None, Some("1"));
    check_twin("$iothub/twin/", None, None);
}

fn check_response(topic: &str, id: Option<u64>, status: Option<i32>) {
    assert_eq!(
        inbound(&"d".parse().unwrap(), topic),
        Some(Inbound::MethodResponse { id, status }),
        "{topic}"
    );
}

#[test]
fn method_responses() {
    check_response("$iothub/methods/res/200/?$rid=1", Some(1), Some(200));
    check_response("$iothub/methods/res/-7/?$rid=18446744073709551615", Some(u64::MAX), Some(-7));
    check_response("$iothub/methods/res/200/?$rid=18446744073709551616", None, Some(200));
    check_response("$iothub/methods/res/99999999999/?$rid=1", Some(1), None);
    check_response("$iothub/methods/res/ok/?$rid=1", Some(1), None);
    check_response("$iothub/methods/res/200/?$rid=a", None, Some(200));
    check_response("$iothub/methods/res/200/?$rid=-1", None, Some(200));
    check_response("$iothub/methods/res/200/", None, Some(200));
    check_response("$iothub/methods/res/?$rid=1", Some(1), None);
    check_foreign("d", "$iothub/methods/POST/reboot/?$rid=1");
    check_foreign("d", "$iothub/methods/res");
}

#[test]
fn requests_to_clients() {
    let check = |name: &str, expected: &str| {
        let mut topic = String::new();
        write_method(&MethodCall::new(3, name.to_owned(), "null".into()), &mut topic);
        assert_eq!(topic, expected);
    };
    check("reboot", "$iothub/methods/POST/reboot/?$rid=3");
    check("größe 1%", "$iothub/methods/POST/größe 1%/?$rid=3");
    check("a/b?c#d+e\u{0}", "$iothub/methods/POST/a%2Fb%3Fc%23d%2Be%00/?$rid=3");
    let mut topic = String::new();
    write_desired(12, &mut topic);
    assert_eq!(topic, "$iothub/twin/PATCH/properties/desired/?$version=12");
}

fn check_wanted(who: &str, filter: &str, expected: Wanted) {
    assert_eq!(wanted(&who.parse().unwrap(), filter), expected, "{filter}");
}

#[test]
fn filters() {
    check_wanted("d", "devices/d/messages/devicebound/#", Wanted::Feed(Feed::CloudToDevice));
    check_wanted("d/m", "devices/d/modules/m/messages/devicebound/#", Wanted::Feed(Feed::CloudToDevice));
    check_wanted("d/m", "devices/d/modules/m/inputs/#", Wanted::Feed(Feed::Inputs));
    check_wanted("d/m", "devices/d/modules/m/inputs/a/#", Wanted::Feed(Feed::Inputs));
    check_wanted("d/m", "devices/d/modules/m/#", Wanted::Feed(Feed::Inputs));
    check_wanted("d", "$iothub/methods/POST/#", Wanted::Feed(Feed::Methods));
    check_wanted("d/m", "devices/d/messages/devicebound/#", Wanted::Foreign);
    check_wanted("d", "devices/d/modules/m/inputs/#", Wanted::Foreign);
    check_wanted("d", "devices/e/messages/devicebound/#", Wanted::Foreign);
    check_wanted("d", "devices/d/inputs/#", Wanted::Nothing);
    check_wanted("d", "#", Wanted::Nothing);
    check_wanted("d", "devices/+/messages/devicebound/#", Wanted::Foreign);
}

#[test]
fn outbound_topics_keep_their_slash() {
    let message = Message::builder(&Source::telemetry()).build();
    let check = |who: &str, channel: Channel, expected: &str| {
        let mut topic = String::new();
        write_outbound(&who.parse().unwrap(), &channel, &message, &mut topic);
        assert_eq!(topic, expected);
    };
    check("d/m", Channel::Input("in".parse().unwrap()), "devices/d/modules/m/inputs/in/");
    check("d", Channel::CloudToDevice, "devices/d/messages/devicebound/");
}

#[test]
fn a_cloud_to_device_message_has_all_its_properties() {
    let message = Message::builder(&Source::telemetry())
        .system(SystemKey::MessageId, "m-1")
        .system(SystemKey::CorrelationId, "c/1")
        .system(SystemKey::UserId, "me")
        .system(SystemKey::ContentType, "text/plain")
        .system(SystemKey::ContentEncoding, "utf-8")
        .system(SystemKey::To, "/devices/d/messages/devicebound")
        .system(SystemKey::ExpiryTime, "2026-11-21T13:00:00.0000000Z")
        .system(SystemKey::Ack, "full")
        // What only the gateway needs stays with it.
        .system(SystemKey::LockToken, "t")
        .system(SystemKey::DeliveryCount, "1")
        .system(SystemKey::SequenceNumber, "9")
        .system(SystemKey::EnqueuedTime, "2026-11-21T12:00:00Z")
        .property("line 7", "a/b&c=+")
        .null_property("spare")
        .build();
    let mut topic = String::new();
    write_outbound(&"d".parse().unwrap(), &Channel::CloudToDevice, &message, &mut topic);
    let bag = topic.strip_prefix("devices/d/messages/devicebound/").unwrap();
    let mut pairs: Vec<&str> = bag.split('&').collect();
    pairs.sort_unstable();
    assert_eq!(
        pairs,
        [
            "%24.ce=utf-8",
            "%24.cid=c%2F1",
            "%24.ct=text%2Fplain",
            "%24.exp=2026-11-21T13%3A00%3A00.0000000Z",
            "%24.mid=m-1",
            "%24.to=%2Fdevices%2Fd%2Fmessages%2Fdevicebound",
            "%24.uid=me",
            "iothub-ack=full",
            "line%207=a%2Fb%26c%3D%2B",
            "spare",
        ]
    );
}

proptest! {
    #[test]
    fn any_topic_is_read_without_a_panic(topic in "(devices/d/|\\$iothub/|)\\PC{0,40}") {
        let who = "d".parse().unwrap();
        let _either_way = (inbound(&who, &topic), wanted(&who, &topic));
    }
}
