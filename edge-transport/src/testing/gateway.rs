//! A gateway that notes everything and does what a test tells it.

mod visit;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use bytes::Bytes;
use edge_core::service::LockOutcome;
use edge_core::{
    AuthError, Authenticated, Channel, CloseReason, Credentials, Delivery, Durability, FeedSet, Gateway,
    Hello, Identity, Incident, IncidentKind, Message, MethodAnswer, MethodCall, Receipt, ReceiptSender,
    Refusal, Session, SessionEvent, Settlement, Settler, StoreError, Timestamp, TwinAnswer, TwinRequest,
    Visit,
};
use tokio::sync::Notify;

use self::visit::FakeVisit;

/// A gateway in memory, for tests of transports; clones are the same gateway.
///
/// It lets in everybody who shows [`FakeGateway::TOKEN`] or a certificate, acknowledges at once unless told to wait, and
/// keeps subscriptions of every identity.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use edge_core::{Credentials, Gateway, Hello, Message, Source};
/// use edge_transport::testing::FakeGateway;
///
/// let gateway = FakeGateway::new();
/// let hello = Hello::new("d".parse().unwrap(), Credentials::SasToken(FakeGateway::TOKEN.into()), "test", None);
/// let mut session = gateway.open(hello).await.unwrap();
/// session.publish(vec![Message::builder(&Source::telemetry()).body(b"hi").build()]).await.unwrap();
/// assert_eq!(gateway.published()[0].body(), b"hi");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct FakeGateway(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    hold_receipts: bool,
    not_ready: bool,
    expires: Option<Timestamp>,
    held: VecDeque<ReceiptSender>,
    hellos: Vec<Hello>,
    published: Vec<Message>,
    batches: Vec<usize>,
    sessions: Vec<Arc<Mailbox>>,
    kept: Vec<(Identity, FeedSet)>,
    settled: Vec<(u64, Settlement)>,
    incidents: Vec<IncidentKind>,
    twin_requests: Vec<TwinRequest>,
    method_answers: Vec<(u64, MethodAnswer)>,
    next_tag: u64,
    opened: usize,
    visits: usize,
    queues: BTreeMap<Identity, VecDeque<Message>>,
    outcomes: Vec<(String, LockOutcome)>,
}

/// What waits for one session.
#[derive(Debug)]
struct Mailbox {
    identity: Identity,
    inner: Mutex<(VecDeque<SessionEvent>, Option<Waker>)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mailbox {
    fn push(&self, event: SessionEvent) {
        let mut inner = lock(&self.inner);
        inner.0.push_back(event);
        if let Some(waker) = inner.1.take() {
            waker.wake();
        }
    }
}

impl FakeGateway {
    /// The token that is let in.
    pub const TOKEN: &'static str = "the right token";

    /// Returns a gateway that nobody is connected to.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whether receipts wait for [`FakeGateway::resolve_next`].
    pub fn hold_receipts(&self, hold: bool) {
        lock(&self.0.state).hold_receipts = hold;
    }

    /// Says whether clients are told to come again later.
    pub fn not_ready(&self, not_ready: bool) {
        lock(&self.0.state).not_ready = not_ready;
    }

    /// Resolves the oldest receipt that waits, and returns whether there was one.
    pub fn resolve_next(&self, ok: bool) -> bool {
        let held = lock(&self.0.state).held.pop_front();
        held.is_some_and(|sender| {
            sender.send(if ok { Ok(Durability::Synced) } else { Err(StoreError::Closed) });
            true
        })
    }

    /// Returns how many receipts wait.
    #[must_use]
    pub fn held(&self) -> usize {
        lock(&self.0.state).held.len()
    }

    /// Returns all messages published so far.
    #[must_use]
    pub fn published(&self) -> Vec<Message> {
        lock(&self.0.state).published.clone()
    }

    /// Returns how many messages each batch had.
    #[must_use]
    pub fn batches(&self) -> Vec<usize> {
        lock(&self.0.state).batches.clone()
    }

    /// Returns all hellos so far.
    #[must_use]
    pub fn hellos(&self) -> Vec<Hello> {
        lock(&self.0.state).hellos.clone()
    }

    /// Returns how many sessions are open.
    #[must_use]
    pub fn sessions(&self) -> usize {
        lock(&self.0.state).sessions.len()
    }

    /// Returns how many sessions were opened in all.
    #[must_use]
    pub fn opened(&self) -> usize {
        lock(&self.0.state).opened
    }

    /// Returns what an identity is subscribed to.
    #[must_use]
    pub fn feeds(&self, identity: &Identity) -> FeedSet {
        let state = lock(&self.0.state);
        state.kept.iter().find(|(kept, _)| kept == identity).map_or(FeedSet::EMPTY, |(_, feeds)| *feeds)
    }

    /// Returns how many clients came for one request.
    #[must_use]
    pub fn visits(&self) -> usize {
        lock(&self.0.state).visits
    }

