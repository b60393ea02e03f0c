//! Lets one log line of a kind through in a while, and counts the rest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use edge_core::Clock;

const EVERY: Duration = Duration::from_secs(10);

/// How many kinds are told apart; more share one line.
const KINDS: usize = 1000;

/// Bounds the rate of log lines by kind.
#[derive(Debug)]
pub(crate) struct Throttle {
    clock: Arc<dyn Clock>,
    kinds: Mutex<HashMap<String, (Instant, u64)>>,
}

impl Throttle {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, kinds: Mutex::default() }
    }

    /// Returns how many lines of this kind were held back since the last one, or `None` to hold this one back too.
    pub(crate) fn pass(&self, kind: &str) -> Option<u64> {
        let now = self.clock.now();
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if kinds.len() >= KINDS && !kinds.contains_key(kind) {
            kinds.retain(|_, (last, _)| now.saturating_duration_since(*last) < EVERY);
        }
        let kind = if kinds.len() >= KINDS && !kinds.contains_key(kind) { "" } else { kind };
        match kinds.get_mut(kind) {
            Some((last, held)) if now.saturating_duration_since(*last) < EVERY => {
                *held += 1;
                None
            }
            Some((last, held)) => {
                *last = now;
                Some(std::mem::take(held))
            }
            None => {
                kinds.insert(kind.to_owned(), (now, 0));
                Some(0)
            }
        }
    }
}
