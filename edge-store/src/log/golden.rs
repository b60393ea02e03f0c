//! The bytes on the disk, computed apart from this code.

use std::fmt::Write;

use edge_core::{Priority, QueueId};

use super::{Encoder, Header, Kind, NEVER, TargetEntry};
use crate::index::Extent;

/// A segment of one record of each kind.
const GOLDEN: &str = "\
    454447455345470105000000000000000b0a00000000000000000000c2683bc748637623070000000300d65e00000000\
    01000000686f74006e9830e5210000000201d65e00000000020000000a00000003000000000000000700000000000000\
    24757073747265616d000000000000003e3421c23f0000000103d65e02000000e8030000000000000200000001000000\
    0700000000000000ffffffffffffffff00000000010000000900000000000000d0070000000000006d65737361676500\
    ed8d678e100000000401d65e00000000020000000000000008000000000000003ef71db6180000000501d65e00000000\
    000000000000000004000000000000000600000000000000e92fd501500000000601d65e000000000100000002000000\
    0700000000000000ffffffffffffffff5000000000000000010000000100000001000000000000000000000008010000\
    010000000000000008010000000000004544474549445801\
";

#[test]
fn the_format_does_not_change() {
    let queue = QueueId::new("$upstream".parse().unwrap(), Priority::DEFAULT);
    let mut encoder = Encoder::new();
    encoder.begin(Header { number: 5, salt: 0x0a0b, recycled: false });
    encoder.route(false, 1, &"hot".parse().unwrap());
    encoder.queue(true, 2, &queue, 3, 7);
    encoder.after_sync();
    let targets = [
        TargetEntry { queue: 2, route: 1, offset: 7, expires: NEVER },
        TargetEntry { queue: 0, route: 1, offset: 9, expires: 2000 },
    ];
    encoder.message(Kind::Message, true, 1000, targets.into_iter(), b"message");
    encoder.trim(true, 2, 8);
    encoder.hole(true, 0, 4, 6);
    let mut extent = Extent::new(5, 7);
    extent.push(1, NEVER, u32::try_from(encoder.end(0)).unwrap(), 80);
    encoder.index(0, &[(2, extent)]);
    let found = encoder.bytes().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    });
    assert_eq!(found, GOLDEN);
}
