//! Tests of the life cycle, in virtual time and on files in memory.

mod crashes;
mod driver;
mod gates;
mod metrics;
mod stages;
mod under_load;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use edge_core::Timestamp;
use edge_core::testing::clock::ManualClock;
use serde_json::{Value, json};

use super::{Lifecycle, Next, Serving, ServingLimits};
use crate::registry::{
    Files, Golden, MemoryFiles, ModelFactory, ModelFile, OpenError, Opened, Registry, RegistryOptions, Sha256,
};
use crate::{Affine, InferenceModel, RunError, Signature, Tensor, TensorView};

/// A model whose file says what it does: words, the first a factor.
#[derive(Clone, Debug)]
pub(super) struct Scripted {
    inner: Affine,
    script: String,
    runs: u64,
    clock: ManualClock,
}

impl InferenceModel for Scripted {
    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, RunError> {
        self.runs += 1;
        let has = |word: &str| self.script.contains(word);
        assert!(!has("panics") || !self.runs.is_multiple_of(50), "as the script says");
        if has("fails") && self.runs.is_multiple_of(10) {
            return Err(RunError::Failed { reason: "as the script says".into() });
        }
        if has("overruns") && self.runs.is_multiple_of(40) {
            self.clock.advance(Duration::from_secs(60));
        }
        if has("slow") {
            self.clock.advance(Duration::from_millis(30));
        }
        self.inner.run(inputs)
    }

    fn fork(&self) -> Box<dyn InferenceModel> {
        Box::new(self.clone())
    }
}

#[derive(Debug)]
pub(super) struct Scripts(ManualClock);

impl ModelFactory for Scripts {
    fn open(&self, file: &ModelFile<'_>) -> Result<Opened, OpenError> {
        let script = String::from_utf8(file.bytes.to_vec()).unwrap();
        assert!(!script.contains("breaks"), "as the script says");
        let factor = script.split(' ').next().and_then(|word| word.parse::<f32>().ok());
        let factor = factor.ok_or_else(|| OpenError::new(file, "it is no script"))?;
        let inner = Affine::new(&[factor, factor], &[0.0, 0.0]).unwrap();
        let expected = if script.contains("lies") { factor + 1.0 } else { factor };
        let golden = Golden::new(vec![row(1.0)], vec![row(expected)], 1e-6);
        let model = Scripted { inner, script, runs: 0, clock: self.0.clone() };
        Ok(Opened::new(Box::new(model)).with_golden(vec![golden]))
    }
}

pub(super) fn row(value: f32) -> Tensor {
    Tensor::new([1, 2], vec![value, value]).unwrap()
}

/// A gateway with one model.
pub(super) struct World {
    pub(super) files: MemoryFiles,
    pub(super) clock: ManualClock,
    pub(super) life: Lifecycle,
    pub(super) serving: Arc<Serving>,
    requests: u64,
}

impl World {
    pub(super) fn new() -> Self {
        Self::on(MemoryFiles::default(), RegistryOptions::default())
    }

    pub(super) fn on(files: MemoryFiles, options: RegistryOptions) -> Self {
        let clock = ManualClock::new(Timestamp::from_unix_ms(1_767_225_600_000));
        let (name, disk) = ("m".parse().unwrap(), Arc::new(files.clone()));
        let registry = Registry::open_on(disk, Path::new("/models"), name, options).unwrap();
        let serving = Arc::new(Serving::new(Arc::new(clock.clone()), ServingLimits::default()));
        let mut life = Lifecycle::new(registry, Arc::new(Scripts(clock.clone())), Arc::clone(&serving));
        life.patience = Duration::from_secs(60);
        Self { files, clock, life, serving, requests: 0 }
    }

    /// Returns a gateway in which version 1 was committed.
    pub(super) fn with_first() -> Self {
        let mut world = Self::new();
        world.desire(&document(&world.files, "1", "2"));
        world.settle();
        assert_eq!(world.committed().as_deref(), Some("1"), "{}", world.life.reported());
        world
    }

    pub(super) fn desire(&mut self, document: &Value) {
        self.life.desire(document).unwrap();
    }

    /// Asks for one answer, and checks that it is right for the version that gave it.
    pub(super) fn ask(&mut self) -> Option<String> {
        self.requests += 1;
        let value = (self.requests % 7) as f32;
        let device = format!("device-{}", self.requests % 500);
        let answer = self.serving.run(&device, &[row(value).view()]).ok()?;
        self.serving.compare_one();
        Some(answer.generation.version().to_string())
    }

    /// Ticks while something is to be done at once.
    pub(super) fn tick(&mut self) -> Next {
        for _ in 0..50 {
            match self.life.tick() {
                Next::Again => {}
                next => return next,
            }
        }
        panic!("it never comes to rest: {}", self.life.reported());
    }

    /// Goes on with traffic until there is no candidate any more; every request is answered once something serves.
    pub(super) fn settle(&mut self) {
        for _ in 0..3000 {
            self.tick();
            if self.life.registry.record().candidate.is_none() {
                return;
            }
            for _ in 0..5 {
                let serves = self.serving.main().is_some();
                assert_eq!(self.ask().is_some(), serves, "{}", self.life.reported());
            }
            self.clock.advance(Duration::from_secs(1));
        }
        panic!("it is never decided: {}", self.life.reported());
    }

    pub(super) fn committed(&self) -> Option<String> {
        self.life.registry.record().current_entry().map(|entry| entry.desired.version.to_string())
    }

    /// Returns why the version that was rolled back last was.
    pub(super) fn rolled_back(&self) -> Option<String> {
        self.life.registry.record().rejected.last().map(|rejected| rejected.reason.clone())
    }
}

/// Puts a file where it can be fetched from, and returns the document that asks for it.
pub(super) fn document(files: &MemoryFiles, version: &str, script: &str) -> Value {
    let file = format!("/origin/{version}");
    files.write(Path::new(&file), 0, script.as_bytes()).unwrap();
    files.sync(Path::new(&file)).unwrap();
    files.sync_dir(Path::new("/origin")).unwrap();
    json!({
        "model": "m", "version": version, "sha256": Sha256::of(script.as_bytes()).to_string(), "file": file,
        "policy": {
            "shadow": { "samples": 20, "seconds": 2 },
            "canary": { "percent": 50, "samples": 20, "seconds": 2 },
            "probation": { "samples": 100, "seconds": 5 },
            "gates": { "errorRate": 0.05, "p99Ms": 20, "divergence": 0.3, "drift": 5 },
            "timeLimitMs": 1000
        }
    })
}
