//! What an endpoint remembers of messages that may come again.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use edge_core::{BoxError, EndpointId, Message, Stored};

use super::Translate;
use crate::tensor::Tensor;

/// How many results are remembered: more than one batch of each of the ten priorities.
const REMEMBERED: usize = 16_384;
/// The most bytes of inputs that are kept.
const MAX_INPUT_BYTES: usize = 64 << 20;

/// Ids of results that were taken lately.
#[derive(Debug, Default)]
pub(super) struct Sent {
    known: HashSet<u128>,
    order: VecDeque<u128>,
}

impl Sent {
    pub(super) fn contains(&self, id: u128) -> bool {
        self.known.contains(&id)
    }

    pub(super) fn insert(&mut self, id: u128) {
        if self.known.insert(id) {
            self.order.push_back(id);
        }
        if self.order.len() > REMEMBERED {
            self.order.pop_front().map(|oldest| self.known.remove(&oldest));
        }
    }
}

/// The inputs that one mapping made of a message.
#[derive(Debug)]
struct Kept {
    by: Arc<dyn Translate>,
    inputs: Option<Vec<Tensor>>,
}

/// Inputs of messages that may come again: each is translated once, since windows remember what they were given.
#[derive(Debug, Default)]
pub(super) struct Translated {
    of: HashMap<u128, Vec<Kept>>,
    bytes: usize,
}

fn bytes_of(kept: &Kept) -> usize {
    kept.inputs.iter().flatten().map(|tensor| tensor.view().bytes()).sum()
}

impl Translated {
    /// Returns the inputs for a message, which are the same when it comes again.
    pub(super) fn inputs(
        &mut self,
        key: u128,
        by: &Arc<dyn Translate>,
        message: &Message,
    ) -> Result<Option<Vec<Tensor>>, BoxError> {
        let known = self.of.get(&key).and_then(|all| all.iter().find(|kept| Arc::ptr_eq(&kept.by, by)));
        if let Some(kept) = known {
            return Ok(kept.inputs.clone());
        }
        let inputs = by.inputs(message)?;
        // What was left by messages that expired in their queue makes room.
        if self.of.len() >= REMEMBERED || self.bytes > MAX_INPUT_BYTES {
            *self = Self::default();
        }
        let kept = Kept { by: Arc::clone(by), inputs: inputs.clone() };
        self.bytes = self.bytes.saturating_add(bytes_of(&kept));
        self.of.entry(key).or_default().push(kept);
        Ok(inputs)
    }

    /// Forgets the inputs of a message that does not come again.
    pub(super) fn forget(&mut self, key: u128) {
        let kept = self.of.remove(&key).unwrap_or_default();
        self.bytes = self.bytes.saturating_sub(kept.iter().map(bytes_of).sum());
    }
}

/// Returns what identifies a message across tries.
pub(super) fn key(id: &EndpointId, stored: &Stored) -> u128 {
    // FNV-1a of 128 bits: all parts are the gateway's own, and nobody gains by two that are equal.
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut hash = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
    let mut eat = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u128::from(*byte)).wrapping_mul(PRIME);
        }
    };
    eat(id.as_str().as_bytes());
    eat(&[0]);
    eat(stored.route.as_str().as_bytes());
    eat(&stored.offset.to_le_bytes());
    eat(&stored.enqueued.as_unix_ms().to_le_bytes());
    eat(stored.message.encoded());
    hash
}
