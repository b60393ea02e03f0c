//! A message on the wire of AMQP: sections, properties, bodies.

use edge_transport::testing::{amqp_decoded, amqp_encoded};

/// Reads a message, and checks that what was read is written so that it is read the same again.
///
/// # Panics
/// Panics when something does not hold.
pub fn amqp_message(data: &[u8]) {
    let Some(message) = amqp_decoded(data) else { return };
    let bytes = amqp_encoded(&message);
    let again = amqp_decoded(&bytes).expect("what was written can be read");
    assert_eq!(again, message, "from {:?}", bytes.escape_ascii().to_string());
}
