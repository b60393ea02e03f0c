//! One connection: moves bytes between a socket, the connection's core and the gateway.
//!
//! The future is written by hand to be small. It has no buffers of its own: it borrows a workspace for the length of one
//! `poll`. Each `poll` reads all that the socket has, publishes it as one batch for each identity, and writes with one
//! write.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use edge_core::service::Service;
use edge_core::{Clock as _, Gateway, Incident, IncidentKind, Receipt, Refusal, Session, SystemClock};
use tokio::io::{AsyncRead, AsyncWrite};

use super::service;
use super::session::{FeedbackAnswer, Input, Output, PROTOCOL, Scratch, ServerConnection};
use crate::Stop;
use crate::resources::ConnectionSlot;
use crate::wire::{Read, Wire, now};
use crate::workspace::Workspace;

/// After how many rounds a connection lets others have the thread.
const MAX_ROUNDS: usize = 8;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A decision that is waited for.
enum Deciding {
    Open(u32, Boxed<Result<Box<dyn Session>, Refusal>>),
    Authorize(Boxed<Option<Duration>>),
}

/// One identity's session with the gateway, and its receipts.
#[derive(Default)]
struct Slot {
    session: Option<Box<dyn Session>>,
    receipts: VecDeque<Receipt>,
    waits: SlotWaits,
}

/// What of a slot has returned `Pending` since the last wake-up.
#[derive(Clone, Copy, Default)]
struct SlotWaits {
    receipt: bool,
    event: bool,
    urgent: bool,
}

/// A connection as a task: resolves when it is over.
pub(crate) struct Connection<S> {
    wire: Wire<S>,
    core: ServerConnection,
    gateway: Arc<dyn Gateway>,
    service: Option<Arc<dyn Service>>,
    deciding: Option<Deciding>,
    /// Messages to devices that the service API has not answered, oldest first.
    sending: VecDeque<Boxed<Result<(), (&'static str, String)>>>,
    /// What the service API is asked about feedback; the core asks one thing at a time.
    feedback: Option<Boxed<FeedbackAnswer>>,
    slots: BTreeMap<u32, Slot>,
    stop: Option<Boxed<()>>,
    slot: ConnectionSlot,
}

/// Who wakes the task: what has returned `Pending` since the last wake-up.
#[derive(Debug, Default)]
struct Waits {
    decision: bool,
    sent: bool,
    feedback: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(
        socket: S,
        (gateway, service): (Arc<dyn Gateway>, Option<Arc<dyn Service>>),
        stop: Stop,
        slot: ConnectionSlot,
        peer: Option<SocketAddr>,
        chain: Vec<Vec<u8>>,
    ) -> Self {
        Self {
            wire: Wire::new(socket, peer),
            core: ServerConnection::new(now(), slot.resources(), peer, chain),
            gateway,
            service,
            deciding: None,
            sending: VecDeque::new(),
            feedback: None,
            slots: BTreeMap::new(),
            stop: Some(Box::pin(async move { stop.wait().await })),
            slot,
        }
    }

    /// Does all that can be done now.
    fn turn(&mut self, cx: &mut Context<'_>, workspace: &mut Workspace, scratch: &mut Scratch) -> Poll<()> {
        let (now, fired) = self.wire.begin(cx);
        self.core.swap_buffer(&mut workspace.out);
        if fired {
            self.core.handle_timeout(now);
            self.obey();
        }
        for slot in self.slots.values_mut() {
            slot.waits = SlotWaits::default();
        }
        let mut waits = Waits::default();
        let mut rounds = 0;
        while !self.core.is_done() && self.can_go_on(&waits) {
            if rounds == MAX_ROUNDS {
                cx.waker().wake_by_ref();
                break;
            }
            rounds += 1;
            self.hear_stop(now, cx, scratch);
            self.poll_decision(now, cx, &mut waits, scratch);
            self.read(now, cx, workspace, scratch);
            self.poll_slots(now, cx, scratch);
            self.poll_sent(now, cx, &mut waits, scratch);
            self.write(now, cx, scratch);
        }
        self.core.swap_buffer(&mut workspace.out);
        let until = self.core.poll_timeout();
        self.wire.arm(cx, until);
        if self.core.is_done() { self.wire.poll_shut_down(cx, now, until) } else { Poll::Pending }
    }

    /// Whether there is something to try that has not said that it will wake the task.
    fn can_go_on(&self, waits: &Waits) -> bool {
        self.wire.can_go_on(self.core.wants_bytes(), self.core.outbound())
            || (self.deciding.is_some() && !waits.decision)
            || (!self.sending.is_empty() && !waits.sent)
            || (self.feedback.is_some() && !waits.feedback)
            || self.slots.iter().any(|(who, slot)| {
                (!slot.receipts.is_empty() && !slot.waits.receipt)
                    || (slot.session.is_some()
                        && !slot.waits.event
                        && (!slot.waits.urgent || self.core.wants_event(*who)))
            })
    }

