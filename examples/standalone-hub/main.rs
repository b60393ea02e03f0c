//! The gateway as a hub on a bench: no cloud, no configuration; devices are registered, and everything about them is
//! done, with the unmodified Azure IoT service SDKs.
//!
//! ```text
//! cargo run --release --example standalone-hub
//! ```
//!
//! It keeps identities, twins, messages and its certificates in `hub-data` (`--dir` names another folder), listens for
//! devices on 8883 (MQTT) and 443 (WebSockets), and for service SDKs on 443. What devices send goes to
//! `hub-data/telemetry.ndjson`.

#[path = "../gateway/pki.rs"]
mod pki;
#[path = "../gateway/signals.rs"]
mod signals;

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use edge_core::EndpointId;
use edge_core::service::Permissions;
use edge_hub::{Hub, Limits, Policy, Registry};
use edge_store::{IdentityFile, SegmentStore, SessionFile, StoreOptions, TwinFile};
use edge_transport::iothub::SasKey;
use edge_transport::upstream::{FileUpstream, FileUpstreamOptions};
use edge_transport::{MqttListener, Resources, ServerCertificate, Stop, TlsServer, WebListener};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// The name that tokens are signed for.
const HUB_NAME: &str = "localhost";

fn main() -> Fallible<()> {
    let mut dir = PathBuf::from("hub-data");
    let mut address = "127.0.0.1".to_owned();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.next()) {
            ("--dir", Some(value)) => dir = value.into(),
            ("--address", Some(value)) => address = value,
            _ => return Err("usage: standalone-hub [--dir FOLDER] [--address IP]".into()),
        }
    }
    tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(&dir, &address))
}

async fn run(dir: &Path, address: &str) -> Fallible<()> {
    std::fs::create_dir_all(dir).map_err(|e| format!("{} cannot be made: {e}", dir.display()))?;
    let (tls, ca) = tls(dir, address)?;
    let key = service_key(dir)?;
    let owner = Policy::new("iothubowner", Permissions::ALL, vec![key.clone()]);
    let identities = IdentityFile::open(dir.join("identities"))?;
    let registry = Registry::new([HUB_NAME]).with_policies([owner]).with_store(Arc::new(identities)).await?;

    let limits = Limits::default();
    let resources = Resources::new(limits.transport.clone());
    let mqtt = MqttListener::bind(&format!("{address}:8883"), &resources).await?.with_tls(tls.clone());
    let web = WebListener::bind(&format!("{address}:443"), &resources).await?.with_tls(tls);
    let options = StoreOptions::default().with_max_bytes(limits.max_store_bytes);
    let (store, recovery) = SegmentStore::open(dir.join("store"), options)?;
    tracing::info!(%recovery, "the store is open");
    let telemetry = dir.join("telemetry.ndjson");
    let file = FileUpstream::open(EndpointId::upstream(), FileUpstreamOptions::new(&telemetry))?;

    let hub = Hub::builder("hub".parse()?)
        .hub_name(HUB_NAME)
        .registry(Arc::new(registry))
        .store(Arc::new(store))
        .sessions(Arc::new(SessionFile::open(dir.join("sessions"))?))
        .twins(Arc::new(TwinFile::open(dir.join("twins"))?))
        .limits(limits)
        .endpoint(Arc::new(file))
        .route("telemetry", "FROM /messages/* INTO $upstream")
        .listener(Box::new(mqtt))
        .listener(Box::new(web))
        .build()
        .map_err(|e| e.to_string())?;

    introduce(&ca, &telemetry, &key);
    let (stopper, stop) = Stop::pair();
    let signals = signals::listen(move |request| {
        if request == signals::Request::Stop {
            stopper.stop();
        }
    })?;
    tokio::select! {
        report = hub.run(stop) => println!("Stopped: {}.", report?.ledger.total),
        () = signals => return Err("the signals ended".into()),
    }
    Ok(())
}

/// Makes the certificates that are not there; returns the server's TLS, and the root that clients trust.
#[expect(clippy::disallowed_methods, reason = "certificates are made by the machine's clock")]
fn tls(dir: &Path, address: &str) -> Fallible<(TlsServer, PathBuf)> {
    let names = BTreeSet::from([HUB_NAME.to_owned(), address.to_owned()]);
    let pki = pki::prepare(&dir.join("pki"), &names, std::time::SystemTime::now())?;
    let certificate = ServerCertificate::from_files(&pki.certificate, &pki.private_key)?;
    Ok((TlsServer::new(&certificate)?, pki.ca))
}

/// Returns the key of the service side, made at the first start.
fn service_key(dir: &Path) -> Fallible<SasKey> {
    let path = dir.join("service.key");
    if !path.exists() {
        pki::write_private(&path, SasKey::generate()?.to_base64().as_bytes())?;
    }
    let text =
        std::fs::read_to_string(&path).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
    text.trim().parse().map_err(|e| format!("{}: {e}", path.display()).into())
}

/// Says what to do next.
fn introduce(ca: &Path, telemetry: &Path, key: &SasKey) {
    println!("The hub runs. What devices send goes to {}.", telemetry.display());
    println!("To register a device and set its twin, in Python, after `pip install azure-iot-hub six`:\n");
    println!("    import os; os.environ[\"REQUESTS_CA_BUNDLE\"] = {:?}", ca.display().to_string());
    println!("    from azure.iot.hub import IoTHubRegistryManager");
    println!("    from azure.iot.hub.models import Twin, TwinProperties");
    println!(
        "    hub = IoTHubRegistryManager.from_connection_string(\"HostName={HUB_NAME};SharedAccessKeyName=iothubowner;\
         SharedAccessKey={}\")",
        key.to_base64()
    );
    println!("    device = hub.create_device_with_sas(\"press-7\", \"\", \"\", \"enabled\")");
    println!("    print(device.authentication.symmetric_key.primary_key)");
    println!(
        "    hub.update_twin(\"press-7\", Twin(properties=TwinProperties(desired={{\"rpm\": 900}})), \"*\")\n"
    );
    println!("Ctrl-C stops in order.");
}
