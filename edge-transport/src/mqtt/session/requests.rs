//! Twins and direct methods: what a client asks and answers, and what it is told.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use edge_core::{Feed, IncidentKind, MethodAnswer, SessionEvent, TwinAnswer, TwinRequest};

use super::inbound::shown;
use super::{Open, Output, Phase, Scratch, ServerSession, Violation};
use crate::TransportLimits;
use crate::iothub::topic::{self, TwinOperation};
use crate::mqtt::packet::{Packet, Publish, Quality};
use crate::wire::Outbound;

/// How long an answer is held back that the Python SDK answers with the same request at once, for ever.
///
/// It does so for a request of its own, to read the twin after each connect: without the pause a store that fails would
/// be met by a storm of requests.
const PAUSE: Duration = Duration::from_secs(1);
/// The most bytes of a request id; the SDKs' have 36.
const MAX_RID_BYTES: usize = 1024;

/// The twin requests that wait for an answer.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// Answers to be sent later, by time; they belong to requests that still wait.
    held: Vec<(Instant, Bytes, TwinAnswer)>,
    waiting: usize,
}

/// Where what a packet leads to goes.
pub(super) struct Sinks<'a> {
    pub(super) out: &'a mut Outbound,
    pub(super) outputs: &'a mut VecDeque<Output>,
}

impl Requests {
    /// Returns how many requests wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Returns when the next answer that is held back is due.
    pub(super) fn next_answer(&self) -> Option<Instant> {
        self.held.first().map(|(at, ..)| *at)
    }
}

impl ServerSession {
    /// Tells the client something that is no delivery.
    pub(super) fn urgent(&mut self, now: Instant, event: SessionEvent, scratch: &mut Scratch) {
        let Phase::Open(open) = &mut self.phase else { return };
        let topic = &mut scratch.text;
        topic.clear();
        match event {
            SessionEvent::Twin { tag, answer } => {
                open.twin_answered(now, tag, answer, topic, &mut self.out);
            }
            SessionEvent::Desired { version, patch } if open.feeds.contains(Feed::Desired) => {
                topic::write_desired(version, topic);
                put(topic, &patch, &mut self.out);
            }
            SessionEvent::Method(call) if open.feeds.contains(Feed::Methods) => {
                topic::write_method(&call, topic);
                // The Node SDK takes an empty payload for broken JSON.
                put(topic, if call.payload.is_empty() { b"null" } else { &call.payload }, &mut self.out);
            }
            _ => {}
        }
        let max = self.limits().max_urgent_bytes;
        if self.out.pending().len() > max {
            let detail = format!("the client has more than {max} bytes to read");
            self.violated(now, Violation::new(IncidentKind::Stalled, detail));
        } else {
            self.go_on(now, scratch);
        }
    }

    /// Sends the answers whose time has come.
    pub(super) fn answer_held_twins(&mut self, now: Instant) {
        let Phase::Open(open) = &mut self.phase else { return };
        if open.requests.next_answer().is_none_or(|at| at > now) {
            return;
        }
        let mut scratch = Scratch::default();
        let due = open.requests.held.iter().take_while(|(at, ..)| *at <= now).count();
        for (_, tag, answer) in open.requests.held.drain(..due).collect::<Vec<_>>() {
            open.requests.waiting -= 1;
            scratch.text.clear();
            Open::answer_twin(&tag, &answer, &mut scratch.text, &mut self.out);
        }
        if open.requests.held.is_empty() {
            open.requests.held = Vec::new();
        }
        // The client was not listened to: only from now on it is silent.
        self.listen_again(now);
        self.go_on(now, &mut scratch);
    }
}

