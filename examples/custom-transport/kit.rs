//! The conformance kit for endpoints, on real sockets.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edge_core::EndpointId;
use edge_core::testing::endpoint::EndpointHarness;
use tokio::sync::OnceCell;

use crate::endpoint::LineEndpoint;
use crate::far::FarSide;

/// Longer than any test takes: what the kit wants to see are answers, not lost patience.
const PATIENCE: Duration = Duration::from_secs(60);

/// A far side that starts with the test's runtime, and does what the kit asks.
#[derive(Debug, Default)]
struct Line(OnceCell<FarSide>);

impl Line {
    async fn far(&self) -> &FarSide {
        self.0.get_or_init(async || FarSide::start().await.unwrap()).await
    }
}

#[async_trait]
impl EndpointHarness for Line {
    type Endpoint = LineEndpoint;

    async fn open(&self) -> LineEndpoint {
        LineEndpoint::new(EndpointId::upstream(), self.far().await.address(), PATIENCE)
    }

    async fn taken(&self) -> Vec<Bytes> {
        self.far().await.taken()
    }

    async fn refuse(&self, body: &[u8]) -> bool {
        self.far().await.refuse(body);
        true
    }

    async fn cut(&self) -> bool {
        self.far().await.cut();
        true
    }

    async fn restore(&self) {
        self.far().await.restore();
    }

    async fn withhold(&self) -> bool {
        self.far().await.withhold();
        true
    }

    async fn withheld(&self) {
        self.far().await.withheld().await;
    }

    async fn answer(&self) {
        self.far().await.restore();
    }
}

edge_core::endpoint_conformance!(Line::default());
