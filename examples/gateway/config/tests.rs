//! The configuration of the documentation is understood, and mistakes are told well.

use std::num::NonZeroU64;
use std::path::Path;

use edge_core::{EndpointId, Overflow, OverflowKey, Priority};
use edge_hub::{InFlight, Order};

use edge_transport::upstream::{HttpFormat, HttpUpstreamOptions};

use super::*;

const DOCUMENTED: &str = r#"
hub_name  = "hub.local"
hostname  = "localhost"
device_id = "edge1"
state_dir = "./edge-data"
[listen]
mqtt = "127.0.0.1:8883"
https = "127.0.0.1:443"
mqtt_plain = "127.0.0.1:1883"
metrics = "127.0.0.1:9600"
[tls]
certificate = "server.pem"
private_key = "server.key"
client_ca = "devices-ca.pem"
[[identities]]
device_id = "sensor1"
auth = { type = "sas", primary_key = "c2VjcmV0", secondary_key = "c2VjcmV0Mg==" }
[[identities]]
device_id = "edge1"
module_id = "filter"
auth = { type = "sas", primary_key = "c2VjcmV0", secondary_key = "c2VjcmV0Mg==" }
[[identities]]
device_id = "cam"
auth = { type = "x509_ca" }
enabled = false
[routes]
telemetry = "FROM /messages/* INTO $upstream"
hot = { route = "FROM /messages/* WHERE $body.temperature > 90 INTO BrokeredEndpoint(\"/modules/filter/inputs/hot\")", priority = 0, time_to_live_secs = 3600 }
[store_and_forward]
time_to_live_secs = 7200
durability = "synced"
max_bytes = "1GiB"
[upstream]
type = "mqtt"
url = "mqtt://127.0.0.1:1884"
topic = "edge/{device_id}/events"
client_id = "edge1"
"#;

fn parse(text: &str) -> Result<Config, Mistakes> {
    Config::parse("gateway.toml", text.to_owned(), Path::new("/base"))
}

/// Checks that a text has just this mistake, at this line and column.
fn check(text: &str, expected: &str) {
    let shown = parse(text).unwrap_err().to_string();
    let first = shown.lines().next().unwrap_or_default();
    assert_eq!(first, expected, "{shown}");
}

#[test]
fn the_documented_configuration_is_understood() {
    let config = parse(DOCUMENTED).unwrap();
    assert_eq!(config.hub_name, "hub.local");
    assert_eq!(config.state_dir, Path::new("/base/edge-data"));
    assert_eq!(config.identities.len(), 3);
    assert!(!config.identities[2].enabled);
    assert_eq!(config.routes[1].priority, Some(0));
    assert_eq!(config.time_to_live, Some(Duration::from_secs(7200)));
    assert_eq!(config.max_bytes, Some(1 << 30));
    assert_eq!(config.tls.client_ca, Some("/base/devices-ca.pem".into()));
    assert!(
        matches!(config.upstream, Upstream::Mqtt(options) if format!("{options:?}").contains("127.0.0.1"))
    );
}

#[test]
fn routes_classes_and_delivery_are_chosen() {
    let config = parse(
        r#"
device_id = "e"
[routes]
raw = { route = "FROM /messages/* INTO $upstream", durability = "written" }
[store_and_forward]
durability = "synced"
gather_ms = 5
gather_bytes = "64KiB"
gather_messages = 300
compress = true
[store_and_forward.classes.0]
durability = "memory"
[upstream]
type = "file"
[upstream.delivery]
order = "newest-first:1000"
in_flight = 100
in_flight_bytes = "256KiB"
bytes_per_second = "20kB"
bytes_per_day = "50MB"
free_up_to = 1
"#,
    )
    .unwrap();
    let upstream = EndpointId::upstream();
    let raw = config.route_policies.of("raw", &upstream, Priority::new(3).unwrap());
    assert_eq!(raw.durability, Some(Durability::Written));
    let other = |level| config.route_policies.of("other", &upstream, level).durability;
    assert_eq!(
        (other(Priority::new(0).unwrap()), other(Priority::DEFAULT)),
        (Some(Durability::Memory), None)
    );
    let gather = Gather::new(Duration::from_millis(5)).with_bytes(64 << 10);
    assert!(config.compress);
    assert_eq!(config.gather, Some(gather.with_messages(NonZeroUsize::new(300))));
    let delivery = config.delivery;
    assert_eq!(delivery.order, Order::NewestFirst { above: 1000 });
    assert_eq!(delivery.in_flight, InFlight::messages(100).bytes(256 << 10));
    assert_eq!(delivery.budget.bytes_per_day.map(NonZeroU64::get), Some(50_000_000));
    assert_eq!(delivery.budget.free_up_to, Priority::new(1));
}