    /// Lets a message wait until the identity fetches it; its lock token is the system property that it has.
    pub fn enqueue(&self, identity: &Identity, message: Message) {
        self.change(|state| state.queues.entry(identity.clone()).or_default().push_back(message));
    }

    /// Returns what became of messages that were fetched, by their lock tokens.
    #[must_use]
    pub fn outcomes(&self) -> Vec<(String, LockOutcome)> {
        lock(&self.0.state).outcomes.clone()
    }

    /// Returns what became of the deliveries, by their tags, in the order in which it happened.
    #[must_use]
    pub fn settled(&self) -> Vec<(u64, Settlement)> {
        lock(&self.0.state).settled.clone()
    }

    /// Returns what was reported.
    #[must_use]
    pub fn incidents(&self) -> Vec<IncidentKind> {
        lock(&self.0.state).incidents.clone()
    }

    /// Delivers a message to the open session of an identity, and returns the delivery's tag; tags count from 0.
    pub fn deliver(&self, identity: &Identity, channel: Channel, message: Message) -> Option<u64> {
        self.deliver_marked(identity, channel, message, false)
    }

    /// Delivers a message again.
    pub fn redeliver(&self, identity: &Identity, channel: Channel, message: Message) -> Option<u64> {
        self.deliver_marked(identity, channel, message, true)
    }

    fn deliver_marked(
        &self,
        identity: &Identity,
        channel: Channel,
        message: Message,
        again: bool,
    ) -> Option<u64> {
        let mut state = lock(&self.0.state);
        let mailbox = state.sessions.iter().find(|mailbox| mailbox.identity == *identity).cloned()?;
        let tag = state.next_tag;
        state.next_tag += 1;
        drop(state);
        let delivery = Delivery::new(message, channel, Arc::<Inner>::clone(&self.0), tag);
        mailbox.push(SessionEvent::Deliver(if again { delivery.redelivered() } else { delivery }));
        Some(tag)
    }

    /// Returns what clients asked of their twins.
    #[must_use]
    pub fn twin_requests(&self) -> Vec<TwinRequest> {
        lock(&self.0.state).twin_requests.clone()
    }

    /// Returns the answers to direct methods, each with the number of its call.
    #[must_use]
    pub fn method_answers(&self) -> Vec<(u64, MethodAnswer)> {
        lock(&self.0.state).method_answers.clone()
    }

    /// Calls a direct method on the open session of an identity.
    pub fn call(&self, identity: &Identity, call: MethodCall) {
        self.tell(identity, || SessionEvent::Method(call.clone()));
    }

    /// Tells the open session of an identity that its desired properties have changed.
    pub fn desire(&self, identity: &Identity, version: u64, patch: &Bytes) {
        self.tell(identity, || SessionEvent::Desired { version, patch: patch.clone() });
    }

    fn tell(&self, identity: &Identity, event: impl Fn() -> SessionEvent) {
        for mailbox in lock(&self.0.state).sessions.iter().filter(|mailbox| mailbox.identity == *identity) {
            mailbox.push(event());
        }
    }

    /// Ends the open session of an identity.
    pub fn close(&self, identity: &Identity, reason: CloseReason) {
        self.tell(identity, || SessionEvent::Closed(reason));
    }

    /// Waits until `condition` holds; it is asked after every change.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing happened.
    pub async fn until(&self, condition: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if condition(self) {
                return;
            }
            changed.await;
        }
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        self.0.change(change)
    }

    fn receipt(&self) -> Receipt {
        self.change(|state| {
            if !state.hold_receipts {
                return Receipt::ready(Ok(Durability::Synced));
            }
            let (sender, receipt) = Receipt::pair();
            state.held.push_back(sender);
            receipt
        })
    }
}

impl Inner {
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut lock(&self.state));
        self.changed.notify_waiters();
        result
    }
}

impl Settler for Inner {
    fn settle(&self, tag: u64, settlement: Settlement) {
        self.change(|state| state.settled.push((tag, settlement)));
    }
}

#[derive(Debug)]
struct FakeSession {
    gateway: FakeGateway,
    mailbox: Arc<Mailbox>,
    authenticated: Authenticated,
    resumed: bool,
}

#[async_trait]
impl Gateway for FakeGateway {
    async fn open(&self, hello: Hello) -> Result<Box<dyn Session>, Refusal> {
        self.open_session(hello)
    }

    async fn visit(&self, hello: Hello) -> Result<Box<dyn Visit>, Refusal> {
        let method = self.judged(&hello)?;
        let identity = hello.claimed.clone();
        self.change(|state| {
            state.hellos.push(hello);
            if state.not_ready {
                return Err(Refusal::NotReady { reason: "the test says so".to_owned() });
            }
            state.visits += 1;
            let authenticated = Authenticated::new(identity, method, state.expires);
            Ok(Box::new(FakeVisit { gateway: self.clone(), authenticated }) as Box<dyn Visit>)
        })
    }

