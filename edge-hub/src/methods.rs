//! Direct methods: calls that wait for a connected client's answer, and are never stored.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use edge_core::{Feed, Identity, MethodAnswer, MethodCall, SessionEvent};
use tokio::sync::oneshot;

use crate::clients::Clients;
use crate::timer;

/// The longest name of a method, in characters.
const MAX_NAME_CHARS: usize = 100;
/// The largest payload of a call, and of an answer.
const MAX_PAYLOAD_BYTES: usize = 128 * 1024;
/// How long a call may wait for its answer, and how long it does when it does not say.
const RESPONSE_SECS: std::ops::RangeInclusive<u64> = 5..=300;
const DEFAULT_RESPONSE: Duration = Duration::from_secs(30);
/// The longest that a call may wait for the client to connect.
const MAX_CONNECT_SECS: u64 = 300;
/// The most events that wait for a client which does not read.
const MAX_URGENT: usize = 64;

/// A direct method to call on a client.
///
/// # Examples
/// ```
/// use edge_hub::Invocation;
///
/// let reboot = Invocation::new("reboot").payload(r#"{"delay_secs": 5}"#);
/// assert_eq!(reboot.response_timeout.as_secs(), 30);
/// ```
///
/// # Source
/// Azure IoT Edge, direct methods: the limits and defaults of its hub.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invocation {
    /// The method's name: 1 to 100 characters.
    pub name: String,
    /// The payload in JSON, at most 128 KiB; empty stands for `null`.
    pub payload: Bytes,
    /// How long to wait for the answer: 5 to 300 s, by default 30 s.
    pub response_timeout: Duration,
    /// How long to wait for a client that is not connected: 0 to 300 s, by default 0 s.
    pub connect_timeout: Duration,
}

impl Invocation {
    /// Returns a call without a payload, with the default times.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let connect_timeout = Duration::ZERO;
        Self { name: name.into(), payload: Bytes::new(), response_timeout: DEFAULT_RESPONSE, connect_timeout }
    }

    /// Sets the payload.
    #[must_use]
    pub fn payload(mut self, json: impl Into<Bytes>) -> Self {
        self.payload = json.into();
        self
    }

    /// Sets how long to wait for the answer.
    #[must_use]
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// Sets how long to wait for a client that is not connected.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    fn check(&self) -> Result<(), InvokeError> {
        let invalid = |reason: String| Err(InvokeError::Invalid { reason });
        let chars = self.name.chars().count();
        if chars == 0 || chars > MAX_NAME_CHARS {
            return invalid(format!("a method's name has 1 to {MAX_NAME_CHARS} characters, and this one {chars}"));
        }
        if self.name.contains(['/', '#', '+']) || self.name.contains(char::is_control) {
            return invalid("a method's name has no slash, plus, number sign or control character".into());
        }
        if self.payload.len() > MAX_PAYLOAD_BYTES {
            let bytes = self.payload.len();
            return invalid(format!("a payload has at most {MAX_PAYLOAD_BYTES} bytes, and this one {bytes}"));
        }
        let response = self.response_timeout;
        if response < Duration::from_secs(*RESPONSE_SECS.start())
            || response > Duration::from_secs(*RESPONSE_SECS.end())
        {
            return invalid(format!("responseTimeoutInSeconds is 5 to 300, and here {}", response.as_secs()));
        }
        if self.connect_timeout > Duration::from_secs(MAX_CONNECT_SECS) {
            let secs = self.connect_timeout.as_secs();
            return invalid(format!("connectTimeoutInSeconds is 0 to {MAX_CONNECT_SECS}, and here {secs}"));
        }
        Ok(())
    }
}

/// Why a direct method has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// The call is not one that could be made.
    #[error("the call is refused: {reason}")]
    Invalid {
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// Nobody of this identity is connected and takes methods.
    #[error("{identity} is not connected, or takes no methods")]
    NotOnline {
        /// Who was called.
        identity: Identity,
    },
    /// The client did not answer in time.
    #[error("{identity} did not answer within {} s", after.as_secs())]
    TimedOut {
        /// Who was called.
        identity: Identity,
        /// How long was waited.
        after: Duration,
    },
    /// As many calls wait as may wait.
    #[error("{limit} calls wait for their answers, and no more are allowed")]
    Busy {
        /// The most calls.
        limit: usize,
    },
    /// The client's answer is none.
    #[error("the answer of {identity} is refused: {reason}")]
    BadAnswer {
        /// Who was called.
        identity: Identity,
        /// What is wrong with it.
        reason: String,
    },
}

