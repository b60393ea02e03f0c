//! A model as an endpoint of the gateway, and as the source of its results.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use async_trait::async_trait;
use edge_core::{
    Answered, BatchLimit, BoxError, DeviceId, Endpoint, EndpointError, EndpointId, Message, MessageBuilder,
    ModuleId, Origin, Outcome, PortName, QueueId, Session, Stored, SystemKey,
};
use tokio::sync::Notify;

use super::ModelPool;
use super::made::{EndpointStats, Made, OnError};
use super::memo::{Sent, Translated, key};
use super::{fixed, versions};
use crate::rollout::Serving;
use crate::tensor::Tensor;

/// From a message to the inputs of a model, and from its outputs to a message.
///
/// # Contract
/// - Both MUST depend on their arguments alone, as far as the message's id is concerned: a message may come again after
///   a crash, and its result must be the same.
pub trait Translate: fmt::Debug + Send + Sync + 'static {
    /// Returns one tensor for each input of the model; `None` when the message has no result, and is done with.
    ///
    /// # Errors
    /// Why there are none.
    fn inputs(&self, message: &Message) -> Result<Option<Vec<Tensor>>, BoxError>;

    /// Returns the message of the outputs for `message`; id, source and output are put on it later.
    ///
    /// # Errors
    /// Why there is none.
    fn result(&self, message: &Message, outputs: &[Tensor]) -> Result<MessageBuilder, BoxError>;

    /// Returns what happens to a message without a result, where that is not left to the endpoint.
    fn on_error(&self) -> Option<OnError> {
        None
    }
}

/// What runs the model.
#[derive(Debug)]
enum Server {
    /// One pool, replaced by hand.
    Fixed { pool: RwLock<ModelPool>, translate: Arc<dyn Translate> },
    /// The versions of a model, each with its mapping and its threads.
    Versions(Arc<Serving>),
}

