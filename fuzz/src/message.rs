//! Messages in their stored form.

use bytes::Bytes;
use edge_core::Message;

/// Reads a stored message, and checks that it says the same when it is taken apart and built again.
///
/// # Panics
/// Panics when something does not hold.
pub fn message(data: &[u8]) {
    let Ok(message) = Message::decode(Bytes::copy_from_slice(data)) else { return };
    assert_eq!(message.encoded().as_ref(), data, "the stored form is kept as it is");
    assert_eq!(message.detached(), message);
    assert!(message.size() <= data.len());
    let again = message.to_builder().build();
    assert_eq!(again.source(), message.source());
    assert!(again.properties().iter().eq(message.properties().iter()));
    assert!(again.system().iter().eq(message.system().iter()));
    assert_eq!(again.body(), message.body());
    for (name, value) in message.properties() {
        assert_eq!(message.properties().value(name), Some(value));
        assert!(message.properties().value_ignoring_case(name).is_some());
    }
    for (key, value) in message.system() {
        assert_eq!(message.system().value(key), Some(value));
    }
}
