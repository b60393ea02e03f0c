//! One connection: moves bytes between a socket, the session core and the gateway.
//!
//! The future is written by hand to be small. It has no buffers of its own: it borrows a workspace for the length of one
//! `poll`. Each `poll` reads all that the socket has, publishes it as one batch, and writes with one write.
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use edge_core::{Gateway, Incident, IncidentKind, Receipt, Refusal, Session};
use tokio::io::{AsyncRead, AsyncWrite};

use super::session::{Input, Opened, Output, PROTOCOL, ServerSession};
use crate::Stop;
use crate::resources::ConnectionSlot;
use crate::wire::{Read, Wire, now};
use crate::workspace::Workspace;

/// After how many rounds a connection lets others have the thread.
const MAX_ROUNDS: usize = 8;

#[cfg(test)]
mod tests;

type Opening = Pin<Box<dyn Future<Output = Result<Box<dyn Session>, Refusal>> + Send>>;

/// A connection as a task: resolves when it is over.
pub(crate) struct Connection<S> {
    wire: Wire<S>,
    core: ServerSession,
    gateway: Arc<dyn Gateway>,
    opening: Option<Opening>,
    session: Option<Box<dyn Session>>,
    receipts: VecDeque<Receipt>,
    /// Heard only until the session is open: from then on the gateway ends it.
    stop: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    slot: ConnectionSlot,
}

/// Who wakes the task: what has returned `Pending` since the last wake-up.
#[derive(Debug, Default)]
struct Waits {
    open: bool,
    receipt: bool,
    event: bool,
    urgent: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(
        socket: S,
        gateway: Arc<dyn Gateway>,
        stop: Stop,
        slot: ConnectionSlot,
        peer: Option<SocketAddr>,
        chain: Vec<Vec<u8>>,
    ) -> Self {
        Self {
            core: ServerSession::new(now(), slot.resources(), peer, chain),
            wire: Wire::new(socket, peer),
            gateway,
            opening: None,
            session: None,
            receipts: VecDeque::new(),
            stop: Some(Box::pin(async move { stop.wait().await })),
            slot,
        }
    }

    /// Does all that can be done now.
    fn turn(&mut self, cx: &mut Context<'_>, workspace: &mut Workspace) -> Poll<()> {
        let (now, fired) = self.wire.begin(cx);
        self.core.swap_buffer(&mut workspace.out);
        if fired {
            self.core.handle_timeout(now);
            self.obey();
        }
        let mut waits = Waits::default();
        let mut rounds = 0;
        while !self.core.is_done() && self.can_go_on(&waits) {
            if rounds == MAX_ROUNDS {
                cx.waker().wake_by_ref();
                break;
            }
            rounds += 1;
            self.hear_stop(now, cx, workspace);
            self.poll_opening(now, cx, &mut waits, workspace);
            self.read(now, cx, workspace);
            self.poll_receipts(now, cx, &mut waits, workspace);
            self.poll_events(now, cx, &mut waits, workspace);
            self.write(now, cx, workspace);
        }
        self.core.swap_buffer(&mut workspace.out);
        let until = self.core.poll_timeout();
        self.wire.arm(cx, until);
        if self.core.is_done() { self.wire.poll_shut_down(cx, now, until) } else { Poll::Pending }
    }

    /// Whether there is something to try that has not said that it will wake the task.
    fn can_go_on(&self, waits: &Waits) -> bool {
        self.wire.can_go_on(self.core.wants_bytes(), self.core.outbound())
            || (self.opening.is_some() && !waits.open)
            || (!self.receipts.is_empty() && !waits.receipt)
            || (self.session.is_some() && self.core.wants_event() && !waits.event)
            || (self.session.is_some() && !waits.event && !waits.urgent)
    }