/// A model as the input of a module: takes what routes lead to `/modules/<model>/inputs/<input>`, and sends results as
/// `/messages/modules/<model>/outputs/<output>`.
///
/// A message is accepted only when its result has been taken by the gateway, as durably as the gateway takes anything:
/// none is lost. Where the gateway's store can do it, as `edge_store::SegmentStore` does, the result is taken and the
/// message is done with in one step: after `kill -9` or the loss of power either both have happened or neither, and no
/// result is there twice. What has left the gateway before is beyond that: a far side may be sent again what it had taken
/// and not yet acknowledged. So a result has an id made of the message's route, place, time and content, which is the same
/// when it is made again; windows recognise it by `distinct = "$messageId"`.
///
/// While no session is connected, no version serves, or the model is bad, messages wait in their queue.
#[derive(Debug)]
pub struct ModelEndpoint {
    id: EndpointId,
    output: PortName,
    on_error: OnError,
    server: Server,
    session: Mutex<Option<(Box<dyn Session>, Origin)>>,
    changed: Notify,
    sent: Mutex<Sent>,
    translated: Mutex<Translated>,
    stats: Mutex<EndpointStats>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ModelEndpoint {
    /// Returns the endpoint of the input `input` of `model`, whose results leave by `output`.
    #[must_use]
    pub fn new(
        device: &DeviceId,
        model: &ModuleId,
        ports: (&PortName, PortName),
        pool: ModelPool,
        translate: Arc<dyn Translate>,
    ) -> Self {
        Self::serving(device, model, ports, Server::Fixed { pool: RwLock::new(pool), translate })
    }

    /// Returns the endpoint of the input `input` of `model`, whose messages are answered by the versions of the model: by
    /// which depends on the message's device. Each version has the mapping that its factory gave it.
    #[must_use]
    pub fn of_versions(
        device: &DeviceId,
        model: &ModuleId,
        ports: (&PortName, PortName),
        versions: Arc<Serving>,
    ) -> Self {
        Self::serving(device, model, ports, Server::Versions(versions))
    }

    fn serving(
        device: &DeviceId,
        model: &ModuleId,
        (input, output): (&PortName, PortName),
        server: Server,
    ) -> Self {
        Self {
            id: EndpointId::module_input(device, model, input),
            output,
            on_error: OnError::default(),
            server,
            session: Mutex::default(),
            changed: Notify::new(),
            sent: Mutex::default(),
            translated: Mutex::default(),
            stats: Mutex::default(),
        }
    }

    /// Sets what happens to a message that the model has no result for, where its mapping does not say it.
    #[must_use]
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// Sets the session by which results are sent; it must be that of the module.
    pub fn connect(&self, session: Box<dyn Session>) {
        let origin = Origin::new(session.authenticated());
        *lock(&self.session) = Some((session, origin));
        self.changed.notify_one();
    }

    /// Puts another model in the place of the one that serves; batches that have begun end with the one before. It does
    /// nothing to an endpoint of versions.
    pub fn replace(&self, other: ModelPool) {
        if let Server::Fixed { pool, .. } = &self.server {
            *pool.write().unwrap_or_else(PoisonError::into_inner) = other;
            self.changed.notify_one();
        }
    }

    /// Returns the pool that serves; `None` for an endpoint of versions.
    #[must_use]
    pub fn pool(&self) -> Option<ModelPool> {
        match &self.server {
            Server::Fixed { pool, .. } => Some(pool.read().unwrap_or_else(PoisonError::into_inner).clone()),
            Server::Versions(_) => None,
        }
    }

    /// Returns what became of the messages.
    #[must_use]
    pub fn stats(&self) -> EndpointStats {
        lock(&self.stats).clone()
    }

    /// Returns whether a message could be answered now.
    fn serves(&self) -> bool {
        match &self.server {
            Server::Fixed { pool, .. } => pool.read().unwrap_or_else(PoisonError::into_inner).bad().is_none(),
            Server::Versions(versions) => versions.serves(),
        }
    }

    /// Runs the model on the messages, and returns what each came to; `None` when there is no model.
    async fn infer(&self, batch: &[(u128, Stored)]) -> Option<Vec<Made>> {
        match &self.server {
            Server::Fixed { translate, .. } => {
                let pool = self.pool()?;
                Some(fixed::infer(&pool, translate, &self.translated, self.on_error, batch).await)
            }
            Server::Versions(versions) => {
                versions::infer(versions, &self.translated, self.on_error, batch).await
            }
        }
    }

    /// Sends results and what passes, and waits until the gateway has taken them; returns whose they are.
    async fn publish(
        &self,
        keys: &[u128],
        batch: &[Stored],
        made: &mut [Made],
    ) -> Result<Vec<u128>, EndpointError> {
        let (mut messages, mut sent, mut answered) = (Vec::new(), Vec::new(), Vec::new());
        let receipt = {
            let mut session = lock(&self.session);
            let Some((session, origin)) = session.as_mut() else { return Err(EndpointError::Absent) };
            for ((key, stored), made) in keys.iter().zip(batch).zip(made) {
                let Some(mut builder) = made.take_message() else { continue };
                builder.set_system(SystemKey::MessageId, &format!("{key:032x}"));
                origin.stamp(&mut builder, Some(&self.output));
                messages.push(builder.build());
                sent.push(*key);
                answer(&mut answered, &self.id, stored);
            }
            if messages.is_empty() {
                return Ok(sent);
            }
            session.publish_answers(messages, &answered)
        };
        match receipt.await {
            Ok(_) => Ok(sent),
            Err(error) => {
                if matches!(error, edge_core::StoreError::Closed) {
                    // The session is over; somebody connects another.
                    *lock(&self.session) = None;
                }
                Err(EndpointError::Interrupted { source: error.into() })
            }
        }
    }
}

/// Adds an entry to those that are answered.
fn answer(answered: &mut Vec<Answered>, endpoint: &EndpointId, stored: &Stored) {
    let end = stored.offset.saturating_add(1);
    match answered.last_mut() {
        Some(last) if last.offsets.end == stored.offset && last.queue.priority() == stored.priority => {
            last.offsets.end = end;
        }
        _ => {
            let queue = QueueId::new(endpoint.clone(), stored.priority);
            answered.push(Answered::new(queue, stored.offset..end));
        }
    }
}

#[async_trait]
impl Endpoint for ModelEndpoint {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn batch_limit(&self) -> BatchLimit {
        let options = match &self.server {
            Server::Fixed { pool, .. } => *pool.read().unwrap_or_else(PoisonError::into_inner).options(),
            Server::Versions(versions) => *versions.pools(),
        };
        let threads = options.threads.get();
        let messages = options.max_batch.get().saturating_mul(threads).min(options.max_requests.get());
        BatchLimit::new(NonZeroUsize::new(messages).unwrap_or(NonZeroUsize::MIN), 16 << 20)
    }

    async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        if lock(&self.session).is_none() || !self.serves() {
            return Err(EndpointError::Absent);
        }
        let keys: Vec<_> = batch.iter().map(|stored| key(&self.id, stored)).collect();
        let is_new: Vec<_> = {
            let sent = lock(&self.sent);
            keys.iter().map(|key| !sent.contains(*key)).collect()
        };
        let of_new = keys.iter().zip(batch).zip(&is_new).filter(|(_, new)| **new);
        let new: Vec<_> = of_new.map(|((key, stored), _)| (*key, stored.clone())).collect();
        let mut answers = self.infer(&new).await.ok_or(EndpointError::Absent)?.into_iter();
        let made = is_new
            .into_iter()
            .map(|is_new| if is_new { answers.next().unwrap_or(Made::Later) } else { Made::Repeated });
        let mut made: Vec<_> = made.collect();
        let sent = self.publish(&keys, batch, &mut made).await?;
        // From here to the answer nothing waits: what is counted is what the gateway hears.
        let (mut known, mut translated, mut stats) =
            (lock(&self.sent), lock(&self.translated), lock(&self.stats));
        sent.into_iter().for_each(|key| known.insert(key));
        let settle = |(key, made): (&u128, Made)| {
            if !matches!(made, Made::Later) {
                translated.forget(*key);
            }
            made.settle(&mut stats)
        };
        Ok(keys.iter().zip(made).map(settle).collect())
    }

    async fn ready(&self) {
        match &self.server {
            Server::Fixed { .. } => self.changed.notified().await,
            Server::Versions(versions) => tokio::select! {
                () = self.changed.notified() => {}
                () = versions.changed() => {}
            },
        }
    }

    async fn close(&self) {
        *lock(&self.session) = None;
    }
}
