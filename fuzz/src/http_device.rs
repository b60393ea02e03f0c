//! Requests of devices over HTTP: heads with properties, bodies, batches, locks.

use edge_core::SystemKey;
use edge_transport::testing::{FakeGateway, http_bytes};

/// Gives bytes to the server of HTTP as one connection, and checks that what it writes is answers, that nothing is
/// published without the token, and that each message is stamped with somebody whom a path names.
///
/// # Panics
/// Panics when something does not hold.
pub fn http_device(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime without sockets needs nothing of the system");
    let gateway = FakeGateway::new();
    let answers = runtime.block_on(http_bytes(None, gateway.clone(), data));
    assert!(
        answers.is_empty() || answers.starts_with(b"HTTP/1."),
        "{:?}",
        answers.escape_ascii().to_string()
    );
    let token = FakeGateway::TOKEN.as_bytes();
    let shown = data.windows(token.len()).any(|window| window == token);
    let published = gateway.published();
    assert!(shown || published.is_empty(), "published without a token");
    assert_eq!(gateway.opened(), 0, "a request takes over no session");
    for message in published {
        let sender = message.system().value(SystemKey::ConnectionDeviceId);
        assert!(sender.is_some_and(|device| !device.is_empty()), "{message:?}");
        assert!(message.size() <= edge_core::MAX_MESSAGE_BYTES * 2, "{message:?}");
    }
}
