//! Windows as an endpoint of a gateway.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use edge_core::{
    BatchLimit, Clock, DeviceId, Endpoint, EndpointError, EndpointId, Message, Origin, Outcome, Report,
    Session, Stored,
};
use tokio::sync::Notify;

use crate::config::{Definition, OnError};
use crate::hash::fnv;
use crate::journal::{self, Journal};
use crate::operator::Counts;
use crate::recent::Recent;
use crate::seen::Mark;
use crate::state::{State, Step, Waiting, ms};

pub use crate::journal::OpenError;

/// The most results that are sent at once.
const SEND: usize = 256;

/// Windows as the input of a module: takes what routes lead to `/modules/<name>/inputs/in`, and sends results as
/// `/messages/modules/<name>/outputs/<output>`.
///
/// It is given to the gateway as an endpoint, and gets a session of the gateway's to send results by
/// ([`WindowEndpoint::connect`]); until then messages wait in their queue. [`WindowEndpoint::run`] sees to the windows
/// of keys that are silent.
///
/// # What survives
/// A batch is accepted when its events are in a journal on the disk, and its results have been taken by the gateway.
/// After `kill -9` or the loss of power the state is that of the last batch in the journal:
/// - no event is lost: a batch that was not accepted comes again;
/// - none is counted twice: what was counted is recognised by route, place in the queue and content, for the last
///   16,384 messages of each route;
/// - no result is lost: those that the gateway may not have taken are sent again. One that it had taken comes twice if
///   the process ended in the moment between its answer and the note of it in the journal. Both have the same
///   `messageId`, and the same content; other windows recognise it with `distinct = "$messageId"`.
///
/// Without a folder nothing survives: events of windows that were open are gone.
#[derive(Debug)]
pub struct WindowEndpoint {
    id: EndpointId,
    definition: Arc<Definition>,
    clock: Arc<dyn Clock>,
    core: tokio::sync::Mutex<Core>,
    disk: Option<Arc<Disk>>,
    session: Mutex<Option<(Box<dyn Session>, Origin)>>,
    connected: Notify,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Core {
    state: State,
    /// Messages that were refused lately, which count once however often they are tried.
    refused: Recent,
}

/// The folder, and steps that are not in it yet. Who holds both locks took that of the journal first.
#[derive(Debug)]
struct Disk {
    journal: Mutex<Journal>,
    steps: Mutex<Steps>,
}

#[derive(Debug, Default)]
struct Steps {
    bytes: Vec<u8>,
    /// How many steps were ever made.
    made: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    /// Writes the steps that wait; those who come at the same time take turns, and nothing is written out of order.
    fn write(&self, sync: bool) -> std::io::Result<()> {
        let mut journal = lock(&self.journal);
        let steps = std::mem::take(&mut lock(&self.steps).bytes);
        if steps.is_empty() { Ok(()) } else { journal.append(&steps, sync) }
    }

    /// Puts a snapshot of the state after `made` steps in the place of the journal.
    ///
    /// The call that asked for it may have been cancelled, and others may have made steps since: then nothing is
    /// replaced, for those steps would be lost with the journal.
    fn replace(&self, snapshot: &[u8], made: u64) -> std::io::Result<()> {
        let mut journal = lock(&self.journal);
        {
            let mut steps = lock(&self.steps);
            if steps.made != made {
                return journal.check();
            }
            steps.bytes.clear();
        }
        journal.replace(snapshot)
    }
}

impl WindowEndpoint {
    /// Opens windows of the edge device `device`, with what is kept of them in `folder`; without one nothing is kept.
    ///
    /// # Errors
    /// [`OpenError`] when the folder cannot be used; what is in it stays as it is.
    pub fn open(
        device: &DeviceId,
        definition: Definition,
        folder: Option<&Path>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let definition = Arc::new(definition);
        let (mut state, mut disk) = (State::new(definition.clone()), None);
        if let Some(folder) = folder {
            let opened = Journal::open(folder, &definition)?;
            if opened.cut_bytes > 0 {
                let (bytes, window) = (opened.cut_bytes, definition.name());
                tracing::warn!(window, bytes, "the end of the journal is no whole record, and was cut off");
            }
            state = opened.state;
            disk = Some(Arc::new(Disk { journal: Mutex::new(opened.journal), steps: Mutex::default() }));
        }
        let id = EndpointId::module_input(device, &definition.name, &definition.input);
        let counts = Mutex::new(state.operator.counts);
        let core = tokio::sync::Mutex::new(Core { state, refused: Recent::new(1024) });
        let (session, connected) = (Mutex::default(), Notify::new());
        Ok(Self { id, definition, clock, core, disk, session, connected, counts })
    }

    /// Returns the name of the windows, which is that of the module.
    #[must_use]
    pub fn name(&self) -> &str {
        self.definition.name()
    }

    /// Sets the session by which results are sent; it must be that of the module.
    pub fn connect(&self, session: Box<dyn Session>) {
        let origin = Origin::new(session.authenticated());
        *lock(&self.session) = Some((session, origin));
        self.connected.notify_one();
    }

    /// Returns what was counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        *lock(&self.counts)
    }

    /// Closes the windows of keys that have been silent for too long, and sends their results.
    ///
    /// # Errors
    /// [`EndpointError`] when the disk or the gateway did not take them; they are sent by a later call.
    ///
    /// # Cancel safety
    /// Cancel-safe: what was not sent is sent by a later call.
    pub async fn tick(&self) -> Result<(), EndpointError> {
        let mut core = self.core.lock().await;
        self.tick_at(&mut core, ms(self.clock.wall()));
        self.settle(&mut core).await
    }

