//! An endpoint whose link does what it is told.

use std::num::NonZeroUsize;
use std::sync::Mutex;

use async_trait::async_trait;
use edge_core::{BatchLimit, Endpoint, EndpointError, EndpointId, Outcome, Stored, SystemKey};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    Accept,
    /// Nobody is there.
    Down,
    /// The connection breaks after something was sent.
    Breaks,
    /// Takes nothing, and says so.
    Release,
    /// Takes nothing from this device.
    ReleaseFrom(String),
    /// Refuses what has an odd number.
    RejectOdd,
    /// Takes every other message of a batch.
    Half,
    /// Never answers.
    Hang,
}

#[derive(Debug)]
pub struct Link {
    id: EndpointId,
    pub mode: Mutex<Mode>,
    pub batch: usize,
    /// The numbers of what was accepted, and when, in seconds of virtual time.
    pub accepted: Mutex<Vec<u64>>,
    /// Messages and bytes of each send.
    pub sends: Mutex<Vec<(usize, u64)>>,
}

impl Link {
    pub fn new(id: &str, mode: Mode) -> Self {
        let id = id.parse().unwrap();
        let (accepted, sends) = (Mutex::default(), Mutex::default());
        Self { id, mode: Mutex::new(mode), batch: 100, accepted, sends }
    }

    pub fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    pub fn accepted(&self) -> Vec<u64> {
        self.accepted.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.accepted.lock().unwrap().len()
    }
}

/// Returns the number that a message was sent with.
pub fn number(stored: &Stored) -> u64 {
    u64::from_le_bytes(stored.message.body()[..8].try_into().unwrap())
}

#[async_trait]
impl Endpoint for Link {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn batch_limit(&self) -> BatchLimit {
        BatchLimit::new(NonZeroUsize::new(self.batch).unwrap(), usize::MAX)
    }

    async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        let mode = self.mode.lock().unwrap().clone();
        let bytes = batch.iter().map(|stored| stored.message.size() as u64).sum();
        self.sends.lock().unwrap().push((batch.len(), bytes));
        let lost = || EndpointError::Interrupted { source: "the link is down".into() };
        match mode {
            Mode::Down => return Err(EndpointError::Absent),
            Mode::Breaks => return Err(lost()),
            Mode::Hang => std::future::pending().await,
            _ => {}
        }
        let judge = |(place, stored): (usize, &Stored)| {
            let from = stored.message.system().value(SystemKey::ConnectionDeviceId);
            match &mode {
                Mode::Release => Outcome::Released,
                Mode::ReleaseFrom(device) if from == Some(device) => Outcome::Released,
                Mode::RejectOdd if number(stored) % 2 == 1 => Outcome::Rejected { reason: "odd".into() },
                Mode::Half if place % 2 == 1 => Outcome::Released,
                _ => Outcome::Accepted,
            }
        };
        let outcomes: Vec<_> = batch.iter().enumerate().map(judge).collect();
        let taken = batch.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Outcome::Accepted);
        self.accepted.lock().unwrap().extend(taken.map(|(stored, _)| number(stored)));
        Ok(outcomes)
    }
}
