//! Deadlines.

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn a_connect_must_come_in_time() {
    let mut bench = Bench::new(TransportLimits::default());
    bench.pass(secs(29));
    assert!(!bench.closed);
    bench.pass(secs(1));
    bench.check_closed(&[IncidentKind::Timeout]);
}

#[test]
fn a_connect_byte_by_byte_wins_no_time() {
    let mut bench = Bench::new(TransportLimits::default());
    for byte in encoded(&Packet::Connect(connect("d", &user_name("d")))) {
        if bench.closed {
            break;
        }
        bench.bytes(&[byte]);
        bench.pass(secs(1));
    }
    bench.check_closed(&[IncidentKind::Timeout]);
}

#[test]
fn a_gateway_that_does_not_decide_is_unavailable() {
    let mut bench = Bench::new(TransportLimits::default());
    bench.send(&Packet::Connect(connect("d", &user_name("d"))));
    bench.pass(secs(30));
    bench.check_received(&[Packet::ConnAck { session_present: false, code: ConnectCode::Unavailable }]);
    bench.check_closed(&[]);
}

fn check_silence(keep_alive_secs: u16, allowed: Duration) {
    let mut bench = Bench::new(TransportLimits::default());
    bench.send(&Packet::Connect(Connect { keep_alive_secs, ..connect("d", &user_name("d")) }));
    bench.accept(false, FeedSet::EMPTY);
    bench.received();
    bench.pass(secs(10));
    bench.send(&Packet::PingReq);
    bench.received();
    bench.pass(allowed - Duration::from_millis(1));
    assert!(!bench.closed, "{keep_alive_secs}");
    bench.pass(Duration::from_millis(1));
    bench.check_closed(&[IncidentKind::KeepAlive]);
}

#[test]
fn silence_ends_after_one_and_a_half_keep_alives() {
    check_silence(60, secs(90));
    check_silence(15, Duration::from_millis(22_500));
    check_silence(1740, secs(1767));
    check_silence(u16::MAX, secs(1767));
    check_silence(0, secs(1767));
}

#[test]
fn silence_does_not_count_while_nobody_listens() {
    let limits = TransportLimits { max_unacknowledged_messages: 1, ..TransportLimits::default() };
    let mut bench = Bench::open_with("d", limits);
    bench.publish("devices/d/messages/events/", qos1(1), b"");
    bench.pass(secs(1000));
    assert!(!bench.closed);
    bench.resolve(true);
    bench.received();
    bench.pass(secs(89));
    assert!(!bench.closed);
    bench.pass(secs(1));
    bench.check_closed(&[IncidentKind::KeepAlive]);
}

#[test]
fn a_packet_must_come_whole_in_time() {
    let limits = TransportLimits { packet_timeout: secs(5), ..TransportLimits::default() };
    let mut bench = Bench::open_with("d", limits);
    for byte in [0x30, 100, 0, 26, b'd'] {
        bench.bytes(&[byte]);
        bench.pass(Duration::from_millis(999));
    }
    assert!(!bench.closed);
    bench.bytes(b"e");
    bench.pass(Duration::from_millis(5));
    bench.check_closed(&[IncidentKind::Timeout]);
}

#[test]
fn a_client_that_reads_nothing_is_closed() {
    let mut bench = Bench::open("d");
    bench.send(&Packet::PingReq);
    bench.core.handle_written(bench.now, 0);
    bench.pass(secs(29));
    assert!(!bench.closed);
    bench.core.handle_written(bench.now, 1);
    bench.core.handle_written(bench.now, 0);
    bench.pass(secs(29));
    assert!(!bench.closed);
    bench.pass(secs(1));
    bench.check_closed(&[IncidentKind::Stalled]);
    assert!(!bench.core.is_done());
    bench.pass(LAST_WRITE_TIMEOUT);
    assert!(bench.core.is_done());
}
