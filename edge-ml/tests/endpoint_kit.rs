//! The endpoint kit: a model whose result is the message that came.

#[allow(dead_code, reason = "shared by several tests, which each use a part")]
mod support;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use edge_core::testing::endpoint::EndpointHarness;
use edge_core::{BoxError, Message, MessageBuilder, endpoint_conformance};
use edge_ml::{Affine, ModelEndpoint, ModelPool, PoolOptions, Tensor, Translate};
use support::Gateway;

/// Runs the model on a number, and sends on what came.
#[derive(Debug, Default)]
struct Echo(Mutex<HashSet<Vec<u8>>>);

impl Translate for Echo {
    fn inputs(&self, message: &Message) -> Result<Option<Vec<Tensor>>, BoxError> {
        if self.0.lock().unwrap().contains(message.body()) {
            return Err("the body is not wanted".into());
        }
        Ok(Some(vec![Tensor::new([1, 1], vec![1.0f32])?]))
    }

    fn result(&self, message: &Message, _: &[Tensor]) -> Result<MessageBuilder, BoxError> {
        Ok(message.to_builder())
    }
}

#[derive(Default)]
struct Harness {
    gateway: Gateway,
    echo: Arc<Echo>,
}

#[async_trait]
impl EndpointHarness for Harness {
    type Endpoint = ModelEndpoint;

    async fn open(&self) -> ModelEndpoint {
        let model = Affine::new(&[2.0], &[1.0]).unwrap();
        let pool = ModelPool::start(&model, PoolOptions::default()).unwrap();
        let (device, module) = ("edge1".parse().unwrap(), "m".parse().unwrap());
        let ports = ("in".parse().unwrap(), "out".parse().unwrap());
        let endpoint = ModelEndpoint::new(&device, &module, (&ports.0, ports.1), pool, self.echo.clone());
        endpoint.connect(self.gateway.session("m"));
        endpoint
    }

    async fn taken(&self) -> Vec<Bytes> {
        self.gateway.far().taken.iter().map(Message::body_bytes).collect()
    }

    async fn refuse(&self, body: &[u8]) -> bool {
        self.echo.0.lock().unwrap().insert(body.to_vec());
        true
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

endpoint_conformance!(Harness::default());
