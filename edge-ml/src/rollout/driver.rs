//! The task and the thread under a life cycle.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::lifecycle::{Lifecycle, Next, report};
use super::metrics::ModelMetrics;
use super::serving::Serving;
use crate::fetch::{Download, DownloadError, DownloadLimits, Fetch, Start};
use crate::registry::{Part, RegistryError};

/// So many threads may be stuck in models that do not end; then nothing is compared any more.
const MAX_STUCK: usize = 4;
/// What was fetched is written in pieces of this size.
const WRITE_BYTES: usize = 256 * 1024;

/// Drives the life of one model: fetches, ticks, compares beside the traffic, and reports.
///
/// # Examples
/// ```no_run
/// # async fn example(life: edge_ml::rollout::Lifecycle, fetch: std::sync::Arc<dyn edge_ml::fetch::Fetch>) {
/// use edge_ml::rollout::Driver;
/// use tokio::sync::watch;
///
/// let (desired, twin) = watch::channel(None);
/// let (reports, reported) = watch::channel(serde_json::Value::Null);
/// let driver = Driver::new(life, fetch, twin, reports);
/// tokio::join!(driver.run(), async {
///     desired.send_replace(Some(serde_json::json!({ "model": "anomaly" })));
///     println!("{}", *reported.borrow());
///     drop(desired);
/// });
/// # }
/// ```
#[derive(Debug)]
pub struct Driver {
    life: Arc<Mutex<Lifecycle>>,
    serving: Arc<Serving>,
    fetch: Arc<dyn Fetch>,
    desired: watch::Receiver<Option<Value>>,
    reported: watch::Sender<Value>,
    limits: DownloadLimits,
    side: SideThreads,
}

impl Driver {
    /// Returns the driver of a life: it reads what is desired from one channel and writes reports to another.
    #[must_use]
    pub fn new(
        life: Lifecycle,
        fetch: Arc<dyn Fetch>,
        desired: watch::Receiver<Option<Value>>,
        reported: watch::Sender<Value>,
    ) -> Self {
        let limits = DownloadLimits::new(life.registry().options().max_model_bytes);
        let serving = Arc::clone(life.serving());
        let life = Arc::new(Mutex::new(life));
        Self { life, serving, fetch, desired, reported, limits, side: SideThreads::default() }
    }

    /// Sets what is taken from a server at most.
    #[must_use]
    pub const fn with_limits(mut self, limits: DownloadLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Returns what shows the metrics of the model while it is driven.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor(Arc::clone(&self.life))
    }

    /// Runs until the channel of what is desired is closed.
    ///
    /// # Cancel safety
    /// Cancel-safe as a crash is: the next life goes on from what is on the disk.
    pub async fn run(mut self) {
        let mut is_new = true;
        while self.desired.has_changed().is_ok() {
            let wish = if is_new { self.desired.borrow_and_update().clone() } else { None };
            let next = self.tick(wish).await;
            self.side.man(&self.serving);
            is_new = match next {
                Next::Again => self.desired.has_changed().unwrap_or(false),
                Next::Wait(time) => matches!(timeout(time, self.desired.changed()).await, Ok(Ok(()))),
                Next::Fetch { generation, url } => {
                    let mut desired = self.desired.clone();
                    let outcome = tokio::select! {
                        outcome = self.download(generation, &url) => Some(outcome),
                        _ = desired.changed() => None,
                    };
                    if let Some(outcome) = outcome {
                        self.with_life(move |life| life.fetched(generation, outcome)).await;
                    }
                    self.desired.has_changed().unwrap_or(false)
                }
            };
        }
        self.side.send_home(&self.serving);
        self.with_life(|life| drop(life.close())).await;
    }

    async fn tick(&self, wish: Option<Value>) -> Next {
        let (next, report) = self
            .with_life(move |life| {
                if let Some(wish) = wish {
                    // Mistakes are in the report.
                    let _reported = life.desire(&wish);
                }
                (life.tick(), life.reported())
            })
            .await
            .unwrap_or((Next::Wait(Duration::from_secs(60)), Value::Null));
        self.reported.send_if_modified(|before| {
            let is_new = *before != report;
            *before = report;
            is_new
        });
        next
    }

