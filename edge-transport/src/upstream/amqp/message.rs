//! A message as the library sends it, and what the broker made of it.

use edge_core::Message;
use fe2o3_amqp::types::messaging::message::DecodeIntoMessage;
use fe2o3_amqp::types::messaging::{self, Data, Header};
use serde_amqp::read::SliceReader;

use super::reason;
use crate::iothub::amqp::{self, Reader};

/// Returns a message with its properties where the table has them; the reason when it cannot be one.
pub(super) fn encode(message: &Message) -> Result<messaging::Message<Data>, String> {
    let mut bytes = Vec::with_capacity(message.size() + 256);
    amqp::write(message, Reader::Broker, None, &mut bytes);
    let decoded = Data::decode_message_from_reader(SliceReader::new(&bytes));
    let mut message = decoded.map_err(|error| format!("the message makes no AMQP message: {error}"))?;
    message.header = Some(Header { durable: true, ..Header::default() });
    Ok(message)
}

/// Returns what became of a message.
pub(super) fn outcome(state: messaging::Outcome) -> edge_core::Outcome {
    use edge_core::Outcome;
    match state {
        messaging::Outcome::Accepted(_) => Outcome::Accepted,
        messaging::Outcome::Released(_) => Outcome::Released,
        messaging::Outcome::Modified(modified) => match modified.undeliverable_here {
            Some(true) => {
                Outcome::Rejected { reason: "the broker says that it cannot be delivered there".into() }
            }
            _ => Outcome::Released,
        },
        messaging::Outcome::Rejected(rejected) => match rejected.error {
            None => Outcome::Rejected { reason: "the broker rejects it, and does not say why".into() },
            Some(error) if reason::is_full(&error) => Outcome::Released,
            Some(error) => {
                Outcome::Rejected { reason: format!("the broker rejects it: {}", reason::text(&error)) }
            }
        },
    }
}
