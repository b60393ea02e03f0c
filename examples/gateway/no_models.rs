//! What stands in the place of models in a gateway that was built without them.

use std::error::Error;
use std::sync::Arc;

use edge_core::Endpoint;
use edge_hub::HubHandle;

use crate::config::Config;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// No models.
#[derive(Clone)]
pub(crate) struct Models;

pub(crate) fn check(_: &Config) -> Fallible<()> {
    Ok(())
}

impl Models {
    pub(crate) fn open(_: &Config) -> Fallible<Self> {
        Ok(Self)
    }

    pub(crate) fn endpoints(&self) -> Vec<Arc<dyn Endpoint>> {
        Vec::new()
    }

    pub(crate) fn metrics(&self) -> String {
        String::new()
    }

    pub(crate) async fn start(&self, _: &HubHandle) {}

    pub(crate) async fn reload(&self, _: &Config, _: &HubHandle) -> Fallible<()> {
        Ok(())
    }

    pub(crate) async fn stop(&self) {}
}
