//! The endpoint kit: windows that send on what they cannot read pass everything through.

#[allow(dead_code, reason = "shared by several tests, which each use a part")]
mod support;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use edge_core::testing::endpoint::EndpointHarness;
use edge_core::{SystemClock, endpoint_conformance};
use edge_stream::{WindowEndpoint, WindowSpec};
use support::Gateway;
use tempfile::TempDir;

struct Harness {
    gateway: Gateway,
    folder: TempDir,
}

fn harness() -> Harness {
    Harness { gateway: Gateway::default(), folder: tempfile::tempdir().unwrap() }
}

#[async_trait]
impl EndpointHarness for Harness {
    type Endpoint = WindowEndpoint;

    async fn open(&self) -> WindowEndpoint {
        let spec: WindowSpec = serde_json::from_str(
            r#"{"name":"w","window":{"type":"tumbling","size":"1s"},"values":{"n":"sum($body.n)"},"on_error":"send"}"#,
        )
        .unwrap();
        let (device, clock) = ("edge1".parse().unwrap(), Arc::new(SystemClock));
        let endpoint =
            WindowEndpoint::open(&device, spec.check().unwrap(), Some(self.folder.path()), clock).unwrap();
        endpoint.connect(self.gateway.session("w"));
        endpoint
    }

    async fn taken(&self) -> Vec<Bytes> {
        self.gateway.far().taken.iter().map(edge_core::Message::body_bytes).collect()
    }

    async fn cut(&self) -> bool {
        self.gateway.far().fails = true;
        true
    }

    async fn restore(&self) {
        self.gateway.far().fails = false;
    }

    async fn withhold(&self) -> bool {
        self.gateway.far().withholds = true;
        true
    }

    async fn withheld(&self) {
        self.gateway.withheld().await;
    }

    async fn answer(&self) {
        self.gateway.answer();
    }
}

endpoint_conformance!(harness());
