//! Models of the configuration, run by the gateway: each is a module whose twin says which version is to serve.

mod model;
mod tasks;

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use edge_core::{DeviceId, Endpoint};
use edge_hub::HubHandle;
use edge_ml::registry::Sha256;
use serde_json::Value;

use crate::config::{Config, ModelSpec};
use model::Model;
use tasks::Tasks;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// The models of the gateway; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Models {
    all: Arc<Mutex<Vec<Arc<Model>>>>,
    tasks: Arc<tokio::sync::Mutex<Tasks>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says what is wrong with what the models refer to.
pub(crate) fn check(config: &Config) -> Fallible<()> {
    for spec in &config.models {
        model::parts(spec).map_err(|error| format!("models: {}: {error}", spec.name))?;
    }
    Ok(())
}

impl Models {
    /// Makes all models; they are run by [`Models::start`].
    pub(crate) fn open(config: &Config) -> Fallible<Self> {
        let models = Self::default();
        for spec in &config.models {
            lock(&models.all).push(Arc::new(Model::new(&config.device_id, spec, &config.state_dir)?));
        }
        Ok(models)
    }

    /// Returns their endpoints.
    pub(crate) fn endpoints(&self) -> Vec<Arc<dyn Endpoint>> {
        lock(&self.all).iter().map(|model| model.endpoint.clone() as Arc<dyn Endpoint>).collect()
    }

    /// Returns their metrics.
    pub(crate) fn metrics(&self) -> String {
        let all = lock(&self.all).clone();
        let metrics: Vec<_> = all.iter().filter_map(|model| model.metrics()).collect();
        edge_ml::rollout::prometheus(&metrics)
    }

    /// Lets them run.
    pub(crate) async fn start(&self, hub: &HubHandle) {
        let mut tasks = self.tasks.lock().await;
        for model in lock(&self.all).iter() {
            tasks.start(model.name().to_owned(), model.clone().run(hub.clone()));
        }
    }

    /// Makes them those of another configuration; one that has not changed runs on.
    pub(crate) async fn reload(&self, config: &Config, hub: &HubHandle) -> Fallible<()> {
        let before = lock(&self.all).clone();
        let keeps = |spec: &ModelSpec| before.iter().find(|model| model.spec == *spec).cloned();
        let mut made = Vec::new();
        for spec in &config.models {
            let kept = keeps(spec);
            let is_new = kept.is_none();
            let model = match kept {
                Some(model) => model,
                None => Arc::new(Model::new(&config.device_id, spec, &config.state_dir)?),
            };
            made.push((model, is_new));
        }
        let mut tasks = self.tasks.lock().await;
        for gone in before.iter().filter(|one| !made.iter().any(|(model, _)| Arc::ptr_eq(model, one))) {
            tasks.stop(gone.name()).await;
            hub.remove_endpoint(gone.endpoint.id()).await;
        }
        for (model, _) in made.iter().filter(|(_, is_new)| *is_new) {
            hub.set_endpoint(model.endpoint.clone()).await;
            tasks.start(model.name().to_owned(), model.clone().run(hub.clone()));
        }
        *lock(&self.all) = made.into_iter().map(|(model, _)| model).collect();
        Ok(())
    }

    /// Ends them in order.
    pub(crate) async fn stop(&self) {
        let mut tasks = self.tasks.lock().await;
        let all = lock(&self.all).clone();
        for model in all {
            tasks.stop(model.name()).await;
        }
    }
}

/// Fills in what a wish leaves out: the checksum, and the version, which then is the checksum's beginning.
pub(crate) fn complete(desired: &mut Value, sha256: impl FnOnce() -> Option<String>) {
    let Some(members) = desired.as_object_mut() else { return };
    if !members.contains_key("sha256")
        && let Some(sum) = sha256()
    {
        members.insert("sha256".into(), sum.into());
    }
    if !members.contains_key("version") {
        let sum = members.get("sha256").and_then(Value::as_str).filter(|sum| !sum.is_empty());
        let version: String = sum.unwrap_or("unknown").chars().take(12).collect();
        members.insert("version".into(), version.into());
    }
}

/// Returns the checksum of a file.
fn sum(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).map_err(|error| {
        tracing::error!(file = %path.display(), %error, "the model's file cannot be read");
    });
    Some(Sha256::of(&bytes.ok()?).to_string())
}

/// Returns the identity of a model's module.
fn identity(device: &DeviceId, name: &str) -> Fallible<edge_core::Identity> {
    Ok(format!("{device}/{name}").parse()?)
}