    /// Does what the core says.
    fn obey(&mut self) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Open { who, hello } => {
                    let gateway = Arc::clone(&self.gateway);
                    let opening = Box::pin(async move { gateway.open(*hello).await });
                    self.deciding = Some(Deciding::Open(who, opening));
                }
                Output::Authorize { token } => {
                    let asking = service::authorize(self.service.clone(), token, SystemClock.wall());
                    self.deciding = Some(Deciding::Authorize(Box::pin(asking)));
                }
                Output::GiveUp => self.deciding = None,
                Output::Publish { who, batch } => self.with(who, |session| Some(session.publish(batch))),
                Output::Subscribe { who, feeds } => self.with(who, |session| Some(session.subscribe(feeds))),
                Output::Unsubscribe { who, feeds } => {
                    self.with(who, |session| Some(session.unsubscribe(feeds)))
                }
                Output::Twin { who, tag, request } => self.with(who, |session| {
                    session.twin(tag, request);
                    None
                }),
                Output::AnswerMethod { who, id, answer } => self.with(who, |session| {
                    session.answer_method(id, answer);
                    None
                }),
                Output::SendToDevice { identity, message } => {
                    let sending = service::send(self.service.clone(), identity, message);
                    self.sending.push_back(Box::pin(sending));
                }
                Output::ReceiveFeedback => {
                    self.feedback = Some(Box::pin(service::receive_feedback(self.service.clone())));
                }
                Output::SettleFeedback { token, outcome } => {
                    let settling = service::settle_feedback(self.service.clone(), token, outcome);
                    self.feedback = Some(Box::pin(settling));
                }
                Output::Drop { who } => drop(self.slots.remove(&who)),
                Output::Report { who, kind, detail } => self.report(who, kind, &detail),
                Output::Close => {
                    self.deciding = None;
                    self.slots = BTreeMap::new();
                    (self.sending, self.feedback) = (VecDeque::new(), None);
                    self.stop = None;
                }
            }
        }
    }

    fn with(&mut self, who: u32, ask: impl FnOnce(&mut dyn Session) -> Option<Receipt>) {
        let Some(slot) = self.slots.get_mut(&who) else { return };
        if let Some(session) = &mut slot.session
            && let Some(receipt) = ask(&mut **session)
        {
            slot.receipts.push_back(receipt);
            slot.waits.receipt = false;
        }
    }

    fn report(&self, who: Option<u32>, kind: IncidentKind, detail: &str) {
        let detail = format_args!("{detail}");
        let mut incident = Incident::new(kind, PROTOCOL, detail);
        let session = who.and_then(|who| self.slots.get(&who)).and_then(|slot| slot.session.as_ref());
        incident.identity = session.map(|session| &session.authenticated().identity);
        incident.peer = self.wire.peer();
        self.gateway.report(&incident);
    }

    fn tell(&mut self, now: Instant, input: Input<'_>, scratch: &mut Scratch) {
        self.core.handle_input(now, input, scratch);
        self.obey();
    }

    fn hear_stop(&mut self, now: Instant, cx: &mut Context<'_>, scratch: &mut Scratch) {
        if let Some(stop) = &mut self.stop
            && stop.as_mut().poll(cx).is_ready()
        {
            self.stop = None;
            self.tell(now, Input::Stop, scratch);
        }
    }

    fn poll_decision(
        &mut self,
        now: Instant,
        cx: &mut Context<'_>,
        waits: &mut Waits,
        scratch: &mut Scratch,
    ) {
        match &mut self.deciding {
            None => {}
            Some(Deciding::Open(who, opening)) => {
                let Poll::Ready(answer) = opening.as_mut().poll(cx) else {
                    waits.decision = true;
                    return;
                };
                let who = *who;
                self.deciding = None;
                let answer = answer.map(|session| {
                    let authenticated = session.authenticated().clone();
                    let slot = self.slots.entry(who).or_default();
                    slot.session = Some(session);
                    (slot.waits.event, slot.waits.urgent) = (false, false);
                    authenticated
                });
                self.tell(now, Input::Opened(answer), scratch);
                self.wire.read_again();
            }
            Some(Deciding::Authorize(asking)) => {
                let Poll::Ready(allowed) = asking.as_mut().poll(cx) else {
                    waits.decision = true;
                    return;
                };
                self.deciding = None;
                self.tell(now, Input::Authorized(allowed), scratch);
            }
        }
    }

    /// Reads all that the socket has, up to one workspace full.
    fn read(&mut self, now: Instant, cx: &mut Context<'_>, workspace: &mut Workspace, scratch: &mut Scratch) {
        if !self.core.wants_bytes() {
            return;
        }
        let max = self.core.max_read_bytes().min(workspace.read.len());
        let Some(space) = workspace.read.get_mut(..max) else { return };
        let Some(Read { bytes, end }) = self.wire.read(cx, space) else { return };
        if let Some(Err(error)) = &end {
            if error.kind() == io::ErrorKind::InvalidData {
                self.report(None, IncidentKind::Malformed, &error.to_string());
            }
            self.wire.lost(error);
        }
        if !bytes.is_empty() {
            self.tell(now, Input::Bytes(bytes), scratch);
        }
        if end.is_some() {
            self.tell(now, Input::End, scratch);
        }
    }

    /// Asks each session for what it has, and each receipt whether it has resolved.
    fn poll_slots(&mut self, now: Instant, cx: &mut Context<'_>, scratch: &mut Scratch) {
        let mut after = None;
        while let Some(who) = self.next_slot(after) {
            after = Some(who);
            self.poll_receipts(now, who, cx, scratch);
            self.poll_events(now, who, cx, scratch);
        }
    }

    fn next_slot(&self, after: Option<u32>) -> Option<u32> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.slots.range((from, Unbounded)).next().map(|(who, _)| *who)
    }

    fn poll_receipts(&mut self, now: Instant, who: u32, cx: &mut Context<'_>, scratch: &mut Scratch) {
        while let Some(slot) = self.slots.get_mut(&who)
            && !slot.waits.receipt
            && let Some(receipt) = slot.receipts.front_mut()
        {
            match Pin::new(receipt).poll(cx) {
                Poll::Pending => slot.waits.receipt = true,
                Poll::Ready(answer) => {
                    slot.receipts.pop_front();
                    if slot.receipts.is_empty() {
                        slot.receipts = VecDeque::new();
                    }
                    if let Err(error) = &answer {
                        tracing::debug!(peer = ?self.wire.peer(), %error, "the gateway did not take a batch");
                    }
                    self.tell(now, Input::Resolved { who, ok: answer.is_ok() }, scratch);
                }
            }
        }
    }

    fn poll_events(&mut self, now: Instant, who: u32, cx: &mut Context<'_>, scratch: &mut Scratch) {
        while self.core.wants_event(who)
            && let Some(slot) = self.slots.get_mut(&who)
            && !slot.waits.event
            && let Some(session) = &mut slot.session
        {
            match session.poll_event(cx) {
                Poll::Pending => slot.waits.event = true,
                Poll::Ready(event) => self.tell(now, Input::Event { who, event }, scratch),
            }
        }
        // What the socket takes is written first: only a client that does not read is to have much waiting for it.
        while (self.wire.is_stuck() || !self.core.is_outbound_full())
            && let Some(slot) = self.slots.get_mut(&who)
            && !slot.waits.event
            && !slot.waits.urgent
            && let Some(session) = &mut slot.session
        {
            match session.poll_urgent(cx) {
                Poll::Pending => slot.waits.urgent = true,
                Poll::Ready(event) => self.tell(now, Input::Event { who, event }, scratch),
            }
        }
    }

    /// Asks what the service API says.
    fn poll_sent(&mut self, now: Instant, cx: &mut Context<'_>, waits: &mut Waits, scratch: &mut Scratch) {
        while !waits.sent
            && let Some(sending) = self.sending.front_mut()
        {
            match sending.as_mut().poll(cx) {
                Poll::Pending => waits.sent = true,
                Poll::Ready(answer) => {
                    self.sending.pop_front();
                    self.tell(now, Input::Sent(answer), scratch);
                }
            }
        }
        while let Some(asking) = &mut self.feedback {
            let Poll::Ready(answer) = asking.as_mut().poll(cx) else {
                waits.feedback = true;
                return;
            };
            self.feedback = None;
            self.tell(now, Input::Feedback(answer), scratch);
        }
    }

    fn write(&mut self, now: Instant, cx: &mut Context<'_>, scratch: &mut Scratch) {
        while let Some(written) = self.wire.write(cx, self.core.outbound()) {
            match written {
                Ok(bytes) => {
                    self.core.handle_written(now, bytes);
                    self.obey();
                }
                Err(error) => {
                    self.wire.lost(&error);
                    self.tell(now, Input::End, scratch);
                    return self.core.discard_outbound();
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Connection<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut workspace = this.slot.resources().lend();
        // Empty buffers until something needs them: a turn that publishes nothing allocates nothing.
        let mut scratch = Scratch::default();
        let result = this.turn(cx, &mut workspace, &mut scratch);
        this.slot.resources().give_back(workspace);
        result
    }
}
