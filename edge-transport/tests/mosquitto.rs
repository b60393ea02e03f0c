//! The MQTT upstream against a real Mosquitto, which the test starts: `cargo test --features peers`.

mod upstream;

use std::net::TcpListener as StdListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use edge_core::{Endpoint, EndpointId, Outcome};
use edge_transport::upstream::{MqttUpstream, MqttUpstreamOptions, MqttVersion};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use upstream::batch;

const COUNT: u64 = 3000;

/// Returns a port that was free a moment ago.
fn free_port() -> u16 {
    StdListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Starts Mosquitto, and returns when it listens.
async fn mosquitto(dir: &Path, port: u16) -> Child {
    let config = dir.join("mosquitto.conf");
    let text = format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\n\
         max_queued_messages 0\nautosave_interval 1\nautosave_on_changes true\nuser root\n",
        dir.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut child = Command::new("mosquitto")
        .args(["-v", "-c"])
        .arg(config)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("mosquitto is installed");
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    while let Some(line) = log.next_line().await.unwrap() {
        assert!(!line.contains("Error"), "{line}");
        if line.contains(" running") {
            upstream::tasks::spawn(
                async move { while log.next_line().await.is_ok_and(|line| line.is_some()) {} },
            );
            return child;
        }
    }
    panic!("mosquitto ended before it listened");
}

/// Stops Mosquitto in order: it writes down what its sessions hold.
async fn stop(mut child: Child) {
    let pid = child.id().expect("it runs").to_string();
    Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
    child.wait().await.unwrap();
}

/// Connects a subscriber whose session survives, and returns once it is subscribed.
async fn subscribe(port: u16) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new("listener", "127.0.0.1", port);
    options.set_clean_session(false);
    let (client, mut events) = AsyncClient::new(options, 16);
    client.subscribe("edge/#", QoS::AtLeastOnce).await.unwrap();
    while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::SubAck(_))) {}
    (client, events)
}

/// Polls until every number has come, and returns them in the order of their first arrival.
async fn collect(mut events: EventLoop) -> Vec<u64> {
    let mut firsts = Vec::new();
    while firsts.len() < usize::try_from(COUNT).unwrap() {
        match events.poll().await {
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let number = std::str::from_utf8(&publish.payload).unwrap().parse().unwrap();
                if !firsts.contains(&number) {
                    firsts.push(number);
                }
            }
            Ok(_) => {}
            Err(_down) => tokio::task::yield_now().await,
        }
    }
    firsts
}

/// Sends all messages as the hub's pump would, and calls `halfway` once in the middle.
async fn pump(upstream: &MqttUpstream, halfway: tokio::sync::oneshot::Sender<()>) {
    let (mut at, mut halfway) = (0, Some(halfway));
    while at < COUNT {
        if at >= COUNT / 2
            && let Some(halfway) = halfway.take()
        {
            halfway.send(()).unwrap();
        }
        match upstream.send(&batch(at..COUNT.min(at + 200))).await {
            Ok(outcomes) => {
                at += outcomes.iter().take_while(|outcome| **outcome == Outcome::Accepted).count() as u64;
            }
            Err(_down) => {
                let _at_latest = tokio::time::timeout(Duration::from_millis(200), upstream.ready()).await;
            }
        }
    }
}

async fn check_restart(version: MqttVersion) {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let first = mosquitto(dir.path(), port).await;
    let (_client, events) = subscribe(port).await;
    let url = format!("mqtt://127.0.0.1:{port}").parse().unwrap();
    let options = MqttUpstreamOptions::new(url, "edge/{device_id}/events".parse().unwrap(), "edge1");
    let upstream = MqttUpstream::new(EndpointId::upstream(), options.version(version)).unwrap();
    let (halfway, is_halfway) = tokio::sync::oneshot::channel();
    let restart = async {
        is_halfway.await.unwrap();
        stop(first).await;
        mosquitto(dir.path(), port).await
    };
    let ((), second, numbers) = tokio::join!(pump(&upstream, halfway), restart, collect(events));
    assert_eq!(numbers, (0..COUNT).collect::<Vec<_>>(), "all arrive, in order, none is missing");
    upstream.close().await;
    stop(second).await;
}

#[tokio::test]
async fn all_arrive_in_order_though_mosquitto_is_restarted() {
    check_restart(MqttVersion::V5).await;
}

#[tokio::test]
async fn all_arrive_in_order_though_mosquitto_is_restarted_with_3_1_1() {
    check_restart(MqttVersion::V311).await;
}