#[test]
fn what_happens_without_room_is_chosen() {
    let config = parse(
        r#"
device_id = "e"
[routes]
raw = { route = "FROM /messages/* INTO $upstream", overflow = "drop-newest" }
[store_and_forward]
overflow = "drop-oldest"
[store_and_forward.classes.0]
overflow = "drop-lowest-priority"
max_class_bytes = "1MiB"
[store_and_forward.endpoints."/upstreams/far"]
max_queue_bytes = "5MB"
[store_and_forward.endpoints."$upstream"]
max_queue_bytes = "500MB"
[store_and_forward.endpoints."filter/hot"]
overflow = "keep-latest-per-key:property=sensor"
max_queue_bytes = "64KiB"
"#,
    )
    .unwrap();
    let check = |route, endpoint: &str, level, overflow, bytes| {
        let level = Priority::new(level).unwrap_or_default();
        let found = config.route_policies.of(route, &endpoint.parse().unwrap(), level);
        assert_eq!((found.overflow, found.max_queue_bytes), (Some(overflow), bytes), "{route} {endpoint}");
    };
    check("other", "e/m/in", 10, Overflow::DropOldest, None);
    check("other", "$upstream", 0, Overflow::DropLowestPriority, Some(500_000_000));
    check("other", "/upstreams/far", 0, Overflow::DropLowestPriority, Some(5_000_000));
    let of_class = |level| config.route_policies.class_bytes(Priority::new(level).unwrap());
    assert_eq!((of_class(0), of_class(1)), (Some(1 << 20), None));
    check("raw", "$upstream", 0, Overflow::DropNewest, Some(500_000_000));
    let latest = Overflow::KeepLatestPerKey(OverflowKey::Property("sensor".into()));
    check("other", "e/filter/hot", 0, latest, Some(65_536));
}

#[test]
fn mistakes_in_what_happens_without_room_are_told_where_they_stand() {
    check(
        "device_id = \"e\"\n[store_and_forward]\noverflow = \"drop\"",
        "gateway.toml:3:12: overflow: \"drop\" is not what to do at overflow: write refuse, drop-oldest, \
         drop-newest, drop-lowest-priority, keep-latest-per-key:device or keep-latest-per-key:property=NAME",
    );
    check(
        "device_id = \"e\"\n[store_and_forward]\nmax_queue_bytes = \"20\"",
        "gateway.toml:3:19: max_queue_bytes: write at least \"4KiB\": less has no room for messages",
    );
    check(
        "device_id = \"e\"\n[store_and_forward]\nmax_bytes = \"1MB\"\n[store_and_forward.classes.2]\nmax_class_bytes = \"1MiB\"",
        "gateway.toml:4:1: max_class_bytes: 1048576 is more than the whole store may hold, max_bytes = 1000000",
    );
    check(
        "device_id = \"e\"\n[store_and_forward.endpoints.upstream]\noverflow = \"refuse\"",
        "gateway.toml:2:30: endpoints: \"upstream\" is not an endpoint: write $upstream, /upstreams/NAME or \
         MODULE/INPUT",
    );
    check(
        "device_id = \"e\"\n[store_and_forward.classes.0]\noverflw = \"refuse\"",
        "gateway.toml:3:1: unknown key `overflw`; did you mean `overflow`?",
    );
}

