//! A simulated temperature sensor, which connects through the TLS port as any device would.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use edge_core::{
    Clock, Endpoint, EndpointId, Identity, Message, RouteName, Source, Stored, SystemClock, SystemKey,
    Timestamp,
};
use edge_transport::iothub::{SasKey, SasToken};
use edge_transport::upstream::{MqttUpstream, MqttUpstreamOptions, MqttVersion, PropertyPlacement};

/// Where the sensor connects, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Sensor {
    /// The host to connect to; the server's certificate must be for it.
    pub(crate) host: String,
    /// The port of MQTT over TLS.
    pub(crate) port: u16,
    /// The name that the token is signed for.
    pub(crate) hub_name: String,
    /// The device.
    pub(crate) identity: Identity,
    /// Its key.
    pub(crate) key: SasKey,
    /// The root that it trusts, in PEM.
    pub(crate) ca: PathBuf,
}

/// How long a token is good for.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// How long before its end a token is replaced.
const RENEW_BEFORE: Duration = Duration::from_secs(120);

/// Sends a temperature once a second, through reconnects and new tokens; runs until dropped.
pub(crate) async fn run(sensor: Sensor) {
    let mut count = 0;
    loop {
        if let Err(error) = session(&sensor, &mut count).await {
            tracing::info!(%error, "the simulated sensor is not connected, and tries again");
        }
        pause(Duration::from_secs(2)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "a simulated sensor sends by the clock")]
async fn pause(wait: Duration) {
    tokio::time::sleep(wait).await;
}

/// Connects and sends until the token is about to run out, or the connection fails.
async fn session(sensor: &Sensor, count: &mut u64) -> Result<(), Box<dyn Error>> {
    let Sensor { host, port, hub_name, identity, .. } = sensor;
    let expires = SystemClock.wall() + TOKEN_LIFE;
    let token = SasToken::sign(hub_name, identity, &sensor.key, expires);
    let url = format!("mqtts://{host}:{port}").parse()?;
    let topic = format!("devices/{identity}/messages/events").parse()?;
    let options = MqttUpstreamOptions::new(url, topic, &identity.to_string())
        .version(MqttVersion::V311)
        .properties(PropertyPlacement::Topic)
        .login(&format!("{hub_name}/{identity}/?api-version=2021-04-12"), &token)
        .ca_file(&sensor.ca);
    let gateway = MqttUpstream::new(EndpointId::upstream(), options)?;
    while SystemClock.wall() + RENEW_BEFORE < expires {
        gateway.send(&[reading(*count, SystemClock.wall())?]).await?;
        *count += 1;
        pause(Duration::from_secs(1)).await;
    }
    gateway.close().await;
    Ok(())
}

/// Returns a reading: a temperature that goes up and down.
fn reading(count: u64, now: Timestamp) -> Result<Stored, Box<dyn Error>> {
    let temperature = 21.0 + 4.0 * (count as f64 / 20.0).sin();
    let message = Message::builder(&Source::telemetry())
        .system(SystemKey::ContentType, "application/json")
        .system(SystemKey::ContentEncoding, "utf-8")
        .property("simulated", "true")
        .body(format!(r#"{{"temperature": {temperature:.2}, "count": {count}}}"#).as_bytes())
        .build();
    Ok(Stored::new(count, now, None, "sensor".parse::<RouteName>()?, message))
}
