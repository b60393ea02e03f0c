//! A model as an endpoint of the gateway, and as the source of its results.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use async_trait::async_trait;
use edge_core::{
    BatchLimit, BoxError, DeviceId, Endpoint, EndpointError, EndpointId, Message, MessageBuilder, ModuleId,
    Origin, Outcome, PortName, Report, Session, Stored, SystemKey,
};
use tokio::sync::Notify;

use super::ModelPool;
use crate::model::RunError;
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
}

/// What happens to a message that the model has no result for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// It is rejected: the gateway sets it aside, with the reason.
    #[default]
    DeadLetter,
    /// It leaves by the output as it came, with the reason in the property `inferenceError`.
    PassThrough,
    /// It is dropped, and counted by [`ModelEndpoint::dropped`].
    Drop,
}

/// A model as the input of a module: takes what routes lead to `/modules/<model>/inputs/<input>`, and sends results as
/// `/messages/modules/<model>/outputs/<output>`.
///
/// A message is accepted only when its result has been taken by the gateway, as durably as the gateway takes anything:
/// none is lost. A result has an id made of the message's route, place, time and content. A message that comes again in
/// the same process has its result sent once; when the process ends between the result's acceptance and the message's,
/// the result comes twice, with the same `messageId`.
///
/// While no session is connected, or the model is bad, messages wait in their queue.
#[derive(Debug)]
pub struct ModelEndpoint {
    id: EndpointId,
    output: PortName,
    translate: Arc<dyn Translate>,
    on_error: OnError,
    pool: RwLock<ModelPool>,
    session: Mutex<Option<(Box<dyn Session>, Origin)>>,
    changed: Notify,
    sent: Mutex<Sent>,
    /// Inputs of messages that may come again: each is translated once, since windows remember what they were given.
    translated: Mutex<HashMap<u128, Option<Vec<Tensor>>>>,
    dropped: AtomicU64,
    passed: AtomicU64,
}

/// Ids of results that were taken lately.
#[derive(Debug, Default)]
struct Sent {
    known: HashSet<u128>,
    order: VecDeque<u128>,
}

/// How many results are remembered: more than one batch of each of the ten priorities.
const REMEMBERED: usize = 16_384;

