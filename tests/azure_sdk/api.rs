//! The device API beside messages, driven from both sides by unmodified SDKs.

use edge_bench::server::shared_key;
use edge_e2e::gateway::Gateway;
use edge_e2e::script::Script;
use edge_e2e::site::Site;
use serde_json::{Value, json};

mod messages;
mod methods;
mod twins;

/// A gateway with one client, and who operates it.
struct Bench {
    site: Site,
    gateway: Gateway,
    name: &'static str,
    service: Script,
    client: Script,
}

impl Bench {
    /// Starts all three, and connects the client `name`; `number` is the last one of the test's own address.
    fn start(number: u8, name: &'static str, websockets: bool) -> Self {
        let key = shared_key();
        let service =
            format!("[service]\npolicies = [ {{ name = \"iothubowner\", primary_key = \"{key}\" }} ]\n");
        let doors = "mqtt = \"IP:8883\"\nhttps = \"IP:443\"";
        let site = Site::new(24, number).listen(doors).tls(None).identity(name).and(&service);
        let gateway = site.start(443);
        let service = Script::start("service.py", &json!({ "service": owner(&site), "ca": site.pki.ca }));
        service.expect("ready");
        let client = client(&site, name, websockets);
        let mut bench = Self { site, gateway, name, service, client };
        bench.client("connected", &json!({ "do": "connect" }));
        bench
    }

    /// Tells the client something, and waits until it says `word`; what it hears meanwhile is passed over.
    fn client(&mut self, word: &str, told: &Value) -> Value {
        self.client.tell(&told.to_string());
        self.client.skip_to(word)
    }

    fn listen(&mut self, to: &[&str]) {
        self.client("listening", &json!({ "do": "listen", "to": to }));
    }

    /// Tells the service something about the client, and returns what came of it.
    fn service(&mut self, word: &str, mut told: Value) -> Value {
        let (device, module) =
            self.name.split_once('/').map_or((self.name, None), |(device, module)| (device, Some(module)));
        told["device"] = device.into();
        if let Some(module) = module {
            told["module"] = module.into();
        }
        self.service.tell(&told.to_string());
        self.service.expect(word)
    }

    /// Takes the client away.
    fn leave(&mut self) {
        self.client("disconnected", &json!({ "do": "disconnect" }));
    }

    fn come_back(&mut self) {
        self.client.tell(&json!({ "do": "connect" }).to_string());
    }

    /// Ends the gateway as a lost process would, or in order, and starts it again; clients reconnect by themselves.
    fn restart(mut self, in_order: bool) -> Self {
        if in_order {
            assert!(self.gateway.stop().success());
        } else {
            self.gateway.kill();
        }
        self.gateway = self.site.start(443);
        self
    }

    /// Ends everything in order.
    fn finish(mut self) {
        let stop = json!({ "do": "stop" }).to_string();
        self.client.tell(&stop);
        self.client.skip_to("stopped");
        self.client.finish();
        self.service.tell(&stop);
        self.service.finish();
        assert!(self.gateway.stop().success());
    }
}

fn owner(site: &Site) -> String {
    format!("HostName={};SharedAccessKeyName=iothubowner;SharedAccessKey={}", site.ip, shared_key())
}

fn client(site: &Site, name: &str, websockets: bool) -> Script {
    let mut arguments = site.script(name);
    arguments["websockets"] = websockets.into();
    arguments["module"] = name.contains('/').into();
    arguments["options"] = json!({ "connection_retry_interval": 1 });
    let script = Script::start("device_api.py", &arguments);
    script.expect("ready");
    script
}