#[test]
fn mistakes_in_delivery_are_told_where_they_stand() {
    check(
        "device_id = \"e\"\n[store_and_forward.classes.11]\ndurability = \"synced\"",
        "gateway.toml:2:28: classes: \"11\" is not a priority: write 0 to 9, or `default`",
    );
    check(
        "device_id = \"e\"\n[upstream]\ntype = \"file\"\n[upstream.delivery]\norder = \"newest\"",
        "gateway.toml:5:9: order: \"newest\" is not an order: write strict, per-key:device, \
         per-key:property=NAME or newest-first:COUNT",
    );
    check(
        "device_id = \"e\"\n[upstream]\ntype = \"file\"\n[upstream.delivery]\nbytes_per_dya = \"1MB\"",
        "gateway.toml:5:1: unknown key `bytes_per_dya`; did you mean `bytes_per_day`?",
    );
}

#[test]
fn minus_one_is_for_ever() {
    let config = parse("device_id = \"e\"\n[store_and_forward]\ntime_to_live_secs = -1").unwrap();
    assert_eq!(config.time_to_live, None);
    assert_eq!(config.durability, Durability::Synced);
    assert!(matches!(config.upstream, Upstream::File { .. }));
}

#[test]
fn each_mistake_says_where_and_what_instead() {
    check("hub_name = \"h\"", "gateway.toml:1:1: the configuration needs `device_id = \"…\"`");
    check(
        "device_id = \"e\"\n[listen]\nmqqt = \"127.0.0.1:8883\"",
        "gateway.toml:3:1: unknown key `mqqt`; did you mean `mqtt`?",
    );
    check(
        "device_id = \"e\"\n[store_and_forward]\ndurability = \"sync\"",
        "gateway.toml:3:14: durability: \"sync\" is not a durability: write synced, written or memory",
    );
    check(
        "device_id = \"a b\"",
        "gateway.toml:1:13: device_id: device id holds ' ' at byte 1, which is not allowed there",
    );
    check(
        "device_id = \"e\"\n[upstream]\ntype = \"mqt\"",
        "gateway.toml:3:8: unknown upstream type `mqt`; did you mean `mqtt`?",
    );
    check(
        "device_id = \"e\"\n[routes]\na = { route = \"FROM /* INTO $upstream\", priority = 10 }",
        "gateway.toml:3:52: priority must be a whole number from 0 to 9",
    );
    check(
        "device_id = \"e\"\n[store_and_forward]\ngather_messages = 0\ngather_ms = 5",
        "gateway.toml:3:19: gather_messages must be a whole number from 1 to 1000000",
    );
    check(
        "device_id = \"e\"\n[store_and_forward]\ngather_bytes = \"1MiB\"",
        "gateway.toml:2:1: gather_bytes and gather_messages need `gather_ms = MILLISECONDS` beside them",
    );
    check(
        "device_id = \"e\"\n[listen]\nmqtt = 8883",
        "gateway.toml:3:8: mqtt must be a text in quotes, and is of type integer",
    );
}

