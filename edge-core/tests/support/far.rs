//! An endpoint whose far side does what the kit asks.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use edge_core::testing::endpoint::EndpointHarness;
use edge_core::{BatchLimit, Endpoint, EndpointError, EndpointId, Outcome, Stored};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Open,
    Cut,
    Withholding,
}

#[derive(Debug)]
pub struct FarSide {
    mode: watch::Sender<Mode>,
    held: watch::Sender<usize>,
    taken: Mutex<Vec<Bytes>>,
    refused: Mutex<Option<Bytes>>,
}

impl Default for FarSide {
    fn default() -> Self {
        Self {
            mode: watch::Sender::new(Mode::Open),
            held: watch::Sender::new(0),
            taken: Mutex::default(),
            refused: Mutex::default(),
        }
    }
}

impl FarSide {
    /// Takes a message, or not.
    pub async fn offer(&self, body: Bytes) -> Result<Outcome, EndpointError> {
        self.hold();
        let mut mode = self.mode.subscribe();
        let settled = mode.wait_for(|mode| *mode != Mode::Withholding).await.map(|mode| *mode);
        self.held.send_modify(|held| *held -= 1);
        if !matches!(settled, Ok(Mode::Open)) {
            let source = "the line is cut".into();
            return Err(EndpointError::Unreachable { to: "the far side".into(), source });
        }
        if self.refused.lock().unwrap().as_ref() == Some(&body) {
            return Ok(Outcome::Rejected { reason: "refused".into() });
        }
        self.taken.lock().unwrap().push(body);
        Ok(Outcome::Accepted)
    }

    /// Holds one more message without an answer.
    pub fn hold(&self) {
        self.held.send_modify(|held| *held += 1);
    }

    pub fn is_withholding(&self) -> bool {
        *self.mode.borrow() == Mode::Withholding
    }
}

#[derive(Debug)]
pub struct Line {
    id: EndpointId,
    pub far: Arc<FarSide>,
}

impl Line {
    pub fn new(far: Arc<FarSide>) -> Self {
        Self { id: EndpointId::upstream(), far }
    }
}

#[async_trait]
impl Endpoint for Line {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn batch_limit(&self) -> BatchLimit {
        BatchLimit::new(std::num::NonZeroUsize::new(8).unwrap(), usize::MAX)
    }

    async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        let mut outcomes = Vec::new();
        for stored in batch {
            outcomes.push(self.far.offer(stored.message.body_bytes()).await?);
        }
        Ok(outcomes)
    }
}

/// The far side of a line, and how to get at an endpoint on it.
#[derive(Debug, Default)]
pub struct FarHarness<F> {
    pub far: Arc<FarSide>,
    pub make: F,
}

#[async_trait]
impl<E: Endpoint, F: Fn(Line) -> E + Send + Sync> EndpointHarness for FarHarness<F> {
    type Endpoint = E;

    async fn open(&self) -> E {
        (self.make)(Line::new(self.far.clone()))
    }

    async fn taken(&self) -> Vec<Bytes> {
        self.far.taken.lock().unwrap().clone()
    }

    async fn refuse(&self, body: &[u8]) -> bool {
        *self.far.refused.lock().unwrap() = Some(Bytes::copy_from_slice(body));
        true
    }

    async fn cut(&self) -> bool {
        self.far.mode.send_replace(Mode::Cut);
        true
    }

    async fn restore(&self) {
        self.far.mode.send_replace(Mode::Open);
    }

    async fn withhold(&self) -> bool {
        self.far.mode.send_replace(Mode::Withholding);
        true
    }

    async fn withheld(&self) {
        let mut held = self.far.held.subscribe();
        held.wait_for(|held| *held > 0).await.expect("the far side is there");
    }

    async fn answer(&self) {
        self.restore().await;
    }
}
