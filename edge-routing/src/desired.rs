//! The desired properties of `$edgeHub`: routes, and how long and how much the store keeps.

mod read;

use alloc::string::String;
use alloc::vec::Vec;

use crate::diagnostic::Diagnostics;
use crate::route::RouteSpec;

/// A configuration of the original, read from its JSON: the desired properties of `$edgeHub`, or a whole deployment
/// manifest that contains them.
///
/// # Source
/// Route language §1: schema versions 1.0 to 1.3, routes as text or as objects.
///
/// # Examples
/// ```
/// use edge_routing::EdgeHubConfig;
/// let config = EdgeHubConfig::parse(r#"{
///     "schemaVersion": "1.1",
///     "routes": {
///         "all": "FROM /messages/* INTO $upstream",
///         "hot": {"route": "FROM /messages/* WHERE hot = '1' INTO $upstream", "priority": 0, "timeToLiveSecs": 60}
///     },
///     "storeAndForwardConfiguration": {"timeToLiveSecs": 7200}
/// }"#)?;
/// assert_eq!(config.routes.len(), 2);
/// assert_eq!(config.routes[1].priority, Some(0));
/// assert_eq!(config.time_to_live_secs, Some(7200));
/// # Ok::<(), edge_routing::Diagnostics>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EdgeHubConfig {
    /// The version of the schema, as written.
    pub schema_version: String,
    /// The routes, in the order of the document. Their texts are not yet compiled.
    pub routes: Vec<RouteSpec>,
    /// How long undelivered messages are kept, in seconds, where a route says nothing else; −1: for ever.
    pub time_to_live_secs: Option<i64>,
    /// How much the store may hold, in bytes: `storeLimits.maxSizeBytes`.
    pub store_max_bytes: Option<u64>,
    /// The modules of the deployment, where the document names them.
    pub modules: Option<Vec<String>>,
    /// What the document does that it does not seem to say.
    pub warnings: Diagnostics,
}

impl EdgeHubConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Everything that is wrong with the document, save the texts of routes, which [`Router::compile`] checks.
    ///
    /// [`Router::compile`]: crate::Router::compile
    pub fn parse(json: &str) -> Result<Self, Diagnostics> {
        read::parse(json)
    }
}

#[cfg(test)]
mod tests;
