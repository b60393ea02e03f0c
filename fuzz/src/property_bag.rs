//! Property bags at the end of topics.

use edge_core::{Message, MessageBuilder};
use edge_transport::iothub::bag;

fn read(text: &str) -> Option<Message> {
    let mut builder = MessageBuilder::new("/messages/");
    let found = bag::read(text, &mut builder).ok()?;
    assert!(found.bytes <= text.len(), "decoding makes nothing longer");
    let message = builder.build();
    assert!(message.size() <= "/messages/".len() + 7 * text.len(), "six bytes for each property at most");
    Some(message)
}

/// Reads a property bag, and checks that the message says the same when its bag is written and read again.
///
/// # Panics
/// Panics when something does not hold.
pub fn property_bag(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(first) = read(text) else { return };
    let mut written = String::new();
    bag::write(&first, &mut written);
    assert!(!written.contains(['/', '#', '+', ' ', '\0']), "it stands as one level of a topic: {written:?}");
    let second = read(&written).expect("what is written can be read");
    assert_eq!(first, second, "{written:?}");
}
