//! What the tests of upstreams share.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(unreachable_pub, reason = "shared by several test files")]

pub mod amqp_broker;
pub mod broker;
pub mod http_server;
pub mod packets;
pub mod peer;
pub mod pki;
pub mod poison;
pub mod tasks;

use edge_core::{Message, RouteName, Source, Stored, SystemKey, Timestamp};

/// The message with this number, from the device `s1`.
pub fn message(number: u64) -> Message {
    Message::builder(&Source::telemetry())
        .system(SystemKey::ConnectionDeviceId, "s1")
        .body(number.to_string().as_bytes())
        .build()
}

pub fn stored(offset: u64, message: Message) -> Stored {
    let route: RouteName = "telemetry".parse().unwrap();
    Stored::new(offset, Timestamp::from_unix_ms(1_767_225_600_000 + offset), None, route, message)
}

/// The messages with these numbers.
pub fn batch(numbers: impl IntoIterator<Item = u64>) -> Vec<Stored> {
    numbers.into_iter().map(|number| stored(number, message(number))).collect()
}
