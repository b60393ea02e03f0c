//! Files of ONNX as models with declared mappings.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use edge_core::{Clock, SystemClock};
use serde_json::Value;

use super::golden;
use super::{ModelFactory, ModelFile, OpenError, Opened};
use crate::mapping::MappingSpec;
use crate::preflight::{Demands, Preflight};
use crate::serve::{Mapped, Translate};
use crate::signature::Signature;

/// Opens files of ONNX with what runs them best, after a [`Preflight`] that they must pass, and reads their mappings and
/// golden samples.
///
/// A mapping is the JSON of [`MappingSpec`]. Two versions with the same mapping and signature share its windows, so that a
/// swap does not empty them. Golden samples are a list of
/// `{"inputs": {NAME: {"shape": [1, 2], "values": [0.5, 1]}}, "outputs": {…}, "tolerance": 0.00001}`.
///
/// # Examples
/// ```
/// use edge_ml::Demands;
/// use edge_ml::registry::OnnxFactory;
///
/// let factory = OnnxFactory::new(Demands::default().max_memory_bytes(64 << 20)).with_base("/etc/edge");
/// ```
#[derive(Debug)]
pub struct OnnxFactory {
    demands: Demands,
    base: PathBuf,
    clock: Arc<dyn Clock>,
    shared: Mutex<Vec<Shared>>,
}

/// A mapping that some version has.
#[derive(Debug)]
struct Shared {
    mapping: Value,
    signature: Signature,
    mapped: Weak<Mapped>,
}

impl OnnxFactory {
    /// Returns the factory of models that keep to these demands.
    #[must_use]
    pub fn new(demands: Demands) -> Self {
        let (base, clock) = (PathBuf::from("."), Arc::new(SystemClock));
        Self { demands, base, clock, shared: Mutex::default() }
    }

    /// Sets the folder from which files of labels are looked for.
    #[must_use]
    pub fn with_base(mut self, base: impl Into<PathBuf>) -> Self {
        self.base = base.into();
        self
    }

    /// Sets the clock by which runs are timed.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    fn translate(
        &self,
        mapping: &Value,
        signature: &Signature,
    ) -> Result<Arc<dyn Translate>, Box<dyn std::error::Error>> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|shared| shared.mapped.strong_count() > 0);
        let same = shared.iter().find(|one| one.mapping == *mapping && one.signature == *signature);
        if let Some(mapped) = same.and_then(|one| one.mapped.upgrade()) {
            return Ok(mapped);
        }
        let spec: MappingSpec = serde_json::from_value(mapping.clone())?;
        let mapped = Arc::new(Mapped::new(spec.check(signature, &self.base)?));
        let (mapping, signature, mapped_weak) = (mapping.clone(), signature.clone(), Arc::downgrade(&mapped));
        shared.push(Shared { mapping, signature, mapped: mapped_weak });
        Ok(mapped)
    }
}

impl ModelFactory for OnnxFactory {
    fn open(&self, file: &ModelFile<'_>) -> Result<Opened, OpenError> {
        let refuse = |reason: String| OpenError::new(file, reason);
        let (report, model) = Preflight::run(file.bytes, &self.demands, &*self.clock);
        let objections: Vec<_> = report.objections.iter().map(ToString::to_string).collect();
        let Some(model) = model.filter(|_| objections.is_empty()) else {
            return Err(refuse(objections.join("; ")));
        };
        let signature = model.signature().clone();
        let Some(mapping) = file.mapping else {
            return Err(refuse(format!("it has no mapping; the model is {signature}")));
        };
        let translate = self.translate(mapping, &signature).map_err(|error| refuse(error.to_string()))?;
        let golden = file.golden.map(|golden| golden::read(golden, &signature)).transpose();
        let golden = golden.map_err(|what| refuse(format!("golden samples: {what}")))?.unwrap_or_default();
        Ok(Opened::new(model).with_translate(translate).with_golden(golden))
    }
}
