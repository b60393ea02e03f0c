//! This project's store.

use std::path::Path;
use std::sync::Arc;

use edge_core::{
    Durability, EndpointId, Enqueue, Message, MessageStore, Priority, QueueId, Receipt, Source, Target,
    Timestamp,
};
use edge_store::{SegmentStore, StoreOptions};

use super::Queue;
use crate::Fallible;

/// The store, with its defaults but for the size of segments.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) store: SegmentStore,
    targets: Arc<[Target]>,
}

impl Edge {
    pub(crate) fn open(dir: &Path, segment_bytes: u64) -> Fallible<Self> {
        let (store, _) = SegmentStore::open(dir, StoreOptions::default().with_segment_bytes(segment_bytes))?;
        Ok(Self { store, targets: targets(&[queue("$upstream")])? })
    }
}

impl Queue for Edge {
    fn append(&self, message: Message) -> Receipt {
        let entry = Enqueue::new(message, self.targets.clone(), Timestamp::from_unix_ms(0));
        self.store.append(vec![entry], Durability::Synced)
    }

    fn commits(&self) -> u64 {
        self.store.usage().syncs
    }
}

/// Returns a queue of an endpoint.
pub(crate) fn queue(endpoint: &str) -> QueueId {
    QueueId::new(endpoint.parse::<EndpointId>().expect("a plain name parses"), Priority::DEFAULT)
}

/// Returns what sends a message to all `queues`.
pub(crate) fn targets(queues: &[QueueId]) -> Fallible<Arc<[Target]>> {
    let route: edge_core::RouteName = "telemetry".parse()?;
    Ok(queues.iter().map(|queue| Target::new(queue.clone(), route.clone(), None)).collect())
}

/// Returns a message of `bytes` bytes in its stored form, with a body that does not compress.
pub(crate) fn message(seed: u64, bytes: usize) -> Message {
    let of = |body: &[u8]| Message::builder(&Source::telemetry()).body(body).build();
    let overhead = of(&[]).encoded().len();
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    of(&(overhead..bytes).map(|_| random()).collect::<Vec<u8>>())
}

/// Returns a message of about `bytes` bytes in its stored form, with a body of JSON as devices send it.
pub(crate) fn json_message(seed: u64, bytes: usize) -> Message {
    let mut body = format!(r#"{{"device":"press-{}","time":"2026-11-21T15:{:02}:07Z","values":["#, seed % 40, seed % 60);
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while body.len() + 80 < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (value, place) = (state >> 50, state >> 62);
        let name = ["temperature", "pressure", "vibration", "current"][usize::try_from(place).unwrap_or(0)];
        body.push_str(&format!(r#"{{"name":"{name}","value":{}.{:02},"quality":"good"}},"#, value / 100, value % 100));
    }
    body.push_str("null]}");
    Message::builder(&Source::telemetry()).body(body.as_bytes()).build()
}
