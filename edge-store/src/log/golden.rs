//! The bytes on the disk, computed apart from this code.

use std::fmt::Write;

use edge_core::{DropCause, Overflow, Priority, QueueId};

use super::{Encoder, Header, Kind, NEVER, TargetEntry};
use crate::index::Extent;
use crate::state::Tally;

/// A segment of one record of each kind.
const GOLDEN: &str = "\
    454447455345470105000000000000000b0a00000000000000000000c2683bc748637623070000000300d65e00000000\
    01000000686f74006e9830e5210000000201d65e00000000020000000a00000003000000000000000700000000000000\
    24757073747265616d000000000000003e3421c23f0000000103d65e02000000e8030000000000000200000001000000\
    0700000000000000ffffffffffffffff00000000010000000900000000000000d0070000000000006d65737361676500\
    ed8d678e100000000401d65e00000000020000000000000008000000000000003ef71db6180000000501d65e00000000\
    000000000000000004000000000000000600000000000000c9aaf95a2c0000000105d65e01000000e903000000000000\
    02000000010000000800000000000000ffffffffffffffff07000000706d65737361676500000000c368d83a20000000\
    0701d65e00000000020000000100000005000000000000000100000000000000030000000000000069d0402f13000000\
    0801d65e00000000020000000100000064726f702d6f6c646573740000000000e7e3ead8500000000601d65e00000000\
    01000000020000000700000000000000ffffffffffffffff500000000000000001000000010000000100000000000000\
    00000000a00100000100000000000000a0010000000000004544474549445801\
";

/// The length, and an LZ4 block of seven literals.
const PACKED_MESSAGE: &[u8] = b"\x07\0\0\0\x70message";

#[test]
fn a_compressed_message_is_read() {
    let mut out = Vec::new();
    assert_eq!(super::unpack(PACKED_MESSAGE, &mut out), Some(()));
    assert_eq!(out, b"message");
}

#[test]
fn the_format_does_not_change() {
    let queue = QueueId::new("$upstream".parse().unwrap(), Priority::DEFAULT);
    let mut encoder = Encoder::new();
    encoder.begin(Header { number: 5, salt: 0x0a0b, recycled: false });
    encoder.route(false, 1, &"hot".parse().unwrap());
    encoder.queue(true, 2, 0, Some(&queue), 3, 7);
    encoder.after_sync();
    let targets = [
        TargetEntry { queue: 2, route: 1, offset: 7, expires: NEVER },
        TargetEntry { queue: 0, route: 1, offset: 9, expires: 2000 },
    ];
    encoder.message(Kind::Message, true, 1000, targets.into_iter(), b"message");
    encoder.trim(true, 2, 8);
    encoder.hole(true, 0, 4, 6);
    encoder.packed();
    let target = TargetEntry { queue: 2, route: 1, offset: 8, expires: NEVER };
    encoder.message(Kind::Message, true, 1001, [target].into_iter(), PACKED_MESSAGE);
    let mut tally = Tally { delivered: 5, ..Tally::default() };
    tally.dropped.add(DropCause::from_code(1).unwrap(), 3);
    encoder.account(true, 2, 1, &tally);
    encoder.policy(true, 2, 1, &Overflow::DropOldest);
    let mut extent = Extent::new(5, 7);
    extent.push(1, NEVER, u32::try_from(encoder.end(0)).unwrap(), 80);
    encoder.index(0, &[(2, extent)]);
    let found = encoder.bytes().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    });
    assert_eq!(found, GOLDEN);
}

/// A policy, computed likewise.
const GOLDEN_POLICY: &str =
    "69d0402f130000000801d65e00000000020000000100000064726f702d6f6c646573740000000000";

#[test]
fn a_policy_does_not_change_either() {
    let mut encoder = Encoder::new();
    encoder.begin(Header { number: 5, salt: 0x0a0b, recycled: false });
    encoder.policy(true, 2, 1, &Overflow::DropOldest);
    let found = encoder.bytes()[32..].iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    });
    assert_eq!(found, GOLDEN_POLICY);
}