    fn tick_at(&self, core: &mut Core, now: i64) {
        if core.state.operator.next_tick().is_some_and(|at| at <= now) {
            self.step(core, Step::Tick { now });
        }
    }

    /// Makes a step, and notes it for the journal.
    fn step(&self, core: &mut Core, mut step: Step) {
        let is_late = core.state.apply(&step);
        if let Step::Event { message, .. } = &mut step
            && !is_late
        {
            *message = None;
        }
        if let Some(disk) = &self.disk {
            let mut steps = lock(&disk.steps);
            journal::put(&step, &mut steps.bytes);
            steps.made += 1;
        }
    }

    fn take(&self, core: &mut Core, stored: &Stored) -> Outcome {
        let mark = Mark::of(stored);
        if core.state.seen.contains(&mark) {
            core.state.operator.counts.redelivered += 1;
            return Outcome::Accepted;
        }
        let now = self.clock.wall();
        match self.definition.read(&stored.message, stored.enqueued, now) {
            Ok(event) => {
                let message = core.state.keeps_messages().then(|| stored.message.clone());
                self.step(core, Step::Event { mark, event, now: ms(now), message });
            }
            Err(error) if self.definition.on_error == OnError::DeadLetter => {
                if core.refused.insert(fnv([mark.route.as_bytes(), &mark.offset.to_le_bytes()])) {
                    core.state.operator.counts.errors += 1;
                }
                return Outcome::Rejected { reason: Report(&error).to_string() };
            }
            Err(error) => {
                tracing::debug!(window = self.name(), error = %Report(&error), "a message is no event");
                let sent = self.definition.on_error == OnError::Send;
                self.step(core, Step::Error { mark, message: sent.then(|| stored.message.clone()) });
            }
        }
        Outcome::Accepted
    }

    /// Makes steps durable, sends what waits, and notes that it was sent.
    async fn settle(&self, core: &mut Core) -> Result<(), EndpointError> {
        *lock(&self.counts) = core.state.operator.counts;
        self.write(core, true).await?;
        let sends = !core.state.waiting.is_empty();
        while !core.state.waiting.is_empty() {
            let receipt = {
                let mut session = lock(&self.session);
                let Some((session, origin)) = &mut *session else { return Err(EndpointError::Absent) };
                let batch =
                    core.state.waiting.iter().take(SEND).map(|waiting| stamped(waiting, origin)).collect();
                session.publish(batch)
            };
            let messages = core.state.waiting.len().min(SEND);
            receipt.await.map_err(|error| EndpointError::Local {
                what: format!("sending results of {}", self.name()),
                source: error.into(),
            })?;
            self.step(core, Step::Sent { messages });
        }
        if sends {
            self.write(core, false).await?;
        }
        self.shorten(core, false).await
    }

    /// Brings the steps that wait to the disk; after a failed write, by a snapshot of everything.
    async fn write(&self, core: &Core, sync: bool) -> Result<(), EndpointError> {
        let Some(disk) = self.disk.clone() else { return Ok(()) };
        if lock(&disk.journal).check().is_err() {
            return self.shorten(core, true).await;
        }
        if lock(&disk.steps).bytes.is_empty() {
            return Ok(());
        }
        self.on_disk(move || disk.write(sync)).await
    }

    /// Puts a snapshot in the place of a long journal.
    async fn shorten(&self, core: &Core, always: bool) -> Result<(), EndpointError> {
        let Some(disk) = self.disk.clone() else { return Ok(()) };
        let generation = {
            let journal = lock(&disk.journal);
            (always || journal.is_full()).then(|| journal.next())
        };
        let Some(generation) = generation else { return Ok(()) };
        let (snapshot, made) = (core.state.encode(generation), lock(&disk.steps).made);
        self.on_disk(move || disk.replace(&snapshot, made)).await
    }

    async fn on_disk(
        &self,
        work: impl FnOnce() -> std::io::Result<()> + Send + 'static,
    ) -> Result<(), EndpointError> {
        let what = || format!("writing the state of {}", self.name());
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(EndpointError::Local { what: what(), source: error.into() }),
            Err(error) => Err(EndpointError::Local { what: what(), source: error.into() }),
        }
    }
}

fn stamped(waiting: &Waiting, origin: &Origin) -> Message {
    let mut builder = waiting.message.to_builder();
    origin.stamp(&mut builder, Some(&waiting.output));
    builder.build()
}

#[async_trait]
impl Endpoint for WindowEndpoint {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn batch_limit(&self) -> BatchLimit {
        BatchLimit::new(std::num::NonZeroUsize::MIN.saturating_add(1023), 4 << 20)
    }

    async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        if lock(&self.session).is_none() {
            return Err(EndpointError::Absent);
        }
        let mut core = self.core.lock().await;
        let outcomes = batch.iter().map(|stored| self.take(&mut core, stored)).collect();
        self.tick_at(&mut core, ms(self.clock.wall()));
        self.settle(&mut core).await?;
        Ok(outcomes)
    }

    async fn ready(&self) {
        if lock(&self.session).is_none() {
            self.connected.notified().await;
        } else {
            std::future::pending().await
        }
    }

    async fn close(&self) {
        let core = self.core.lock().await;
        if let Err(error) = self.shorten(&core, true).await {
            tracing::warn!(window = self.name(), error = %Report(&error), "no snapshot could be written");
        }
        *lock(&self.session) = None;
    }
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