#[test]
fn mistakes_in_routes_are_told_where_they_stand() {
    check(
        "device_id = \"e\"\n[routes]\nup = \"FROM /messages/* INTO $downstream\"",
        "gateway.toml:3:29: route up: System endpoint type 'downstream' not supported. [R012]; the only system endpoint is $upstream",
    );
    let text = "device_id = \"e\"\n[routes]\nup = 'FROM /messages/* INTO $upstream trailing'";
    let config = parse(text).unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].starts_with("gateway.toml:3:39: route up: "), "{}", config.warnings[0]);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text =
        "hostnme = \"x\"\ndevice_id = 7\n[[identities]]\ndevice_id = \"d\"\nauth = { type = \"sass\" }\n";
    let shown = parse(text).unwrap_err().to_string();
    for part in ["`hostnme`", "device_id must be a text", "`sass`", "3 mistakes in gateway.toml"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn broken_toml_is_told_with_its_place() {
    let shown = parse("device_id = \"e\"\n[listen\n").unwrap_err().to_string();
    assert!(shown.starts_with("gateway.toml:2:"), "{shown}");
}

#[test]
fn sizes_have_units() {
    let size = |text: &str| text.parse::<Bytes>().ok().map(|bytes| bytes.0);
    assert_eq!(size("1GiB"), Some(1 << 30));
    assert_eq!(size("500 MB"), Some(500_000_000));
    assert_eq!(size("17"), Some(17));
    assert_eq!(size("1 gigabyte"), None);
    assert_eq!(size("99999999999999999999"), None);
}

const UPSTREAMS: &str = r#"
device_id = "edge1"
[routes]
up = "FROM /messages/* INTO $upstream"
archive = 'FROM /messages/* INTO BrokeredEndpoint("/upstreams/archive")'
[upstream]
type = "amqp"
url = "amqps://broker.example"
address = "/queue/events"
username = "edge1"
password_file = "secret.txt"
ca = "ca.pem"
[[upstreams]]
name = "archive"
type = "http"
url = "https://ingest.example/events"
format = "cloudevents"
bearer_file = "secret.txt"
headers = { X-Site = "7" }
delivery = { order = "newest-first:10" }
[[upstreams]]
name = "local"
type = "file"
path = "local.ndjson"
"#;

#[test]
fn upstreams_have_names_and_secrets_are_in_files() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("secret.txt"), "s3cret\n").unwrap();
    let config = Config::parse("gateway.toml", UPSTREAMS.into(), dir.path()).unwrap();
    let Upstream::Amqp(amqp) = &config.upstream else { panic!("{:?}", config.upstream) };
    assert!(format!("{amqp:?}").contains("amqps://broker.example:5671"), "{amqp:?}");
    let names: Vec<_> = config.upstreams.iter().map(|named| named.name.as_str()).collect();
    assert_eq!(names, ["archive", "local"]);
    let http = HttpUpstreamOptions::new("https://ingest.example/events".parse().unwrap())
        .gateway("edge1")
        .format(HttpFormat::CloudEvents)
        .bearer("s3cret")
        .header("X-Site", "7");
    assert_eq!(config.upstreams[0].upstream, Upstream::Http(Box::new(http)));
    assert_eq!(config.upstreams[0].delivery.order, Order::NewestFirst { above: 10 });
}

#[test]
fn mistakes_in_upstreams_are_told() {
    let check = |text: &str, expected: &str| {
        let text = format!("device_id = \"e\"\n{text}");
        let found = Config::parse("gateway.toml", text, Path::new("/nowhere")).unwrap_err().to_string();
        assert!(found.contains(expected), "{found}");
    };
    let file = "[[upstreams]]\nname = \"archive\"\ntype = \"file\"\npath = \"a\"\n";
    check(
        &format!("{file}[routes]\nr = 'FROM /messages INTO BrokeredEndpoint(\"/upstreams/archiv\")'"),
        "there is no upstream 'archiv' [R026]; did you mean BrokeredEndpoint(\"/upstreams/archive\")?",
    );
    check(
        "[routes]\nr = 'FROM /messages INTO BrokeredEndpoint(\"/upstreams/x\")'",
        "no upstream has a name, there is $upstream alone",
    );
    check(&format!("{file}{file}"), "there are two upstreams with the name `archive`");
    check(&format!("{file}{}", file.replace("archive", "other")), "writes to the file of another one");
    check("[[upstreams]]\nname = \"a/b\"\ntype = \"file\"", "name: upstream name holds '/'");
    check("[upstream]\ntype = \"amqp\"\nurl = \"amqp://h\"", "[upstream] needs `address");
    check("[upstream]\ntype = \"http\"\nurl = \"mqtt://h\"", "write https://host:port/path");
    check(
        "[upstream]\ntype = \"http\"\nurl = \"http://h\"\nbearer_file = \"none\"",
        "/nowhere/none cannot be read",
    );
    check(
        "[upstream]\ntype = \"http\"\nurl = \"http://h\"\nbearer = \"x\"\nbearer_file = \"none\"",
        "state one of bearer and bearer_file",
    );
}
