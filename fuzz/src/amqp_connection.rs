//! A whole AMQP connection: frames through the listener's driver and core, in memory.

use edge_core::SystemKey;
use edge_transport::testing::{FakeGateway, amqp_bytes};

/// Gives bytes to the server of AMQP as one connection, and checks that what it writes is AMQP, that nothing is published
/// without the token, and that nobody publishes in a name that the gateway was not asked for.
///
/// # Panics
/// Panics when something does not hold.
pub fn amqp_connection(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime without sockets needs nothing of the system");
    let gateway = FakeGateway::new();
    let answers = runtime.block_on(amqp_bytes(gateway.clone(), data));
    assert!(answers.is_empty() || answers.starts_with(b"AMQP"), "{:?}", answers.escape_ascii().to_string());
    let token = FakeGateway::TOKEN.as_bytes();
    let shown = data.windows(token.len()).any(|window| window == token);
    let published = gateway.published();
    assert!(shown || published.is_empty(), "published without a token");
    let asked: Vec<_> = gateway.hellos().into_iter().map(|hello| hello.claimed).collect();
    for message in published {
        let sender = message.system().value(SystemKey::ConnectionDeviceId).unwrap_or_default();
        assert!(asked.iter().any(|identity| identity.device().as_str() == sender), "{sender} was not let in");
    }
    assert_eq!(gateway.sessions(), 0, "the connection is over");
}
