//! Desired properties of the hub.

use edge_routing::{CompileOptions, EdgeHubConfig, MAX_ROUTES, Router};

/// Reads a configuration in JSON, and compiles the routes in it.
///
/// # Panics
/// Panics when something does not hold.
pub fn desired(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match EdgeHubConfig::parse(text) {
        Ok(config) => {
            assert!(config.routes.len() <= MAX_ROUTES);
            assert_eq!(EdgeHubConfig::parse(text).as_ref(), Ok(&config), "the same text says the same");
            let _printed = config.warnings.to_string();
            if let Err(errors) = Router::compile(&config.routes, &CompileOptions::new()) {
                assert!(!errors.to_string().is_empty());
            }
        }
        Err(errors) => assert!(!errors.to_string().is_empty(), "refused for no reason"),
    }
}
