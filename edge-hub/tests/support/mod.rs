//! What the tests of delivery share: a clock in virtual time, a store that fails, an endpoint with a link.
#![allow(dead_code, missing_docs, unreachable_pub, unused_imports, reason = "each test uses a part of it")]

pub mod clock;
pub mod link;
pub mod store;

use std::sync::Arc;

use edge_hub::{Client, Hub, HubBuilder, Outgoing, SendError};

pub use clock::{VirtualClock, pass, pass_long, until};
pub use link::{Link, Mode};
pub use store::{Faulty, Sabotage};

pub const ALL: &str = "FROM /messages/* INTO $upstream";

/// Returns a builder over these parts.
pub fn builder(store: &Arc<Faulty>, clock: &Arc<VirtualClock>, link: &Arc<Link>) -> HubBuilder {
    Hub::builder("edge1".parse().unwrap()).store(store.clone()).clock(clock.clone()).endpoint(link.clone())
}

/// Returns how many cases a test under random faults tries: `PROPTEST_CASES=10000` asks for more than `usual`.
pub fn cases(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Sends a message with a number, of at least so many bytes.
pub async fn send(client: &Client, number: u64, bytes: usize) -> Result<(), SendError> {
    let mut body = number.to_le_bytes().to_vec();
    body.resize(bytes.max(8), 0);
    client.send(Outgoing::new(body)).await.map(drop)
}
