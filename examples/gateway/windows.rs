//! Windows of the configuration, run by the gateway.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use edge_core::{Endpoint, Report, SystemClock};
use edge_hub::HubHandle;
use edge_stream::{Definition, WindowEndpoint};

use crate::config::Config;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Windows that run, and what they were made of.
type Running = (Definition, Arc<WindowEndpoint>);

/// The windows of the gateway; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Windows(Arc<Mutex<Vec<Running>>>);

fn made(config: &Config, definition: &Definition) -> Fallible<Running> {
    let folder = config.state_dir.join("windows").join(definition.name());
    let clock = Arc::new(SystemClock);
    let endpoint = WindowEndpoint::open(&config.device_id, definition.clone(), Some(&folder), clock);
    let endpoint = endpoint.map_err(|error| format!("windows: {}", Report(&error)))?;
    Ok((definition.clone(), Arc::new(endpoint)))
}

/// Makes windows, once whoever had their folder has let go of it.
async fn made_soon(config: &Config, definition: &Definition) -> Fallible<Running> {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..100 {
        match made(config, definition) {
            Err(error) if error.to_string().ends_with("is in use") => {}
            other => return other,
        }
        ticks.tick().await;
    }
    made(config, definition)
}

/// Returns whether two declarations say the same.
fn same(left: &Definition, right: &Definition) -> bool {
    format!("{left:?}") == format!("{right:?}")
}

/// Gives windows the session by which they send their results.
fn connect((_, windows): &Running, hub: &HubHandle) -> Fallible<()> {
    // The id of a module's input is `DEVICE/MODULE/INPUT`.
    let id = windows.id().as_str();
    let identity = id.rsplit_once('/').map_or(id, |(module, _)| module).parse()?;
    windows.connect(hub.session(identity)?);
    Ok(())
}

impl Windows {
    /// Opens all windows, with what is kept of them in `windows/<name>` of the state folder.
    pub(crate) fn open(config: &Config) -> Fallible<Self> {
        let all = config.windows.iter().map(|definition| made(config, definition));
        Ok(Self(Arc::new(Mutex::new(all.collect::<Fallible<_>>()?))))
    }

    fn all(&self) -> MutexGuard<'_, Vec<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns their endpoints.
    pub(crate) fn endpoints(&self) -> Vec<Arc<dyn Endpoint>> {
        self.all().iter().map(|(_, windows)| windows.clone() as Arc<dyn Endpoint>).collect()
    }

    /// Gives each the session by which it sends its results.
    pub(crate) fn connect(&self, hub: &HubHandle) -> Fallible<()> {
        self.all().iter().try_for_each(|windows| connect(windows, hub))
    }

    /// Returns their metrics.
    pub(crate) fn metrics(&self) -> String {
        let all = self.all();
        edge_stream::prometheus(all.iter().map(|(_, windows)| (windows.name(), windows.counts())))
    }

    /// Makes them those of another configuration; what has not changed goes on.
    ///
    /// What is kept of windows is theirs alone: those that say something else under the same name are refused, and the ones
    /// before go on.
    pub(crate) async fn reload(&self, config: &Config, hub: &HubHandle) -> Fallible<()> {
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut *self.all())
            .into_iter()
            .partition(|(before, _)| config.windows.iter().any(|after| same(before, after)));
        *self.all() = kept.clone();
        let mut before = Vec::new();
        for (definition, windows) in gone {
            // They write down what they have; messages wait in their queues.
            hub.remove_endpoint(windows.id()).await;
            before.push(definition);
        }
        let mut refused = Ok(());
        for after in config.windows.iter().filter(|after| !kept.iter().any(|(kept, _)| same(kept, after))) {
            let mut windows = made_soon(config, after).await;
            if let Err(error) = windows {
                refused = Err(error);
                let Some(earlier) = before.iter().find(|before| before.name() == after.name()) else {
                    continue;
                };
                windows = made_soon(config, earlier).await;
            }
            let windows = windows?;
            connect(&windows, hub)?;
            hub.set_endpoint(windows.1.clone()).await;
            self.all().push(windows);
        }
        refused
    }

    /// Closes the windows of what is silent, once a second; runs until dropped.
    pub(crate) async fn run(&self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let all = self.all().clone();
            for (_, windows) in all {
                if let Err(error) = windows.tick().await {
                    tracing::warn!(windows = windows.name(), error = %Report(&error), "results wait");
                }
            }
        }
    }
}
