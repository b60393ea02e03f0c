//! What a gateway without a configuration makes for itself: a configuration, with keys of its own.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use edge_hub::IdentityAuth;
use edge_transport::iothub::{ConnectionString, SasKey};

use crate::config::{Config, Upstream};
use crate::parts::Doors;
use crate::pki;

/// Makes `gateway.toml` in the state folder, unless it is there, and returns where it is.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn prepare(state_dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let path = state_dir.join("gateway.toml");
    if !path.exists() {
        fs::create_dir_all(state_dir).map_err(|e| format!("{} cannot be made: {e}", state_dir.display()))?;
        pki::write_private(&path, configuration()?.as_bytes())?;
    }
    Ok(path)
}

fn configuration() -> Result<String, Box<dyn Error>> {
    let (d1, d2, m1, m2, s1) = (key()?, key()?, key()?, key()?, key()?);
    let (p1, p2) = (key()?, key()?);
    Ok(format!(
        r#"# Made by the gateway at its first start; it is yours to change. `--check` finds mistakes.
hub_name  = "localhost"          # what clients sign their tokens for (HostName)
hostname  = "localhost"          # what clients connect to (GatewayHostName); in the certificate
device_id = "edge1"              # this gateway's own device id
state_dir = "."

[listen]
mqtt = "127.0.0.1:8883"          # MQTT over TLS
https = "127.0.0.1:443"          # WebSockets, and the service API
amqp = "127.0.0.1:5671"          # AMQP over TLS
metrics = "127.0.0.1:9600"       # Prometheus

[[identities]]                   # a device of yours
device_id = "device1"
auth = {{ type = "sas", primary_key = "{d1}", secondary_key = "{d2}" }}

[[identities]]                   # a module of yours
device_id = "edge1"
module_id = "filter"
auth = {{ type = "sas", primary_key = "{m1}", secondary_key = "{m2}" }}

[[identities]]                   # the simulated sensor; without it, none is started
device_id = "simulated-sensor"
auth = {{ type = "sas", primary_key = "{s1}" }}

[service]                        # who may change identities and twins, call methods, send to devices
policies = [
  {{ name = "iothubowner", primary_key = "{p1}", secondary_key = "{p2}" }},
]

[routes]
telemetry = "FROM /messages/* INTO $upstream"

# [[windows]]                    # means of 10 seconds of each device; SIGHUP begins them
# name = "means"                 # its results leave by /messages/modules/means/outputs/results
# window = {{ type = "tumbling", size = "10s" }}    # or hopping, sliding, session
# values = {{ mean = "avg($body.temperature)", p99 = "percentile($body.temperature, 99)" }}
# A route leads messages in; what modules send is left out, or the results would come round again:
# in = "FROM /messages/* WHERE NOT is_defined($connectionModuleId) INTO BrokeredEndpoint(\"/modules/means/inputs/in\")"

[store_and_forward]
time_to_live_secs = -1           # messages wait for ever
durability = "synced"
max_bytes = "1GiB"
overflow = "refuse"              # without room: refuse | drop-oldest | drop-newest | drop-lowest-priority |
                                 # keep-latest-per-key:device | keep-latest-per-key:property=NAME
# classes.0.max_class_bytes = "100MiB"    # for all queues of priority 0 together

[upstream]
type = "file"
path = "upstream.ndjson"
"#
    ))
}

/// Returns a new key, in base64.
fn key() -> Result<String, Box<dyn Error>> {
    Ok(SasKey::generate()?.to_base64())
}

/// Writes the connection strings of all identities that have keys, and of the service side, a line each.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_connection_strings(config: &Config) -> Result<PathBuf, Box<dyn Error>> {
    let path = config.state_dir.join("connection-strings.txt");
    let mut text = String::new();
    for entry in &config.identities {
        let identity = &entry.identity;
        let key = match &entry.auth {
            IdentityAuth::Sas { keys } => keys.first().cloned(),
            _ => None,
        };
        let string = ConnectionString {
            host: config.hub_name.clone(),
            identity: identity.clone(),
            key,
            gateway_host: Some(config.hostname.clone()),
        };
        text.push_str(&format!("{identity} {string}\n"));
    }
    for service in &config.policies {
        let (host, name, key) = (&config.hub_name, service.policy.name(), service.key.to_base64());
        text.push_str(&format!("service HostName={host};SharedAccessKeyName={name};SharedAccessKey={key}\n"));
    }
    pki::write_private(&path, text.as_bytes())?;
    Ok(path)
}

/// Says where everything is, and what to do next.
pub(crate) fn introduce(config: &Config, doors: &Doors, ca: Option<&Path>, strings: &Path) {
    let state = &config.state_dir;
    println!("The gateway {} runs, with what it keeps in {}.", config.device_id, state.display());
    println!("  listens at          {doors}");
    println!("  configuration       {} (SIGHUP reads it again)", state.join("gateway.toml").display());
    println!("  connection strings  {}", strings.display());
    if let Some(ca) = ca {
        println!("  clients trust       {}", ca.display());
    }
    if let Upstream::File { path, .. } = &config.upstream {
        println!("  messages go to      {}", path.display());
    }
    let standard = doors.mqtt.is_some_and(|address| address.port() == 8883);
    if let (true, Some(ca)) = (standard, ca) {
        println!("\nTo connect a device, in Python, after `pip install azure-iot-device`:\n");
        println!("    from azure.iot.device import IoTHubDeviceClient");
        println!(
            "    c = IoTHubDeviceClient.create_from_connection_string(open({:?}).readline().split(\" \", 1)[1].strip(), \
             server_verification_cert=open({:?}).read())",
            absolute(strings),
            absolute(ca)
        );
        println!("    c.send_message(\"hello\")\n");
    } else {
        println!("\nThe Azure SDKs connect to port 8883 only; free it, and start the gateway again.\n");
    }
    println!("A simulated sensor sends a temperature each second. Ctrl-C stops in order.\n");
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}