    /// Does something with the life on a thread that may block; nothing when that panicked or the runtime ends.
    async fn with_life<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Lifecycle) -> T + Send + 'static,
    ) -> Option<T> {
        let life = Arc::clone(&self.life);
        let act = move || act(&mut life.lock().unwrap_or_else(PoisonError::into_inner));
        spawn_blocking(act).await.ok()
    }

    /// Fetches a file, from where the last try ended.
    async fn download(&self, generation: u64, url: &str) -> Result<u64, String> {
        let opened = self.with_life(move |life| life.part(generation)).await;
        let opened = opened.ok_or("the runtime ends")?.map_err(|error| report(&error))?;
        let (part, validator) = opened.ok_or("it is not wanted any more")?;
        let mut download = Download::new(self.limits, part.bytes(), validator);
        let silent = || format!("nothing came for {} s", self.limits.max_silence.as_secs());
        let request = download.request(url);
        let answer = timeout(self.limits.max_silence, self.fetch.fetch(&request)).await;
        let (head, mut body) = answer.map_err(|_| silent())?.map_err(|error| report(&error))?;
        let start = download.head(&head, self.serving.now());
        if matches!(start, Err(DownloadError::Changed | DownloadError::Range { .. })) {
            self.with_life(move |life| drop(life.tagged(generation, None))).await;
        }
        let mut part = part;
        if let Start::Anew { validator } = start.map_err(|error| report(&error))? {
            part = on_disk(part, Part::clear).await?;
            let noted = self.with_life(move |life| life.tagged(generation, validator)).await;
            noted.ok_or("the runtime ends")?.map_err(|error| report(&error))?;
        }
        let mut ended = None;
        while ended.is_none() {
            // What came before an error is kept: the next try goes on from there.
            let mut gathered = Vec::new();
            while ended.is_none() && gathered.len() < WRITE_BYTES {
                let chunk = timeout(self.limits.max_silence, body.chunk()).await;
                match chunk.map_err(|_| silent()).and_then(|chunk| chunk.map_err(|error| report(&error))) {
                    Ok(Some(chunk)) => match download.chunk(chunk.len(), self.serving.now()) {
                        Ok(()) => gathered.extend_from_slice(&chunk),
                        Err(error) => ended = Some(Err(report(&error))),
                    },
                    Ok(None) => ended = Some(Ok(())),
                    Err(error) => ended = Some(Err(error)),
                }
            }
            part = on_disk(part, move |part| part.append(&gathered)).await?;
        }
        ended.unwrap_or(Ok(()))?;
        download.end().map_err(|error| report(&error))?;
        let installed = spawn_blocking(move || part.install()).await.map_err(|error| report(&error))?;
        if installed.is_err() {
            self.with_life(move |life| drop(life.tagged(generation, None))).await;
        }
        installed.map_err(|error| report(&error))
    }
}

/// Does something with a file on a thread that may block, and gives it back.
async fn on_disk(
    mut part: Part,
    act: impl FnOnce(&mut Part) -> Result<(), RegistryError> + Send + 'static,
) -> Result<Part, String> {
    let done = spawn_blocking(move || act(&mut part).map(|()| part)).await;
    done.map_err(|error| report(&error))?.map_err(|error| report(&error))
}

/// Shows the metrics of a model; clones show the same.
#[derive(Clone, Debug)]
pub struct Monitor(Arc<Mutex<Lifecycle>>);

impl Monitor {
    /// Returns what is counted; it waits for a step of the life cycle that is under way.
    #[must_use]
    pub fn metrics(&self) -> ModelMetrics {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).metrics()
    }
}

/// The threads that compare: one at work, and those that are stuck in models.
#[derive(Debug, Default)]
struct SideThreads {
    threads: Vec<std::thread::JoinHandle<()>>,
    shift: Option<u64>,
}

impl SideThreads {
    /// Sees to it that somebody works in this shift.
    fn man(&mut self, serving: &Arc<Serving>) {
        let shift = serving.side.shift();
        if self.shift == Some(shift) {
            return;
        }
        self.threads.retain(|thread| !thread.is_finished());
        if self.threads.len() > MAX_STUCK {
            return;
        }
        let serving = Arc::clone(serving);
        let work = move || {
            while let Some(sample) = serving.side.wait(shift) {
                sample.compare(&**serving.clock());
            }
        };
        if let Ok(thread) = std::thread::Builder::new().name("edge-ml compare".into()).spawn(work) {
            self.threads.push(thread);
            self.shift = Some(shift);
        }
    }

    /// Ends the shift; a thread that is stuck in a model is left behind.
    fn send_home(&mut self, serving: &Serving) {
        serving.side.next_shift();
        self.threads.clear();
    }
}
