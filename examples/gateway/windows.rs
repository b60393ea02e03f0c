//! Windows of the configuration, run by the gateway.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use edge_core::{Report, SystemClock};
use edge_hub::HubHandle;
use edge_stream::WindowEndpoint;

use crate::config::Config;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Opens all windows, with what is kept of them in `windows/<name>` of the state folder.
pub(crate) fn open(config: &Config) -> Fallible<Vec<Arc<WindowEndpoint>>> {
    let mut all = Vec::new();
    for definition in &config.windows {
        let folder = config.state_dir.join("windows").join(definition.name());
        let endpoint =
            WindowEndpoint::open(&config.device_id, definition.clone(), Some(&folder), Arc::new(SystemClock));
        all.push(Arc::new(endpoint.map_err(|error| format!("windows: {}", Report(&error)))?));
    }
    Ok(all)
}

/// Gives each the session by which it sends its results.
pub(crate) fn connect(all: &[Arc<WindowEndpoint>], config: &Config, hub: &HubHandle) -> Fallible<()> {
    for windows in all {
        let identity = format!("{}/{}", config.device_id, windows.name()).parse()?;
        windows.connect(hub.session(identity)?);
    }
    Ok(())
}

/// Closes the windows of what is silent, once a second; runs until dropped.
pub(crate) async fn run(all: Vec<Arc<WindowEndpoint>>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        for windows in &all {
            if let Err(error) = windows.tick().await {
                tracing::warn!(windows = windows.name(), error = %Report(&error), "results wait");
            }
        }
    }
}
