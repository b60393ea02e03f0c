//! A listener that runs, and its gateway.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::SocketAddr;
use std::sync::Arc;

use edge_transport::mqtt::packet::ConnectCode;
use edge_transport::testing::{FakeGateway, MqttClient};
use edge_transport::{Listener, MqttListener, Resources, Stop, Stopper, TransportLimits};
use tokio::task::JoinSet;

/// A listener in a task, against a [`FakeGateway`].
pub(crate) struct Running {
    pub(crate) gateway: FakeGateway,
    pub(crate) address: SocketAddr,
    pub(crate) stopper: Stopper,
    pub(crate) resources: Resources,
    pub(crate) tasks: JoinSet<()>,
}

/// Runs a listener.
pub(crate) fn run(listener: impl Listener, resources: Resources) -> Running {
    let address = listener.local_addr().unwrap();
    let (stopper, stop) = Stop::pair();
    let gateway = FakeGateway::new();
    let mut tasks = JoinSet::new();
    let serving = Box::new(listener).serve(Arc::new(gateway.clone()), stop);
    tasks.spawn(async move { serving.await.unwrap() });
    Running { gateway, address, stopper, resources, tasks }
}

/// Runs a plain MQTT listener within these limits.
pub(crate) async fn start_with(limits: TransportLimits) -> Running {
    let resources = Resources::new(limits);
    let listener = MqttListener::bind("127.0.0.1:0", &resources).await.unwrap();
    run(listener, resources)
}

/// Runs a plain MQTT listener.
pub(crate) async fn start() -> Running {
    start_with(TransportLimits::default()).await
}

impl Running {
    /// Returns a client that is let in as `id`.
    pub(crate) async fn client(&self, id: &str) -> MqttClient {
        let mut client = MqttClient::dial(self.address).await.unwrap();
        assert_eq!(client.connect(id, FakeGateway::TOKEN).await.unwrap(), ConnectCode::Accepted);
        client
    }
}
