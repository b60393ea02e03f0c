//! A model in the built gateway: answers a device, is swapped by its twin, and survives sudden ends.

mod onnx;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use edge_bench::server::shared_key;
use edge_e2e::gateway::Gateway;
use edge_e2e::load::{Load, device};
use edge_e2e::script::Script;
use edge_e2e::site::Site;
use edge_e2e::wait;
use serde_json::{Value, json};

const ROUTES: &str = r#"
[routes]
in = "FROM /messages/* WHERE NOT IS_DEFINED($connectionModuleId) INTO BrokeredEndpoint(\"/modules/scale/inputs/in\")"
on = "FROM /messages/modules/scale/outputs/results INTO BrokeredEndpoint(\"/modules/ten/inputs/in\")"
out = "FROM /messages/modules/ten/outputs/results INTO $upstream"

[[models]]
name = "scale"
version = "2"
file = "scale2.onnx"
mapping = { message = "extend", inputs = { x = { fields = ["$body.n"] } }, outputs = { y = { from = "y" } } }
policy = { probation = { samples = 1, seconds = 0 } }

[[models]]
name = "ten"
file = "ten.onnx"
mapping = { message = "extend", inputs = { x = { fields = ["$body.y"] } }, outputs = { z = { from = "y" } } }
policy = { probation = { samples = 1, seconds = 0 } }
"#;

/// Starts the gateway that was built with models: the one of this build, unless `EDGE_GATEWAY_ML` names another.
fn start(site: &Site) -> Gateway {
    let own = || {
        let me = std::env::current_exe().expect("a program knows where it is");
        me.ancestors().nth(2).expect("tests are built into a profile's folder").join("examples/gateway")
    };
    let program = std::env::var_os("EDGE_GATEWAY_ML").map_or_else(own, Into::into);
    site.write();
    let mut command = Command::new(program);
    command.arg("--config").arg(site.config());
    Gateway::run(command, site.folder(), (site.ip, 443).into())
}

/// Returns the factor of a result of the first model, which the second one has multiplied by ten.
fn factor(line: &Value) -> Option<f64> {
    let of = |key: &str| line["body"][key].as_f64();
    let (n, y, z) = (of("n")?, of("y")?, of("z")?);
    assert!((z - 10.0 * y).abs() <= 1e-3 * z.abs(), "{line}");
    (n > 0.0).then_some(y / n)
}

fn metrics(site: &Site) -> String {
    let mut stream = TcpStream::connect((site.ip, 9600)).expect("metrics are served");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("they are asked for");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("they are text");
    text
}

/// The twin of the model's module, as a service sees it.
struct Twin(Script);

impl Twin {
    fn new(site: &Site) -> Self {
        let key = shared_key();
        let owner = format!("HostName={};SharedAccessKeyName=iothubowner;SharedAccessKey={key}", site.ip);
        let script = Script::start("service.py", &json!({ "service": owner, "ca": site.pki.ca }));
        script.expect("ready");
        Self(script)
    }

    fn ask(&mut self, mut told: Value) -> Value {
        (told["device"], told["module"]) = ("edge1".into(), "scale".into());
        self.0.tell(&told.to_string());
        self.0.expect("twin")
    }

    /// Asks for a version whose file is in the site's folder.
    fn desire(&mut self, site: &Site, version: &str, bytes: &[u8]) {
        let path = site.folder().join(format!("scale{version}.onnx"));
        fs::write(&path, bytes).expect("the folder can be written to");
        let digest = onnx::sha256(bytes);
        let desired = json!({ "version": version, "file": path, "sha256": digest });
        self.ask(json!({ "do": "patch_twin", "desired": desired }));
    }

    fn until(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        wait::until(what, || {
            let reported = self.ask(json!({ "do": "get_twin" }))["reported"].clone();
            is(&reported).then_some(reported)
        })
    }
}

#[test]
fn a_model_answers_is_swapped_by_its_twin_and_survives_sudden_ends() {
    let login = device();
    let key = shared_key();
    let doors = "mqtt_plain = \"IP:1883\"\nhttps = \"IP:443\"\nmetrics = \"IP:9600\"";
    let service =
        format!("[service]\npolicies = [ {{ name = \"iothubowner\", primary_key = \"{key}\" }} ]\n");
    let site = Site::new(33, 1).listen(doors).tls(None).identity(&login.client_id).and(&service).and(ROUTES);
    for (name, factor) in [("scale2.onnx", 2.0), ("ten.onnx", 10.0)] {
        fs::write(site.folder().join(name), onnx::scaler(factor)).expect("the folder can be written to");
    }
    let mut gateway = start(&site);
    let load = Load::start(SocketAddr::from((site.ip, 1883)), login, 100);
    let arrived = site.wait_for_upstream(20);
    assert!(arrived.iter().filter_map(factor).all(|factor| factor == 2.0), "{arrived:?}");
    // Before that, processes that end soon are held against it.
    wait::until("both models to be committed", || {
        (metrics(&site).matches("status=\"current\"} 1").count() == 2).then_some(())
    });
    for _ in 0..5 {
        let connections = load.so_far().connected;
        let acked = load.so_far().acked.len();
        wait::until("messages to be acknowledged", || (load.so_far().acked.len() > acked + 50).then_some(()));
        gateway.kill();
        gateway = start(&site);
        wait::until("the device to connect again", || (load.so_far().connected > connections).then_some(()));
    }
    let mut twin = Twin::new(&site);
    twin.until("version 2 to be reported", |reported| reported["current"]["version"] == "2");

    twin.desire(&site, "3", &onnx::scaler(3.0));
    twin.until("version 3 to serve", |reported| reported["current"]["version"] == "3");
    wait::until("an answer of version 3", || (factor(site.upstream().last()?)? == 3.0).then_some(()));

    let whole = onnx::scaler(4.0);
    twin.desire(&site, "4", &whole[..whole.len() - 5]);
    let report = twin.until("version 4 to be refused", |reported| reported["rejected"][0]["version"] == "4");
    let reason = report["rejected"][0]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("the file is no ONNX model"), "{report}");
    assert_eq!(report["current"]["version"], "3", "{report}");
    let told = metrics(&site);
    for line in [
        "edge_ml_version_status{model=\"scale\",version=\"3\",status=\"current\"} 1",
        "edge_ml_version_status{model=\"scale\",version=\"4\",status=\"rejected\"} 1",
        "edge_ml_messages_total{model=\"scale\",outcome=\"rejected\"} 0",
        "edge_ml_queue_wait_seconds_count{model=\"scale\",version=\"3\"} ",
    ] {
        assert!(told.contains(line), "{line} is not in\n{told}");
    }
    assert!(gateway.stop().success());

    let gateway = start(&site);
    let before = site.upstream().len();
    let after = site.wait_for_upstream(before + 20);
    assert!(after[before..].iter().filter_map(factor).all(|factor| factor == 3.0), "{:?}", &after[before..]);
    let known = load.stop();
    let twice = known.has_arrived(|| site.numbers());
    println!("{} acknowledged, {twice} arrived more than once", known.acked.len());
    // What a sudden end repeats upstream has the id that it had before.
    let mut results = std::collections::BTreeMap::new();
    for line in site.upstream() {
        let id = line["systemProperties"]["messageId"].as_str().unwrap_or_default().to_owned();
        assert_eq!(id.len(), 32, "a result has an id: {line}");
        let same = results.entry(id).or_insert_with(|| line["body"].clone());
        assert_eq!(*same, line["body"], "an id is that of one result");
    }
    assert!(results.len() > 100, "{} results", results.len());
    assert!(gateway.stop().success());
}
