//! Direct methods: calls that wait for a connected client's answer, and are never stored.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use edge_core::service::{MethodRequest, ServiceError};
use edge_core::{Feed, Identity, MethodAnswer, MethodCall, SessionEvent};
use tokio::sync::oneshot;

use crate::clients::Clients;
use crate::timer;

/// The longest name of a method, in characters.
const MAX_NAME_CHARS: usize = 100;
/// The largest payload of a call, and of an answer.
const MAX_PAYLOAD_BYTES: usize = 128 * 1024;
/// How long a call may wait for its answer, and for the client to connect.
const MIN_RESPONSE_SECS: f64 = 5.0;
const MAX_SECS: f64 = 300.0;
/// The most events that wait for a client which does not read.
const MAX_URGENT: usize = 64;

fn check(request: &MethodRequest) -> Result<(), ServiceError> {
    let chars = request.name.chars().count();
    if chars == 0 || chars > MAX_NAME_CHARS {
        let reason = format!("a method's name has 1 to {MAX_NAME_CHARS} characters, and this one {chars}");
        return Err(ServiceError::invalid(reason));
    }
    if request.name.contains(['/', '#', '+']) || request.name.contains(char::is_control) {
        let reason = "a method's name has no slash, plus, number sign or control character";
        return Err(ServiceError::invalid(reason));
    }
    let bytes = request.payload.len();
    if bytes > MAX_PAYLOAD_BYTES {
        return Err(ServiceError::TooLarge { what: "the payload", bytes, max: MAX_PAYLOAD_BYTES });
    }
    let secs = request.response_timeout.as_secs_f64();
    if !(MIN_RESPONSE_SECS..=MAX_SECS).contains(&secs) {
        let reason = format!("responseTimeoutInSeconds is 5 to 300, and here it is {secs}");
        return Err(ServiceError::invalid(reason));
    }
    let secs = request.connect_timeout.as_secs_f64();
    if secs > MAX_SECS {
        let reason = format!("connectTimeoutInSeconds is 0 to 300, and here it is {secs}");
        return Err(ServiceError::invalid(reason));
    }
    Ok(())
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
        call: MethodRequest,
    ) -> Result<MethodAnswer, ServiceError> {
        check(&call)?;
        let offline = || ServiceError::NotOnline { identity: target.clone() };
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
        let timed_out = ServiceError::TimedOut { identity: target.clone(), after: call.response_timeout };
        let answer = answered.ok_or(timed_out)?.map_err(|_| offline())?;
        check_answer(target, answer)
    }

    fn enter(
        &self,
        target: &Identity,
        sender: oneshot::Sender<MethodAnswer>,
    ) -> Result<Ticket<'_>, ServiceError> {
        let mut waiting = self.waiting();
        if waiting.calls.len() >= self.limit {
            return Err(ServiceError::Throttled {
                reason: format!("{} calls wait for their answers", self.limit),
            });
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

fn check_answer(target: &Identity, answer: MethodAnswer) -> Result<MethodAnswer, ServiceError> {
    if answer.is_malformed() {
        return Err(ServiceError::invalid(format!(
            "the answer of {target} has no status, or none that is a number"
        )));
    }
    let bad = |reason: &str| ServiceError::BadAnswer { identity: target.clone(), reason: reason.into() };
    if answer.payload.len() > MAX_PAYLOAD_BYTES {
        return Err(bad("its payload is larger than 128 KiB"));
    }
    if !answer.payload.is_empty() && serde_json::from_slice::<serde::de::IgnoredAny>(&answer.payload).is_err()
    {
        return Err(bad("its payload is not JSON"));
    }
    Ok(answer)
}