    fn report(&self, incident: &Incident<'_>) {
        self.change(|state| state.incidents.push(incident.kind));
    }
}

impl FakeGateway {
    /// Decides whether a client is let in, and returns how it proves who it is.
    fn judged(&self, hello: &Hello) -> Result<&'static str, Refusal> {
        match &hello.credentials {
            Credentials::SasToken(token) if token == Self::TOKEN => Ok("sas"),
            Credentials::X509(_) => Ok("x509Thumbprint"),
            _ => {
                self.change(|state| state.hellos.push(hello.clone()));
                let identity = hello.claimed.clone();
                Err(AuthError::Denied { identity, reason: "a wrong token".to_owned() }.into())
            }
        }
    }

    fn open_session(&self, hello: Hello) -> Result<Box<dyn Session>, Refusal> {
        let identity = hello.claimed.clone();
        let method = self.judged(&hello)?;
        let mailbox = Arc::new(Mailbox { identity: identity.clone(), inner: Mutex::default() });
        let opened = self.change(|state| {
            let clean = hello.clean;
            state.hellos.push(hello);
            if state.not_ready {
                return Err(Refusal::NotReady { reason: "the test says so".to_owned() });
            }
            state.sessions.retain(|other| {
                let same = other.identity == identity;
                if same {
                    other.push(SessionEvent::Closed(CloseReason::TakenOver));
                }
                !same
            });
            if clean {
                state.kept.retain(|(kept, _)| *kept != identity);
            }
            state.opened += 1;
            state.sessions.push(Arc::clone(&mailbox));
            let resumed = state.kept.iter().any(|(kept, _)| *kept == identity);
            Ok((Authenticated::new(identity, method, state.expires), resumed))
        });
        let (authenticated, resumed) = opened?;
        Ok(Box::new(FakeSession { gateway: self.clone(), mailbox, authenticated, resumed }))
    }
}

impl FakeSession {
    fn keep(&self, change: impl FnOnce(FeedSet) -> FeedSet) {
        let identity = &self.authenticated.identity;
        self.gateway.change(|state| match state.kept.iter_mut().find(|(kept, _)| kept == identity) {
            Some((_, feeds)) => *feeds = change(*feeds),
            None => state.kept.push((identity.clone(), change(FeedSet::EMPTY))),
        });
    }
}

impl Session for FakeSession {
    fn authenticated(&self) -> &Authenticated {
        &self.authenticated
    }

    fn resumed(&self) -> bool {
        self.resumed
    }

    fn feeds(&self) -> FeedSet {
        self.gateway.feeds(&self.authenticated.identity)
    }

    fn publish(&mut self, batch: Vec<Message>) -> Receipt {
        self.gateway.change(|state| {
            state.batches.push(batch.len());
            state.published.extend(batch);
        });
        self.gateway.receipt()
    }

    fn subscribe(&mut self, feeds: FeedSet) -> Receipt {
        self.keep(|kept| kept.union(feeds));
        self.gateway.receipt()
    }

    fn unsubscribe(&mut self, feeds: FeedSet) -> Receipt {
        self.keep(|kept| kept.without(feeds));
        self.gateway.receipt()
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<SessionEvent> {
        let mut inner = lock(&self.mailbox.inner);
        match inner.0.pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                inner.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn poll_urgent(&mut self, cx: &mut Context<'_>) -> Poll<SessionEvent> {
        let mut inner = lock(&self.mailbox.inner);
        let closed = inner.0.iter().position(|event| matches!(event, SessionEvent::Closed(_)));
        let urgent =
            closed.or_else(|| inner.0.iter().position(|event| !matches!(event, SessionEvent::Deliver(_))));
        match urgent.and_then(|at| inner.0.remove(at)) {
            Some(event) => Poll::Ready(event),
            None => {
                inner.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn twin(&mut self, tag: Bytes, request: TwinRequest) {
        let answer = match &request {
            TwinRequest::Read => {
                TwinAnswer::new(200, r#"{"desired":{"$version":1},"reported":{"$version":1}}"#)
            }
            _ => TwinAnswer::new(204, "").with_version(2),
        };
        self.gateway.change(|state| state.twin_requests.push(request));
        self.mailbox.push(SessionEvent::Twin { tag, answer });
    }

    fn answer_method(&mut self, id: u64, answer: MethodAnswer) {
        self.gateway.change(|state| state.method_answers.push((id, answer)));
    }
}

impl Drop for FakeSession {
    fn drop(&mut self) {
        let waiting = std::mem::take(&mut lock(&self.mailbox.inner).0);
        drop(waiting);
        self.gateway.change(|state| state.sessions.retain(|other| !Arc::ptr_eq(other, &self.mailbox)));
    }
}
