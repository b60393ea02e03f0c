use std::num::NonZeroUsize;
use std::time::Duration;

use edge_core::testing::clock::ManualClock;
use edge_core::{Clock, Stored, Timestamp};

use super::super::tests::keyed;
use super::*;

/// A queue, and what a lane makes of it.
struct Bench {
    lane: PerKey,
    clock: ManualClock,
    open: BTreeMap<Offset, Stored>,
    next: Offset,
}

impl Bench {
    fn new(devices: &str, most: usize) -> Self {
        let most = NonZeroUsize::new(most).unwrap();
        let limits = Limits { max_passed_over_messages: most, ..Limits::default() };
        let lane = PerKey::new(DeliveryKey::Device, 0, &limits, Backoff::default());
        let open: BTreeMap<_, _> =
            (0..).zip(devices.chars()).map(|(o, device)| (o, keyed(o, &device.to_string()))).collect();
        let next = open.len() as Offset;
        Self { lane, clock: ManualClock::new(Timestamp::from_unix_ms(0)), open, next }
    }

    /// Reads what the lane wants, at most `batch` entries; `None` when it waits.
    fn load(&mut self, batch: usize) -> Option<Vec<Stored>> {
        let Plan::Read(parts) = self.lane.plan(self.clock.now()) else { return None };
        let mut send = Vec::new();
        for part in parts {
            let most = part.most.min(batch - send.len());
            if most == 0 {
                break;
            }
            let entries: Vec<_> = self.open.range(part.from..).take(most).map(|(_, s)| s.clone()).collect();
            let next = entries.last().map_or_else(|| self.next.max(part.from), |last| last.offset + 1);
            send.extend(self.lane.loaded(part, ReadBatch::new(entries, next, 0)).send);
        }
        Some(send)
    }

    /// Sends a batch to an endpoint that releases what these devices have sent; returns what it accepted.
    fn round(&mut self, batch: usize, stuck: &str) -> Vec<Offset> {
        let sent = self.load(batch).unwrap_or_default();
        let fate = |stored: &Stored| {
            let device = stored.message.system().value(edge_core::SystemKey::ConnectionDeviceId);
            if stuck.contains(device.unwrap()) { Fate::Again } else { Fate::Delivered }
        };
        let fates: Vec<_> = sent.iter().map(|stored| (stored.offset, fate(stored))).collect();
        self.lane.judged(self.clock.now(), &fates, 0.5);
        let accepted = fates.into_iter().filter(|(_, fate)| *fate == Fate::Delivered).map(|(o, _)| o);
        let accepted: Vec<_> = accepted.collect();
        for offset in &accepted {
            self.open.remove(offset);
        }
        accepted
    }
}

#[test]
fn a_stuck_key_holds_up_nobody_else() {
    let mut bench = Bench::new("abababab", 100);
    assert_eq!(bench.round(2, "a"), [1]);
    assert_eq!(bench.round(2, "a"), [3], "the second of a is passed over, not sent");
    assert_eq!(bench.round(9, "a"), [5, 7]);
    assert_eq!(bench.lane.parked.len(), 4);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.load(9).unwrap().len(), 1, "only the first of a is tried");
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.round(9, ""), [0]);
    assert_eq!(bench.round(9, ""), [2, 4, 6], "then all of them follow");
    assert!(bench.lane.parked.is_empty() && bench.lane.waiting.is_empty() && bench.lane.turns.is_empty());
    assert_eq!(bench.lane.parked_bytes, 0);
}

#[test]
fn what_is_passed_over_is_bounded() {
    let mut bench = Bench::new(&format!("{}b", "a".repeat(50)), 5);
    for _ in 0..20 {
        assert!(bench.round(4, "a").is_empty());
        assert!(bench.lane.parked.len() <= 5, "{}", bench.lane.parked.len());
    }
    assert_eq!(bench.lane.plan(bench.clock.now()), Plan::Wait(bench.lane.next_turn()));
    assert!(bench.lane.next_turn().is_some());
}

#[test]
fn a_key_waits_longer_each_time() {
    let mut bench = Bench::new("a", 5);
    let mut waits = Vec::new();
    for _ in 0..4 {
        bench.round(4, "a");
        let wait = bench.lane.next_turn().unwrap() - bench.clock.now();
        waits.push(wait.as_secs());
        bench.clock.advance(wait);
    }
    assert_eq!(waits, [1, 2, 4, 8]);
}

#[test]
fn a_failed_batch_is_sent_again_in_order_and_new_messages_do_not_pass_it() {
    let mut bench = Bench::new("abcabc", 100);
    let sent = bench.load(4).unwrap();
    let fates: Vec<_> = sent.iter().map(|stored| (stored.offset, Fate::Again)).collect();
    bench.lane.failed(bench.clock.now(), &fates);
    let mut order = Vec::new();
    for _ in 0..5 {
        order.extend(bench.round(4, ""));
    }
    for keyed in [[0, 3], [1, 4], [2, 5]] {
        let at = |offset| order.iter().position(|o| *o == offset).unwrap();
        assert!(at(keyed[0]) < at(keyed[1]), "{order:?}");
    }
}

#[test]
fn what_is_gone_is_forgotten() {
    let mut bench = Bench::new("aaab", 100);
    assert_eq!(bench.round(9, "a"), [3]);
    bench.open.clear();
    bench.clock.advance(Duration::from_secs(60));
    assert!(bench.round(9, "").is_empty());
    assert!(bench.lane.parked.is_empty() && bench.lane.turns.is_empty());
}
