//! Topics and topic filters.

use edge_core::{Identity, TwinAnswer};
use edge_transport::iothub::topic::{Inbound, Wanted, inbound, wanted, write_twin_answer};

/// Identities whose topics are close to each other.
const CLIENTS: [&str; 7] = ["d", "d/m", "d/mm", "dd", "d+", "m/d", "modules"];

/// Reads a topic on behalf of several clients, and checks that it is nobody's but one's.
///
/// # Panics
/// Panics when something does not hold.
pub fn topic(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let clients = CLIENTS.map(|client| client.parse::<Identity>().expect("it is an identity"));
    let (mut senders, mut readers) = (Vec::new(), Vec::new());
    for client in &clients {
        match inbound(client, text) {
            Some(Inbound::Telemetry { bag }) => {
                assert!(text.contains(bag));
                senders.push(client);
            }
            Some(Inbound::Twin { operation, rid }) => {
                assert!(text.starts_with("$iothub/twin/"), "{operation:?}");
                if let Some(rid) = rid {
                    assert!(!rid.is_empty() && text.contains(rid));
                    let mut answer = String::new();
                    write_twin_answer(rid, &TwinAnswer::new(200, ""), &mut answer);
                    assert!(answer.ends_with(rid));
                }
            }
            Some(Inbound::MethodResponse { id, status }) => {
                assert!(text.starts_with("$iothub/methods/res/"));
                assert!(id.is_none() || text.contains("$rid="));
                assert!(status.is_none() || text.contains(|c: char| c.is_ascii_digit()));
            }
            _ => {}
        }
        if matches!(wanted(client, text), Wanted::Feed(_)) && !text.starts_with("$iothub/") {
            readers.push(client);
        }
    }
    assert!(senders.len() <= 1, "{text:?} is a topic of {senders:?}");
    assert!(readers.len() <= 1, "{text:?} asks for what is {readers:?}'s");
}
