//! A message that a broker hangs up on, among others.

use bytes::Bytes;
use edge_core::{Endpoint, Outcome};

use super::batch;

const COUNT: u64 = 20;

/// Sends messages as the hub does: what is accepted is gone, and what is refused three times is set aside.
pub async fn deliver_past(upstream: &dyn Endpoint, poison: u64) {
    let (mut left, mut refusals, mut sends) = (batch(0..COUNT), 0, 0);
    while !left.is_empty() {
        sends += 1;
        assert!(sends < 30, "{} messages never arrive", left.len());
        let Ok(outcomes) = upstream.send(&left).await else { continue };
        let accepted = outcomes.iter().take_while(|outcome| **outcome == Outcome::Accepted).count();
        left.drain(..accepted);
        if let Some(Outcome::Rejected { reason }) = outcomes.get(accepted) {
            assert_eq!(left[0].message.body(), poison.to_string().as_bytes());
            assert!(reason.contains("sent alone"), "{reason}");
            refusals += 1;
            if refusals == 3 {
                left.remove(0);
            }
        }
    }
    assert_eq!(refusals, 3);
}

/// Returns the numbers that arrived, by their first arrival.
pub fn arrivals(bodies: &[Bytes]) -> Vec<u64> {
    let mut seen = Vec::new();
    for body in bodies {
        let number = std::str::from_utf8(body).unwrap().parse().unwrap();
        if !seen.contains(&number) {
            seen.push(number);
        }
    }
    seen
}

/// Returns the numbers of [`deliver_past`] without one.
pub fn all_but(poison: u64) -> Vec<u64> {
    (0..COUNT).filter(|number| *number != poison).collect()
}
