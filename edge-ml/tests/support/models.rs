//! Models whose files say what they do, and a gateway that has one of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use edge_core::{
    Endpoint as _, Message, MessageBuilder, Outcome, RouteName, Source, Stored, SystemClock, SystemKey,
    Timestamp,
};
use edge_ml::fetch::{Fetch, FetchBody, FetchError, FetchHead, FetchRequest};
use edge_ml::mapping::MappingSpec;
use edge_ml::registry::{
    Golden, ModelFactory, ModelFile, OpenError, Opened, Registry, RegistryError, RegistryOptions, Sha256,
};
use edge_ml::rollout::{Driver, Lifecycle, Monitor, Serving, ServingLimits};
use edge_ml::{
    Affine, InferenceModel, Mapped, ModelEndpoint, PoolOptions, RunError, Signature, Tensor, TensorView,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Gateway;

/// The value that a model with a flaw in its script does not like.
pub(crate) const POISON: f32 = 666.0;

/// A file of words, the first a factor, the others flaws.
#[derive(Clone, Debug)]
struct Scripted(Affine, String);

/// Does not return as long as the test runs.
fn hang() -> ! {
    loop {
        std::thread::park();
    }
}

impl Scripted {
    /// Answers what is no number: always, or where a value is poison.
    fn nan(&mut self, inputs: &[TensorView<'_>], always: bool) -> Result<Vec<Tensor>, RunError> {
        let values = inputs[0].values::<f32>().unwrap_or_default();
        let factors = self.0.run(inputs)?;
        let answers = values.iter().zip(factors[0].values::<f32>().unwrap_or_default());
        let answers =
            answers.map(|(value, answer)| if always || *value == POISON { f32::NAN } else { *answer });
        let answers = Tensor::new(inputs[0].shape(), answers.collect());
        Ok(vec![answers.map_err(|error| RunError::Failed { reason: error.to_string() })?])
    }
}

impl InferenceModel for Scripted {
    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, RunError> {
        let poisoned = inputs[0].values::<f32>().unwrap_or_default().contains(&POISON);
        match self.1.trim_start_matches("raw ") {
            "panics" => panic!("as the script says"),
            "loops" => hang(),
            "fails" => return Err(RunError::Failed { reason: "as the script says".into() }),
            "panics-on-poison" if poisoned => panic!("as the script says"),
            "loops-on-poison" if poisoned => hang(),
            flaw @ ("nan" | "nan-on-poison") => return self.nan(inputs, flaw == "nan"),
            _ => {}
        }
        self.0.run(inputs)
    }

    fn fork(&self) -> Box<dyn InferenceModel> {
        Box::new(self.clone())
    }
}

#[derive(Debug)]
pub(crate) struct Scripts;

impl ModelFactory for Scripts {
    fn open(&self, file: &ModelFile<'_>) -> Result<Opened, OpenError> {
        let refuse = |what: &dyn ToString| OpenError::new(file, what.to_string());
        let text = std::str::from_utf8(file.bytes).map_err(|error| refuse(&error))?;
        let (factor, flaw) = text.split_once(' ').unwrap_or((text, ""));
        let factor: f32 = factor.parse().map_err(|_| refuse(&"it is no script"))?;
        match flaw.trim_start_matches("raw ") {
            "breaks" => panic!("as the script says"),
            "never-opens" => hang(),
            _ => {}
        }
        let width = if flaw == "wide" { 3 } else { 2 };
        let inner = Affine::new(&vec![factor; width], &vec![0.0; width]).map_err(|error| refuse(&error))?;
        let raw = flaw.starts_with("raw");
        let input = if raw { json!({ "raw": true }) } else { json!({ "fields": ["$body.a", "$body.a"] }) };
        let spec = json!({
            "inputs": { "x": input },
            "outputs": { "y": { "from": "y", "take": "all" } },
        });
        let spec: MappingSpec = serde_json::from_value(spec).map_err(|error| refuse(&error))?;
        let mapping = spec.check(inner.signature(), Path::new(".")).map_err(|error| refuse(&error))?;
        let row = |value: f32| Tensor::new([1, 2], vec![value, value]).unwrap();
        let golden = Golden::new(vec![row(1.0)], vec![row(factor + f32::from(flaw == "lies"))], 1e-6);
        let golden = if flaw.is_empty() || flaw == "lies" { vec![golden] } else { Vec::new() };
        let opened = Opened::new(Box::new(Scripted(inner, flaw.to_owned()))).with_golden(golden);
        Ok(opened.with_translate(Arc::new(Mapped::new(mapping))))
    }
}

/// There is no server.
#[derive(Debug)]
pub(crate) struct Offline;

#[async_trait::async_trait]
impl Fetch for Offline {
    async fn fetch(&self, _: &FetchRequest) -> Result<(FetchHead, Box<dyn FetchBody>), FetchError> {
        Err(FetchError::new("connecting", "there is no server"))
    }
}

/// A gateway with one model, which can be started again on the same folder.
pub(crate) struct Site {
    folder: Arc<tempfile::TempDir>,
    pub(crate) gateway: Gateway,
    pub(crate) endpoint: ModelEndpoint,
    pub(crate) serving: Arc<Serving>,
    pub(crate) monitor: Monitor,
    desired: watch::Sender<Option<Value>>,
    pub(crate) reported: watch::Receiver<Value>,
    driver: tokio::task::JoinHandle<()>,
    offset: u64,
}

impl Site {
    pub(crate) fn new(pools: PoolOptions) -> Self {
        Self::on(Arc::new(tempfile::tempdir().unwrap()), pools)
    }

    fn on(folder: Arc<tempfile::TempDir>, pools: PoolOptions) -> Self {
        let path = folder.path().join("models");
        let open = || Registry::open(&path, "m".parse().unwrap(), RegistryOptions::default());
        // A step of the one before may be under way.
        let registry = loop {
            match open() {
                Ok(registry) => break registry,
                Err(RegistryError::InUse { .. }) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        };
        let serving = Serving::new(Arc::new(SystemClock), ServingLimits::default()).with_pools(pools);
        let serving = Arc::new(serving);
        let life = Lifecycle::new(registry, Arc::new(Scripts), Arc::clone(&serving));
        let life = life.with_open_limit(Duration::from_secs(1));
        let (desired, twin) = watch::channel(None);
        let (reports, reported) = watch::channel(Value::Null);
        let driver = Driver::new(life, Arc::new(Offline), twin, reports);
        let monitor = driver.monitor();
        #[expect(clippy::disallowed_methods, reason = "the test's own task")]
        let driver = tokio::spawn(driver.run());
        let ports = ("in".parse().unwrap(), "out".parse().unwrap());
        let endpoint = ModelEndpoint::of_versions(
            &"edge1".parse().unwrap(),
            &"m".parse().unwrap(),
            (&ports.0, ports.1),
            Arc::clone(&serving),
        );
        let gateway = Gateway::default();
        endpoint.connect(gateway.session("m"));
        Self { folder, gateway, endpoint, serving, monitor, desired, reported, driver, offset: 0 }
    }

    /// Ends as a crash does: nothing is put in order.
    pub(crate) async fn killed(self, pools: PoolOptions) -> Self {
        self.driver.abort();
        drop(self.driver.await);
        let folder = Arc::clone(&self.folder);
        drop((self.endpoint, self.serving, self.monitor));
        Self::on(folder, pools)
    }

    /// Asks for a version.
    pub(crate) fn desire(&self, version: &str, script: &str, policy: Value) {
        let path = self.folder.path().join(format!("{version}.script"));
        std::fs::write(&path, script).unwrap();
        let sha256 = Sha256::of(script.as_bytes()).to_string();
        self.desired.send_replace(Some(json!({
            "model": "m", "version": version, "file": path, "sha256": sha256, "policy": policy,
        })));
    }

    /// Waits for a report.
    pub(crate) async fn until(&mut self, what: impl FnMut(&Value) -> bool) -> Value {
        self.reported.wait_for(what).await.unwrap().clone()
    }

    /// Waits until a version is committed, with traffic where it needs some.
    pub(crate) async fn until_committed(&mut self, version: &str) {
        while self.reported.borrow()["current"]["version"] != version {
            if self.serving.main().is_some() {
                self.send_all(&[1.0; 4]).await;
            }
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn stored(&mut self, value: f32) -> Stored {
        self.offset += 1;
        stored(self.offset, &format!("device-{}", self.offset % 100), &format!(r#"{{"a":{value}}}"#))
    }

    /// Sends messages until none is released, and returns what became of each.
    pub(crate) async fn send_all(&mut self, values: &[f32]) -> Vec<Outcome> {
        let batch: Vec<_> = values.iter().map(|value| self.stored(*value)).collect();
        let mut outcomes = vec![Outcome::Released; batch.len()];
        while outcomes.contains(&Outcome::Released) {
            let places: Vec<_> =
                (0..batch.len()).filter(|place| outcomes[*place] == Outcome::Released).collect();
            let again: Vec<_> = places.iter().map(|place| batch[*place].clone()).collect();
            match self.endpoint.send(&again).await {
                Ok(all) => places.into_iter().zip(all).for_each(|(place, outcome)| outcomes[place] = outcome),
                Err(_) => tokio::task::yield_now().await,
            }
        }
        outcomes
    }

    /// Takes the factors of the results so far: both elements of an answer are of one version.
    pub(crate) fn factors(&self) -> Vec<f32> {
        let taken = std::mem::take(&mut self.gateway.far().taken);
        let factor = |message: &Message| {
            let body: Value = serde_json::from_slice(message.body()).unwrap();
            let both: Vec<f32> =
                body["y"].as_array().unwrap().iter().map(|y| y.as_f64().unwrap() as f32).collect();
            assert_eq!(both.len(), 2);
            assert_eq!(both[0], both[1], "an answer of two versions");
            both[0]
        };
        taken.iter().map(factor).collect()
    }
}

pub(crate) fn stored(offset: u64, device: &str, body: &str) -> Stored {
    let message: MessageBuilder = Message::builder(&Source::telemetry())
        .system(SystemKey::ConnectionDeviceId, device)
        .system(SystemKey::ContentType, "application/json")
        .system(SystemKey::ContentEncoding, "utf-8")
        .body(body.as_bytes());
    let route: RouteName = "r".parse().unwrap();
    Stored::new(offset, Timestamp::from_unix_ms(offset), None, route, message.build())
}

/// A policy without shadow and canary, whose probation is over after `samples` requests.
pub(crate) fn quick(samples: u64) -> Value {
    json!({ "probation": { "samples": samples, "seconds": 0 }, "timeLimitMs": 10_000 })
}

/// The policy with a time limit that a model which does not return overruns soon.
pub(crate) fn hasty(mut policy: Value) -> Value {
    policy["timeLimitMs"] = 200.into();
    policy
}