    /// Does what the core says.
    fn obey(&mut self) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Open(hello) => {
                    let gateway = Arc::clone(&self.gateway);
                    self.opening = Some(Box::pin(async move { gateway.open(*hello).await }));
                }
                Output::Publish(batch) => {
                    if let Some(session) = &mut self.session {
                        self.receipts.push_back(session.publish(batch));
                    }
                }
                Output::LastWord(message) => {
                    if let Some(session) = &mut self.session {
                        // The client is gone, so nobody waits for the answer.
                        drop(session.publish(vec![message]));
                    }
                }
                Output::Subscribe(feeds) => {
                    if let Some(session) = &mut self.session {
                        self.receipts.push_back(session.subscribe(feeds));
                    }
                }
                Output::Unsubscribe(feeds) => {
                    if let Some(session) = &mut self.session {
                        self.receipts.push_back(session.unsubscribe(feeds));
                    }
                }
                Output::Twin { tag, request } => {
                    if let Some(session) = &mut self.session {
                        session.twin(tag, request);
                    }
                }
                Output::AnswerMethod { id, answer } => {
                    if let Some(session) = &mut self.session {
                        session.answer_method(id, answer);
                    }
                }
                Output::Report(kind, detail) => self.report(kind, &detail),
                Output::Close => {
                    self.opening = None;
                    self.session = None;
                    self.receipts = VecDeque::new();
                    self.stop = None;
                }
            }
        }
    }

    fn report(&self, kind: IncidentKind, detail: &str) {
        let detail = format_args!("{detail}");
        let mut incident = Incident::new(kind, PROTOCOL, detail);
        incident.identity = self.session.as_ref().map(|session| &session.authenticated().identity);
        incident.peer = self.wire.peer();
        self.gateway.report(&incident);
    }

    fn hear_stop(&mut self, now: Instant, cx: &mut Context<'_>, workspace: &mut Workspace) {
        if let Some(stop) = &mut self.stop
            && stop.as_mut().poll(cx).is_ready()
        {
            self.stop = None;
            self.core.handle_input(now, Input::End, &mut workspace.scratch);
            self.obey();
        }
    }

    fn poll_opening(
        &mut self,
        now: Instant,
        cx: &mut Context<'_>,
        waits: &mut Waits,
        workspace: &mut Workspace,
    ) {
        let Some(opening) = &mut self.opening else { return };
        let answer = match opening.as_mut().poll(cx) {
            Poll::Pending => {
                waits.open = true;
                return;
            }
            Poll::Ready(answer) => answer,
        };
        self.opening = None;
        self.stop = None;
        let answer = answer.map(|session| {
            let opened = Opened {
                authenticated: session.authenticated().clone(),
                resumed: session.resumed(),
                feeds: session.feeds(),
            };
            self.session = Some(session);
            opened
        });
        self.core.handle_input(now, Input::Opened(answer), &mut workspace.scratch);
        self.obey();
    }

    /// Reads all that the socket has, up to one workspace full.
    fn read(&mut self, now: Instant, cx: &mut Context<'_>, workspace: &mut Workspace) {
        if !self.core.wants_bytes() {
            return;
        }
        let max = self.core.max_read_bytes().min(workspace.read.len());
        let Some(space) = workspace.read.get_mut(..max) else { return };
        let Some(Read { bytes, end }) = self.wire.read(cx, space) else { return };
        if let Some(Err(error)) = &end {
            if error.kind() == io::ErrorKind::InvalidData {
                self.report(IncidentKind::Malformed, &error.to_string());
            }
            self.wire.lost(error);
        }
        if !bytes.is_empty() {
            self.core.handle_input(now, Input::Bytes(bytes), &mut workspace.scratch);
            self.obey();
        }
        if end.is_some() {
            self.core.handle_input(now, Input::End, &mut workspace.scratch);
            self.obey();
        }
    }

    fn poll_receipts(
        &mut self,
        now: Instant,
        cx: &mut Context<'_>,
        waits: &mut Waits,
        workspace: &mut Workspace,
    ) {
        while !waits.receipt
            && let Some(receipt) = self.receipts.front_mut()
        {
            match Pin::new(receipt).poll(cx) {
                Poll::Pending => waits.receipt = true,
                Poll::Ready(answer) => {
                    self.receipts.pop_front();
                    if let Err(error) = &answer {
                        tracing::debug!(peer = ?self.wire.peer(), %error, "the gateway did not take a batch");
                    }
                    self.core.handle_input(
                        now,
                        Input::Resolved { ok: answer.is_ok() },
                        &mut workspace.scratch,
                    );
                    self.obey();
                }
            }
        }
        if self.receipts.is_empty() && self.receipts.capacity() > 8 {
            self.receipts = VecDeque::new();
        }
    }

    fn poll_events(
        &mut self,
        now: Instant,
        cx: &mut Context<'_>,
        waits: &mut Waits,
        workspace: &mut Workspace,
    ) {
        while !waits.event
            && self.core.wants_event()
            && let Some(session) = &mut self.session
        {
            match session.poll_event(cx) {
                Poll::Pending => waits.event = true,
                Poll::Ready(event) => {
                    self.core.handle_input(now, Input::Event(event), &mut workspace.scratch);
                    self.obey();
                }
            }
        }
        // What the socket takes is written first: only a client that does not read is to have much waiting for it.
        while !(waits.event || waits.urgent)
            && (self.wire.is_stuck() || !self.core.is_outbound_full())
            && let Some(session) = &mut self.session
        {
            match session.poll_urgent(cx) {
                Poll::Pending => waits.urgent = true,
                Poll::Ready(event) => {
                    self.core.handle_input(now, Input::Event(event), &mut workspace.scratch);
                    self.obey();
                }
            }
        }
    }

    fn write(&mut self, now: Instant, cx: &mut Context<'_>, workspace: &mut Workspace) {
        while let Some(written) = self.wire.write(cx, self.core.outbound()) {
            match written {
                Ok(bytes) => self.core.handle_written(now, bytes),
                Err(error) => {
                    self.wire.lost(&error);
                    self.core.handle_input(now, Input::End, &mut workspace.scratch);
                    self.core.discard_outbound();
                    return self.obey();
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
        let result = this.turn(cx, &mut workspace);
        this.slot.resources().give_back(workspace);
        result
    }
}
