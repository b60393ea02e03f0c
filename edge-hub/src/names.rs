//! The names of the hub's own queues, which no route can name.

use edge_core::{EndpointId, IdError, Priority, QueueId, RouteName};

const DEAD_LETTERS: &str = "$dead-letter/";
const BUDGET: &str = "$budget/";
const UPSTREAMS: &str = "/upstreams/";
const NO_ROUTE: &str = "$no-route";
const MAIL: &str = "$c2d/";
const FEEDBACK: &str = "$feedback";

/// Returns the name of an upstream of which this is the endpoint's id.
pub(crate) fn upstream(endpoint: &EndpointId) -> Option<&str> {
    endpoint.as_str().strip_prefix(UPSTREAMS)
}

/// Returns the endpoint id of the upstream with this name, to which `BrokeredEndpoint("/upstreams/<name>")` routes.
///
/// The ledger, metrics and dead letters have it too.
///
/// # Errors
/// [`IdError`] when the name is empty or too long, or holds a control character or a slash.
///
/// # Examples
/// ```
/// let id = edge_hub::upstream_id("archive")?;
/// assert_eq!(id.as_str(), "/upstreams/archive");
/// assert!(edge_hub::upstream_id("a/b").is_err());
/// # Ok::<(), edge_core::IdError>(())
/// ```
///
/// # Source
/// Our choice, because no module's input has an id that begins with a slash.
pub fn upstream_id(name: &str) -> Result<EndpointId, IdError> {
    let what = "upstream name";
    match name.find('/') {
        Some(at) => Err(IdError::Character { what, found: '/', at }),
        None if name.trim().is_empty() => Err(IdError::Empty { what }),
        None => format!("{UPSTREAMS}{name}").parse(),
    }
}

/// Returns the endpoint of the dead letters of `endpoint`; `None` when its name is too long to have any.
pub(crate) fn dead_letters(endpoint: &EndpointId) -> Option<EndpointId> {
    format!("{DEAD_LETTERS}{endpoint}").parse().ok()
}

/// Returns the endpoint under which the use of the budget of `endpoint` is kept.
pub(crate) fn budget(endpoint: &EndpointId) -> Option<EndpointId> {
    format!("{BUDGET}{endpoint}").parse().ok()
}

/// Returns the route of what the hub keeps for itself.
#[expect(clippy::expect_used, reason = "the name is a constant that parses")]
pub(crate) fn own_route() -> RouteName {
    "$hub".parse().expect("a plain name parses")
}

/// Returns where messages are counted that no route wants.
#[expect(clippy::expect_used, reason = "the names are constants that parse")]
pub(crate) fn no_route() -> (QueueId, RouteName) {
    let endpoint = NO_ROUTE.parse().expect("a plain name parses");
    (QueueId::new(endpoint, Priority::DEFAULT), NO_ROUTE.parse().expect("a plain name parses"))
}

/// Returns whether an endpoint id names the dead letters of another endpoint.
pub(crate) fn is_dead_letter(endpoint: &EndpointId) -> bool {
    endpoint.as_str().starts_with(DEAD_LETTERS)
}

/// Returns whether a queue is the one where messages are counted that no route wants.
pub(crate) fn is_no_route(endpoint: &EndpointId) -> bool {
    endpoint.as_str() == NO_ROUTE
}

/// Returns whether an endpoint id is a name of the hub's own, which no pump serves.
pub(crate) fn is_own(endpoint: &EndpointId) -> bool {
    let name = endpoint.as_str();
    name.starts_with(DEAD_LETTERS) || name.starts_with(BUDGET) || name == NO_ROUTE
}

/// Returns whether an endpoint gets its messages from routes: only those are in the ledger.
pub(crate) fn is_routed(endpoint: &EndpointId) -> bool {
    !is_own(endpoint) && !endpoint.as_str().starts_with(MAIL) && endpoint.as_str() != FEEDBACK
}
