//! The SDKs from npm, on every transport that they have.

use edge_bench::server::shared_key;
use edge_e2e::gateway::Gateway;
use edge_e2e::script::Script;
use edge_e2e::site::Site;
use serde_json::{Value, json};

mod connections;
mod messages;
mod telemetry;
mod twins;

/// Every door of the gateway: the ports are fixed in the SDKs.
const DOORS: &str = "mqtt = \"IP:8883\"\nhttps = \"IP:443\"\namqp = \"IP:5671\"";

/// Returns a site at 127.0.25.`number` with all doors, a device, a module and somebody who operates it.
fn site(number: u8, doors: &str) -> Site {
    let key = shared_key();
    let service =
        format!("[service]\npolicies = [ {{ name = \"iothubowner\", primary_key = \"{key}\" }} ]\n");
    let routes = "[routes]\nup = 'FROM /messages/* WHERE NOT IS_DEFINED($connectionModuleId) INTO $upstream'\n\
                  bring = 'FROM /messages/modules/sender/outputs/hot \
                  INTO BrokeredEndpoint(\"/modules/receiver/inputs/in\")'\n";
    let site = Site::new(25, number).listen(doors).tls(None).identity("device1");
    site.identity("edge1/sender").identity("edge1/receiver").and(&service).and(routes)
}

/// Returns the connection string that every transport takes: `-http` knows no `GatewayHostName`.
fn string(site: &Site, name: &str) -> String {
    let (device, module) = name
        .split_once('/')
        .map_or((name, String::new()), |(device, module)| (device, format!("ModuleId={module};")));
    format!("HostName={};DeviceId={device};{module}SharedAccessKey={}", site.ip, shared_key())
}

fn client(site: &Site, name: &str, transport: &str) -> Script {
    let arguments = json!({
        "connection_string": string(site, name), "ca": site.pki.ca, "transport": transport,
        "module": name.contains('/'),
    });
    let script = Script::node("device.js", &arguments);
    script.expect("ready");
    script
}

fn connected(site: &Site, name: &str, transport: &str) -> Script {
    let mut script = client(site, name, transport);
    ask(&mut script, "connected", &json!({ "do": "connect" }));
    script
}

fn operator(site: &Site, websockets: bool) -> Script {
    let service =
        format!("HostName={};SharedAccessKeyName=iothubowner;SharedAccessKey={}", site.ip, shared_key());
    let arguments = json!({ "service": service, "ca": site.pki.ca, "websockets": websockets });
    let mut script = Script::node("service.js", &arguments);
    script.expect("ready");
    ask(&mut script, "connected", &json!({ "do": "connect" }));
    script
}

/// Tells a script something, and waits until it says `word`; what it hears meanwhile is passed over, a failure is not.
fn ask(script: &mut Script, word: &str, told: &Value) -> Value {
    script.tell(&told.to_string());
    loop {
        let heard = script.hear();
        assert!(heard["say"] != "failed" || word == "failed", "{told}: {heard}");
        if heard["say"] == word {
            return heard;
        }
    }
}

fn finish(mut script: Script) {
    script.tell(&json!({ "do": "stop" }).to_string());
    script.skip_to("stopped");
    script.finish();
}

fn stop(gateway: Gateway) {
    assert!(gateway.stop().success());
}