impl Open {
    /// Takes a twin request.
    pub(super) fn ask_twin(
        &mut self,
        operation: Option<TwinOperation>,
        rid: Option<&str>,
        payload: &[u8],
        limits: &TransportLimits,
        sinks: Sinks<'_>,
    ) -> Result<(), Violation> {
        let Some(rid) = rid.filter(|rid| rid.len() <= MAX_RID_BYTES) else {
            return Err(Violation::new(IncidentKind::Malformed, "a twin request without a fit request id"));
        };
        let max = limits.max_twin_patch_bytes;
        let request = match operation {
            Some(TwinOperation::Read) => TwinRequest::Read,
            Some(TwinOperation::Report) if payload.len() > max => {
                let detail = format!("a twin patch of {} bytes, at most {max} are allowed", payload.len());
                sinks.outputs.push_back(Output::Report(IncidentKind::Oversize, detail));
                let answer = refusal(413, 413_001, &format!("a patch has at most {max} bytes"));
                Self::answer_twin(rid.as_bytes(), &answer, &mut String::new(), sinks.out);
                return Ok(());
            }
            Some(TwinOperation::Report) => TwinRequest::Report(Bytes::copy_from_slice(payload)),
            None => {
                let detail = "a twin request other than reading it and patching what is reported";
                sinks.outputs.push_back(Output::Report(IncidentKind::Unsupported, detail.into()));
                let answer = refusal(400, 400_004, "a twin can be read, and its reported properties patched");
                Self::answer_twin(rid.as_bytes(), &answer, &mut String::new(), sinks.out);
                return Ok(());
            }
        };
        self.requests.waiting += 1;
        sinks.outputs.push_back(Output::Twin { tag: Bytes::copy_from_slice(rid.as_bytes()), request });
        Ok(())
    }

    /// Takes the gateway's answer to a twin request.
    fn twin_answered(
        &mut self,
        now: Instant,
        tag: Bytes,
        answer: TwinAnswer,
        topic: &mut String,
        out: &mut Outbound,
    ) {
        if self.requests.waiting == self.requests.held.len() {
            return; // Nobody has asked.
        }
        if matches!(answer.status, 404 | 429 | 500..) {
            self.requests.held.push((now + PAUSE, tag, answer));
            return;
        }
        self.requests.waiting -= 1;
        Self::answer_twin(&tag, &answer, topic, out);
    }

    /// Sends an answer, also to a client that has not subscribed to answers: the Python SDK reads the twin by itself when
    /// it is back, and subscribes to answers only when the application asks for a twin.
    fn answer_twin(tag: &[u8], answer: &TwinAnswer, topic: &mut String, out: &mut Outbound) {
        if let Ok(rid) = std::str::from_utf8(tag) {
            topic::write_twin_answer(rid, answer, topic);
            put(topic, &answer.body, out);
        }
    }
}

/// Hands on the answer to a direct method, also one that does not say how it went; one that does not say what it answers
/// is reported.
pub(super) fn answer_method(
    id: Option<u64>,
    status: Option<i32>,
    publish: &Publish<'_>,
    limits: &TransportLimits,
    outputs: &mut VecDeque<Output>,
) {
    let (max, payload) = (limits.max_method_answer_bytes, publish.payload);
    if id.is_none() || status.is_none() {
        let detail = format!("an answer without its method or status: {:?}", shown(publish.topic));
        outputs.push_back(Output::Report(IncidentKind::Malformed, detail));
    }
    let Some(id) = id else { return };
    outputs.push_back(match status {
        Some(_) if payload.len() > max => {
            let detail =
                format!("an answer of {} bytes to a method, at most {max} are allowed", payload.len());
            Output::Report(IncidentKind::Oversize, detail)
        }
        Some(status) => {
            let answer = MethodAnswer::new(status, Bytes::copy_from_slice(payload));
            Output::AnswerMethod { id, answer }
        }
        None => Output::AnswerMethod { id, answer: MethodAnswer::malformed() },
    });
}

/// Returns a refusal that both SDKs understand: Python reads the status, Node the body's `errorCode`.
fn refusal(status: u16, code: u32, message: &str) -> TwinAnswer {
    TwinAnswer::new(status, format!("{{\"errorCode\":{code},\"message\":\"{message}\"}}"))
}

/// Sends something that no answer is expected to.
fn put(topic: &str, payload: &[u8], out: &mut Outbound) {
    let publish = Publish { topic, quality: Quality::AtMostOnce, dup: false, retain: false, payload };
    // Request ids and names of methods are short, so that the topic fits.
    let _written = out.put(&Packet::Publish(publish));
}