impl Sent {
    fn insert(&mut self, id: u128) {
        if self.known.insert(id) {
            self.order.push_back(id);
        }
        if self.order.len() > REMEMBERED {
            self.order.pop_front().map(|oldest| self.known.remove(&oldest));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a message came to.
enum Made {
    /// A result to send.
    Result(MessageBuilder),
    /// Nothing to send.
    Nothing(Outcome),
}

impl ModelEndpoint {
    /// Returns the endpoint of the input `input` of `model`, whose results leave by `output`.
    #[must_use]
    pub fn new(
        device: &DeviceId,
        model: &ModuleId,
        (input, output): (&PortName, PortName),
        pool: ModelPool,
        translate: Arc<dyn Translate>,
    ) -> Self {
        Self {
            id: EndpointId::module_input(device, model, input),
            output,
            translate,
            on_error: OnError::default(),
            pool: RwLock::new(pool),
            session: Mutex::default(),
            changed: Notify::new(),
            sent: Mutex::default(),
            translated: Mutex::default(),
            dropped: AtomicU64::new(0),
            passed: AtomicU64::new(0),
        }
    }

    /// Sets what happens to a message that the model has no result for.
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

    /// Puts another model in the place of the one that serves; batches that have begun end with the one before.
    pub fn replace(&self, pool: ModelPool) {
        *self.pool.write().unwrap_or_else(PoisonError::into_inner) = pool;
        self.changed.notify_one();
    }

    /// Returns the pool that serves.
    #[must_use]
    pub fn pool(&self) -> ModelPool {
        self.pool.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns how many messages were dropped since there was no result for them.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Returns how many messages left as they came since there was no result for them.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed.load(Relaxed)
    }

    /// Returns what becomes of a message that there is no result for.
    fn without_result(&self, message: &Message, error: &(dyn std::error::Error + 'static)) -> Made {
        let reason = Report(error).to_string();
        match self.on_error {
            OnError::DeadLetter => Made::Nothing(Outcome::Rejected { reason }),
            OnError::Drop => {
                self.dropped.fetch_add(1, Relaxed);
                Made::Nothing(Outcome::Accepted)
            }
            OnError::PassThrough => {
                self.passed.fetch_add(1, Relaxed);
                let mut builder = message.to_builder();
                builder.set_property("inferenceError", Some(&reason));
                Made::Result(builder)
            }
        }
    }

    fn made(&self, message: &Message, answer: Result<Vec<Tensor>, RunError>) -> Made {
        match answer {
            Ok(outputs) => match self.translate.result(message, &outputs) {
                Ok(builder) => Made::Result(builder),
                Err(error) => self.without_result(message, &*error),
            },
            // Another message was at fault, or none: this one waits for a model that is not bad.
            Err(RunError::Bad { .. }) => Made::Nothing(Outcome::Released),
            Err(error) => self.without_result(message, &error),
        }
    }

    /// Returns the inputs for a message, which are the same when it comes again.
    fn inputs(&self, key: u128, message: &Message) -> Result<Option<Vec<Tensor>>, BoxError> {
        if let Some(inputs) = lock(&self.translated).get(&key) {
            return Ok(inputs.clone());
        }
        let inputs = self.translate.inputs(message)?;
        let mut translated = lock(&self.translated);
        // What was left by messages that expired in their queue makes room.
        if translated.len() >= REMEMBERED {
            translated.clear();
        }
        translated.insert(key, inputs.clone());
        Ok(inputs)
    }

    /// Forgets the inputs of messages that do not come again.
    fn forget(&self, keys: &[u128], outcomes: &[Outcome]) {
        let mut translated = lock(&self.translated);
        for (key, outcome) in keys.iter().zip(outcomes) {
            if *outcome != Outcome::Released {
                translated.remove(key);
            }
        }
    }

    /// Runs the model on the messages, and returns what each came to.
    async fn infer(&self, batch: &[(u128, Stored)]) -> Vec<Made> {
        let pool = self.pool();
        let mut asked = Vec::with_capacity(batch.len());
        for (key, stored) in batch {
            asked.push(match self.inputs(*key, &stored.message) {
                Ok(Some(inputs)) => Ok(pool.submit(inputs).await),
                Ok(None) => Err(Made::Nothing(Outcome::Accepted)),
                Err(error) => Err(self.without_result(&stored.message, &*error)),
            });
        }
        let mut made = Vec::with_capacity(batch.len());
        for ((_, stored), asked) in batch.iter().zip(asked) {
            made.push(match asked {
                Ok(ticket) => self.made(&stored.message, ticket.answer().await),
                Err(made) => made,
            });
        }
        made
    }
}

/// Returns what identifies a message across tries.
fn key(id: &EndpointId, stored: &Stored) -> u128 {
    // FNV-1a of 128 bits: all parts are the gateway's own, and nobody gains by two that are equal.
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut hash = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
    let mut eat = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u128::from(*byte)).wrapping_mul(PRIME);
        }
    };
    eat(id.as_str().as_bytes());
    eat(&[0]);
    eat(stored.route.as_str().as_bytes());
    eat(&stored.offset.to_le_bytes());
    eat(&stored.enqueued.as_unix_ms().to_le_bytes());
    eat(stored.message.encoded());
    hash
}

#[async_trait]
impl Endpoint for ModelEndpoint {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn batch_limit(&self) -> BatchLimit {
        let options = *self.pool().options();
        let threads = options.threads.get();
        let messages = options.max_batch.get().saturating_mul(threads).min(options.max_requests.get());
        BatchLimit::new(NonZeroUsize::new(messages).unwrap_or(NonZeroUsize::MIN), 16 << 20)
    }

    async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        if lock(&self.session).is_none() || self.pool().bad().is_some() {
            return Err(EndpointError::Absent);
        }
        let keys: Vec<_> = batch.iter().map(|stored| key(&self.id, stored)).collect();
        let is_new: Vec<_> = {
            let sent = lock(&self.sent);
            keys.iter().map(|key| !sent.known.contains(key)).collect()
        };
        let of_new = keys.iter().zip(batch).zip(&is_new).filter(|(_, new)| **new);
        let new: Vec<_> = of_new.map(|((key, stored), _)| (*key, stored.clone())).collect();
        let mut made = self.infer(&new).await.into_iter();
        let mut outcomes = Vec::with_capacity(batch.len());
        let (mut results, mut sent) = (Vec::new(), Vec::new());
        let receipt = {
            let mut session = lock(&self.session);
            let Some((session, origin)) = session.as_mut() else { return Err(EndpointError::Absent) };
            for (key, is_new) in keys.iter().zip(is_new) {
                let made = if is_new { made.next() } else { None };
                outcomes.push(match made {
                    None => Outcome::Accepted,
                    Some(Made::Nothing(outcome)) => outcome,
                    Some(Made::Result(mut builder)) => {
                        builder.set_system(SystemKey::MessageId, &format!("{key:032x}"));
                        origin.stamp(&mut builder, Some(&self.output));
                        results.push(builder.build());
                        sent.push(*key);
                        Outcome::Accepted
                    }
                });
            }
            if results.is_empty() { None } else { Some(session.publish(results)) }
        };
        if let Some(receipt) = receipt {
            if let Err(error) = receipt.await {
                if matches!(error, edge_core::StoreError::Closed) {
                    // The session is over; somebody connects another.
                    *lock(&self.session) = None;
                }
                return Err(EndpointError::Interrupted { source: error.into() });
            }
            let mut known = lock(&self.sent);
            sent.into_iter().for_each(|key| known.insert(key));
        }
        self.forget(&keys, &outcomes);
        Ok(outcomes)
    }

    async fn ready(&self) {
        self.changed.notified().await;
    }

    async fn close(&self) {
        *lock(&self.session) = None;
    }
}
