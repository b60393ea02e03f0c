//! Requests of the service API: paths, query strings, heads and bodies.

use std::sync::Arc;

use edge_core::service::Permission;
use edge_transport::testing::{FakeGateway, FakeService, http_bytes};

/// Gives bytes to the server of the service API as one connection, and checks that what it writes is answers, that
/// nothing changes without the token, and that what is asked for is in the area that the token is checked for.
///
/// # Panics
/// Panics when something does not hold.
pub fn rest(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime without sockets needs nothing of the system");
    let service = FakeService::default();
    let answers = runtime.block_on(http_bytes(Some(Arc::new(service.clone())), FakeGateway::new(), data));
    assert!(
        answers.is_empty() || answers.starts_with(b"HTTP/1."),
        "{:?}",
        answers.escape_ascii().to_string()
    );
    let token = FakeService::TOKEN.as_bytes();
    let shown = data.windows(token.len()).any(|window| window == token);
    assert!(shown || service.changes() == 0, "changed without a token");
    for (permission, path) in service.asked() {
        let of_registry = permission == Permission::RegistryRead || permission == Permission::RegistryWrite;
        let areas: &[&str] = if of_registry {
            &["devices", "statistics"]
        } else {
            &["devices", "twins", "messages", "statistics"]
        };
        let mut segments = path.split('/').skip(1);
        assert!(segments.next().is_some_and(|area| areas.contains(&area)), "{permission:?} {path}");
        assert!(segments.count() <= 3, "an id with a slash: {path}");
    }
}