/// The calls that wait.
#[derive(Debug)]
pub(crate) struct Methods {
    waiting: Mutex<Waiting>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    calls: HashMap<u64, (Identity, oneshot::Sender<MethodAnswer>)>,
}

/// Takes a call out when nobody waits for it any more.
struct Ticket<'a> {
    methods: &'a Methods,
    id: u64,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.methods.waiting().calls.remove(&self.id);
    }
}

impl Methods {
    pub(crate) fn new(limit: usize) -> Self {
        Self { waiting: Mutex::default(), limit }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls a method, and waits for the answer. The client's going away does not end the wait: the SDKs answer calls
    /// after they have connected again.
    pub(crate) async fn invoke(
        &self,
        clients: &Clients,
        target: &Identity,
        call: Invocation,
    ) -> Result<MethodAnswer, InvokeError> {
        call.check()?;
        let offline = || InvokeError::NotOnline { identity: target.clone() };
        let mut client = clients.subscribed(target, Feed::Methods);
        if client.is_none() && !call.connect_timeout.is_zero() {
            let connected = clients.until_subscribed(target, Feed::Methods);
            timer::within(call.connect_timeout, connected).await.ok_or_else(offline)?;
            client = clients.subscribed(target, Feed::Methods);
        }
        let client = client.ok_or_else(offline)?;
        let (sender, answer) = oneshot::channel();
        let ticket = self.enter(target, sender)?;
        let payload = if call.payload.is_empty() { Bytes::from_static(b"null") } else { call.payload };
        let event = SessionEvent::Method(MethodCall::new(ticket.id, call.name, payload));
        if !client.outbox.push_urgent(event, MAX_URGENT) {
            return Err(offline());
        }
        drop(client);
        let answered = timer::within(call.response_timeout, answer).await;
        let timed_out = InvokeError::TimedOut { identity: target.clone(), after: call.response_timeout };
        let answer = answered.ok_or(timed_out)?.map_err(|_| offline())?;
        check_answer(target, answer)
    }

    fn enter(
        &self,
        target: &Identity,
        sender: oneshot::Sender<MethodAnswer>,
    ) -> Result<Ticket<'_>, InvokeError> {
        let mut waiting = self.waiting();
        if waiting.calls.len() >= self.limit {
            return Err(InvokeError::Busy { limit: self.limit });
        }
        waiting.next += 1;
        let id = waiting.next;
        waiting.calls.insert(id, (target.clone(), sender));
        Ok(Ticket { methods: self, id })
    }

    /// Takes a client's answer to a call made to that client.
    pub(crate) fn answer(&self, from: &Identity, id: u64, answer: MethodAnswer) {
        let mut waiting = self.waiting();
        if waiting.calls.get(&id).is_none_or(|(called, _)| called != from) {
            return;
        }
        if let Some((_, sender)) = waiting.calls.remove(&id) {
            // Nobody waits any more when the call was given up this very moment.
            let _late = sender.send(answer);
        }
    }
}

fn check_answer(target: &Identity, answer: MethodAnswer) -> Result<MethodAnswer, InvokeError> {
    let bad = |reason: &str| InvokeError::BadAnswer { identity: target.clone(), reason: reason.into() };
    if answer.payload.len() > MAX_PAYLOAD_BYTES {
        return Err(bad("its payload is larger than 128 KiB"));
    }
    if !answer.payload.is_empty() && serde_json::from_slice::<serde::de::IgnoredAny>(&answer.payload).is_err() {
        return Err(bad("its payload is not JSON"));
    }
    Ok(answer)
}

/// Returns the calls of a hub.
pub(crate) fn shared(limit: usize) -> Arc<Methods> {
    Arc::new(Methods::new(limit))
}
