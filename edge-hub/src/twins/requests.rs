//! What clients ask of their twins, answered in the order in which each asks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use edge_core::{SessionEvent, TwinAnswer, TwinRequest};

use super::{MAX_URGENT, Twins};
use crate::clients::Connected;

/// How many requests of one client wait at a time.
const MAX_WAITING: usize = 16;

/// The requests of one client that wait.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(Bytes, TwinRequest)>,
    /// Whether a task is at work on them.
    busy: bool,
}

enum Next {
    /// A task is at work on them already.
    Busy,
    /// A task must be started.
    Start,
    /// Too many wait.
    TooMany(Bytes),
}

impl Requests {
    fn push(&self, tag: Bytes, request: TwinRequest) -> Next {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.waiting.len() >= MAX_WAITING {
            return Next::TooMany(tag);
        }
        state.waiting.push_back((tag, request));
        if std::mem::replace(&mut state.busy, true) { Next::Busy } else { Next::Start }
    }

    /// Takes the next request; when there is none, the task is done.
    fn pop(&self) -> Option<(Bytes, TwinRequest)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let next = state.waiting.pop_front();
        if next.is_none() {
            *state = State::default();
        }
        next
    }
}

impl Twins {
    /// Answers a client's request, after those before it.
    pub(crate) fn ask(self: &Arc<Self>, client: &Arc<Connected>, tag: Bytes, request: TwinRequest) {
        match client.twin_requests.push(tag, request) {
            Next::Busy => {}
            Next::TooMany(tag) => {
                let reason =
                    format!("{MAX_WAITING} requests wait for their answers, and no more are allowed");
                answer(client, tag, refusal(429, &reason));
            }
            Next::Start => {
                let (twins, client) = (self.clone(), client.clone());
                self.tasks.spawn(async move {
                    while let Some((tag, request)) = client.twin_requests.pop() {
                        if client.outbox.is_closed() {
                            continue;
                        }
                        answer(&client, tag, twins.serve(&client, request).await);
                    }
                });
            }
        }
    }

    async fn serve(&self, client: &Connected, request: TwinRequest) -> TwinAnswer {
        let answer = match request {
            TwinRequest::Read => {
                self.device_view(&client.identity).await.map(|twin| TwinAnswer::new(200, twin))
            }
            TwinRequest::Report(patch) => {
                let version = self.report(&client.identity, &patch).await;
                version.map(|version| TwinAnswer::new(204, "").with_version(version))
            }
            _ => return refusal(501, "this request is not served"),
        };
        answer.unwrap_or_else(|error| {
            if error.status() == 500 {
                tracing::error!(client = %client.identity, error = %edge_core::Report(&error), "a twin request fails");
            } else {
                tracing::debug!(client = %client.identity, error = %edge_core::Report(&error), "a twin request is refused");
            }
            refusal(error.status(), &edge_core::Report(&error).to_string())
        })
    }

    /// Waits until nothing is at work on requests.
    pub(crate) async fn idle(&self) {
        self.tasks.joined().await;
    }

    /// Forgets tasks that have ended; called now and then.
    pub(crate) fn tidy(&self) {
        self.tasks.forget_ended();
    }
}

fn answer(client: &Connected, tag: Bytes, answer: TwinAnswer) {
    // A client that asks and does not read is answered no more; it asks again when it connects again.
    client.outbox.push_urgent(SessionEvent::Twin { tag, answer }, MAX_URGENT);
}

/// Returns a refusal in the form that both families of SDKs read.
///
/// # Source
/// Azure IoT Hub: an error's code is its status with three more digits, 400004 for a patch that is refused.
fn refusal(status: u16, message: &str) -> TwinAnswer {
    let code = if status == 400 { 400_004 } else { u32::from(status) * 1000 };
    let body = serde_json::json!({ "errorCode": code, "message": message }).to_string();
    TwinAnswer::new(status, body)
}
