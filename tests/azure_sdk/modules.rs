//! A route brings one module's output to another's input.

use edge_e2e::script::Script;
use edge_e2e::site::Site;
use serde_json::json;

#[test]
fn an_output_arrives_at_an_input() {
    let route = "[routes]\nbring = 'FROM /messages/modules/sender/outputs/readings \
                 INTO BrokeredEndpoint(\"/modules/receiver/inputs/in\")'\n";
    let site = Site::new(22, 1).listen("mqtt = \"IP:8883\"").tls(None);
    let site = site.identity("edge1/sender").identity("edge1/receiver").and(route);
    let gateway = site.start(8883);
    let arguments = json!({
        "sender": site.connection_string("edge1/sender"),
        "receiver": site.connection_string("edge1/receiver"),
        "ca": site.pki.ca,
        "count": 50,
    });
    let script = Script::start("modules.py", &arguments);
    script.expect("connected");
    let received = script.expect("received");
    script.finish();
    assert_eq!(received["complete"], true, "{received}");
    for (number, message) in received["messages"].as_array().into_iter().flatten().enumerate() {
        assert_eq!(message["input"], "in");
        assert_eq!(message["body"], format!("reading {number}"));
        assert_eq!(message["properties"]["n"], number.to_string());
    }
    assert!(gateway.stop().success());
    assert_eq!(site.upstream().len(), 0, "no route leads upstream");
}
