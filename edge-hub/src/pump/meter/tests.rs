use edge_core::Clock;
use edge_core::testing::clock::ManualClock;
use proptest::prelude::*;

use super::*;

const NOON: u64 = 20_000 * DAY_MS + DAY_MS / 2;

fn bytes(n: u64) -> NonZeroU64 {
    NonZeroU64::new(n).unwrap()
}

fn meter(budget: Budget) -> (Meter, ManualClock) {
    let clock = ManualClock::new(Timestamp::from_unix_ms(NOON));
    (Meter::new(budget, DayUse::default(), clock.now()), clock)
}

fn room(meter: &mut Meter, clock: &ManualClock) -> Room {
    meter.room(Priority::DEFAULT, clock.now(), clock.wall())
}

#[test]
fn a_second_holds_what_it_may() {
    let (mut meter, clock) = meter(Budget::per_second(bytes(1000)));
    assert_eq!(room(&mut meter, &clock), Room::Bytes(1000));
    meter.charge(1500);
    let Room::At(at) = room(&mut meter, &clock) else { panic!("500 bytes are owed") };
    clock.advance(at - clock.now());
    assert_eq!(room(&mut meter, &clock), Room::Bytes(1));
    clock.advance(Duration::from_secs(3600));
    assert_eq!(room(&mut meter, &clock), Room::Bytes(1000), "what was not used in time is gone");
}

#[test]
fn urgent_messages_are_counted_and_not_held_back() {
    let urgent = Priority::new(1);
    let (mut meter, clock) = meter(Budget::per_second(bytes(1000)).free_up_to(urgent));
    meter.charge(10_000);
    assert_eq!(meter.room(Priority::new(0).unwrap(), clock.now(), clock.wall()), Room::Bytes(usize::MAX));
    let Room::At(at) = room(&mut meter, &clock) else { panic!("bytes are owed") };
    assert!(at - clock.now() > Duration::from_secs(9), "{:?}", at - clock.now());
}

#[test]
fn a_day_begins_at_midnight_in_utc() {
    let (mut meter, clock) = meter(Budget::per_day(bytes(1000)));
    assert_eq!(room(&mut meter, &clock), Room::Bytes(1000));
    meter.charge(900);
    assert_eq!(room(&mut meter, &clock), Room::Bytes(100));
    assert!(meter.defers(Priority::DEFAULT, 101, clock.now(), clock.wall()).is_some());
    assert!(meter.defers(Priority::DEFAULT, 100, clock.now(), clock.wall()).is_none());
    meter.charge(100);
    assert!(matches!(room(&mut meter, &clock), Room::At(_)));
    clock.advance(Duration::from_secs(12 * 3600 - 1));
    assert!(matches!(room(&mut meter, &clock), Room::At(_)));
    clock.advance(Duration::from_secs(1));
    assert_eq!(room(&mut meter, &clock), Room::Bytes(1000));
    assert!(meter.defers(Priority::DEFAULT, 5000, clock.now(), clock.wall()).is_none(), "it never would fit");
}

#[test]
fn a_clock_that_jumps_gives_no_day_twice_and_takes_none() {
    let (mut meter, clock) = meter(Budget::per_day(bytes(1000)));
    clock.set_wall(Timestamp::from_unix_ms(NOON + DAY_MS / 2));
    room(&mut meter, &clock);
    meter.charge(1000);
    clock.set_wall(Timestamp::from_unix_ms(NOON + DAY_MS / 2 - 3_600_000));
    assert!(matches!(room(&mut meter, &clock), Room::At(_)), "an hour back, before midnight");
    clock.set_wall(Timestamp::from_unix_ms(NOON + DAY_MS / 2 + DAY_MS));
    assert_eq!(room(&mut meter, &clock), Room::Bytes(1000));
    clock.set_wall(Timestamp::from_unix_ms(NOON + 5000 * DAY_MS));
    room(&mut meter, &clock);
    meter.charge(1000);
    clock.set_wall(Timestamp::from_unix_ms(NOON));
    assert!(matches!(room(&mut meter, &clock), Room::At(_)));
    clock.set_wall(Timestamp::from_unix_ms(NOON + DAY_MS));
    assert_eq!(room(&mut meter, &clock), Room::Bytes(1000), "a clock put right does not stop for years");
}

#[test]
fn what_is_kept_covers_what_is_sent() {
    let (mut meter, clock) = meter(Budget::per_day(bytes(6400)));
    room(&mut meter, &clock);
    let keep = meter.to_keep(50).unwrap();
    assert_eq!(keep.bytes, 150);
    meter.kept(keep);
    meter.charge(50);
    assert_eq!(meter.to_keep(100), None);
    let again = Meter::new(meter.budget, keep, clock.now());
    assert_eq!(again.today.bytes, 150, "after a crash no more is had than before");
    assert_eq!(meter.exact().unwrap().bytes, 50);
}

proptest! {
    #[test]
    fn no_stretch_of_time_holds_more_than_its_seconds(
        rate in 1u64..5000,
        steps in proptest::collection::vec((0u64..3000, 1u64..2000), 1..200),
    ) {
        let (mut meter, clock) = meter(Budget::per_second(bytes(rate)));
        let (mut sent, mut ms, mut largest) = (0, 0, 0);
        for (wait, size) in steps {
            clock.advance(Duration::from_millis(wait));
            ms += wait;
            if let Room::Bytes(_) = room(&mut meter, &clock) {
                meter.charge(size);
                sent += size;
                largest = largest.max(size);
            }
            prop_assert!(sent <= rate + rate * ms / 1000 + 1 + largest, "{sent} bytes in {ms} ms");
        }
    }
}
