//! Conformance kit for [`Listener`].
//!
//! The cases run the listener on loopback against a [`FakeGateway`]. What must happen is waited for, for five seconds at
//! most; what must not happen is waited for during a tenth of a second.
//!
//! ```
//! # use std::net::SocketAddr;
//! use async_trait::async_trait;
//! use edge_core::Identity;
//! use edge_transport::testing::listener::{ListenerClient, ListenerHarness};
//! # use edge_transport::{Listener, MqttListener, Resources, TransportLimits};
//!
//! struct Mine;
//!
//! #[async_trait]
//! impl ListenerHarness for Mine {
//!     async fn listener(&self) -> Box<dyn Listener> {
//! #       let resources = Resources::new(TransportLimits::default());
//! #       let my_listener = MqttListener::bind("127.0.0.1:0", &resources).await.unwrap();
//!         Box::new(my_listener)
//!     }
//!
//!     async fn connect(
//!         &self,
//!         address: SocketAddr,
//!         identity: &Identity,
//!         token: &str,
//!     ) -> Option<Box<dyn ListenerClient>> {
//! #       let my_client = None;
//! #       let _unused = (address, identity, token);
//!         my_client
//!     }
//! }
//!
//! edge_transport::listener_conformance!(Mine);
//! ```
//!
//! | contract | case | saboteur that fails it |
//! |---|---|---|
//! | `serve` MUST open a session for a client before … | [`refused_clients_take_no_part`] | `LetsEverybodyIn` |
//! | A message MUST be acknowledged only after the receipt … | [`acknowledgements_wait_for_the_receipt`] | `AcknowledgesEarly` |
//! | … when it resolves to `Err`, the client MUST learn … | [`a_failed_receipt_is_told`] | `IgnoresFailedReceipts` |
//! | What a client sends in another identity's name … | [`nobody_sends_for_another`] | `ForwardsForAnybody` |
//! | A listener MUST stop reading from a client … | [`reading_stops_while_receipts_wait`] | `ReadsWithoutBound` |
//! | A delivery MUST be settled when the client takes it … | [`taken_deliveries_are_settled`] | `ForgetsToSettle` |
//! | … and dropped when the connection ends before that | [`untaken_deliveries_are_released`] | `SettlesEarly` |
//! | The session MUST be dropped when the connection ends … | [`the_session_ends_with_the_connection`] | `KeepsSessions` |
//! | After `SessionEvent::Closed` … | [`a_closed_session_closes_the_connection`] | `IgnoresTheClose` |
//! | When `stop` resolves, `serve` MUST … | [`stopping_ends_everything`] | `DoesNotStop` |
//! | A client MUST NOT be able to end `serve` … | [`one_client_ends_nothing_for_others`] | `DiesOfNonsense` |
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use edge_core::{Channel, CloseReason, Identity, Message, Settlement, Source};
use tokio::time::timeout;

use super::FakeGateway;
use crate::stop::Stopper;
use crate::tasks::Tasks;
use crate::{Listener, Stop};

/// How long something that must happen may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long something that must not happen is waited for.
const PAUSE: Duration = Duration::from_millis(100);

/// How the kit gets at a listener, and at clients that speak its protocol.
#[async_trait]
pub trait ListenerHarness: Send + Sync {
    /// Returns a listener on a free port of the loopback address, with the limits that it has by itself.
    async fn listener(&self) -> Box<dyn Listener>;

    /// Connects a client as the module `identity` with this token; `None` when it is not let in.
    async fn connect(
        &self,
        address: SocketAddr,
        identity: &Identity,
        token: &str,
    ) -> Option<Box<dyn ListenerClient>>;

    /// Returns more messages, of 1,000 bytes each, than a listener may read without receipts, and than fit into the
    /// buffers of two sockets.
    fn too_many_messages(&self) -> usize {
        20_000
    }
}

/// A client of the listener under test. Dropping it cuts its connection.
#[async_trait]
pub trait ListenerClient: fmt::Debug + Send {
    /// Sends a message in the name of `sender`, without waiting for an answer; `false` when the connection is gone.
    async fn send(&mut self, sender: &Identity, body: &[u8]) -> bool;

    /// Waits for the next acknowledgement; `false` when the message is refused or the connection ends first.
    async fn acknowledged(&mut self) -> bool;

    /// Subscribes to the input `in`, and waits for the answer.
    async fn subscribe(&mut self);

    /// Waits for the next delivery, and returns its body; `None` when the connection ends first.
    async fn receive(&mut self) -> Option<Vec<u8>>;

    /// Takes the delivery that came last.
    async fn accept(&mut self);

    /// Sends bytes that are not the protocol.
    async fn send_nonsense(&mut self);

    /// Waits until the other side has closed the connection.
    async fn ended(&mut self);
}

/// A listener that runs, and its gateway.
struct Rig {
    gateway: FakeGateway,
    address: SocketAddr,
    stopper: Stopper,
    serving: Tasks,
}

impl Rig {
    async fn start(harness: &impl ListenerHarness) -> Self {
        let listener = harness.listener().await;
        let address = listener.local_addr().expect("the kit needs a listener with an IP address");
        let gateway = FakeGateway::new();
        let (stopper, stop) = Stop::pair();
        let mut serving = Tasks::default();
        let served = listener.serve(Arc::new(gateway.clone()), stop);
        serving.spawn(async move { served.await.expect("no client ends `serve`") });
        Self { gateway, address, stopper, serving }
    }

    async fn client(&self, harness: &impl ListenerHarness, id: &str) -> Box<dyn ListenerClient> {
        let identity = identity(id);
        let connecting = harness.connect(self.address, &identity, FakeGateway::TOKEN);
        soon("a client with the right token is let in", connecting).await.expect("it is let in")
    }
}

fn identity(id: &str) -> Identity {
    id.parse().expect("the kit's identities are well formed")
}

fn message(body: &[u8]) -> Message {
    Message::builder(&Source::telemetry()).body(body).build()
}

fn input() -> Channel {
    Channel::Input("in".parse().expect("the kit's input is well formed"))
}

async fn soon<R>(what: &str, happens: impl Future<Output = R>) -> R {
    timeout(PATIENCE, happens).await.unwrap_or_else(|_| panic!("it did not happen: {what}"))
}

async fn never<R>(what: &str, happens: impl Future<Output = R>) {
    assert!(timeout(PAUSE, happens).await.is_err(), "it happened: {what}");
}

/// > `serve` MUST open a session for a client before it takes anything else from it, and MUST NOT take anything from
/// > a client that the gateway refuses.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn refused_clients_take_no_part(harness: &impl ListenerHarness) {
    let rig = Rig::start(harness).await;
    let who = identity("e/m");
    let connecting = harness.connect(rig.address, &who, "a wrong token");
    if let Some(mut client) = soon("a client with a wrong token is answered", connecting).await {
        client.send(&identity("e/m"), b"x").await;
        never("a refused client's message is published", rig.gateway.until(|g| !g.published().is_empty()))
            .await;
        panic!("a client with a wrong token was let in");
    }
    assert_eq!(rig.gateway.hellos().len(), 1, "the gateway was asked once");
    let mut client = rig.client(harness, "e/m").await;
    assert_eq!(rig.gateway.sessions(), 1, "the session is open when the client is told so");
    client.send(&identity("e/m"), b"x").await;
    soon("a message is published", rig.gateway.until(|g| g.published().len() == 1)).await;
}

/// > A message MUST be acknowledged only after the receipt of its batch has resolved to `Ok`; when it resolves to
/// > `Err`, the client MUST learn that the message was not taken, if only by losing the connection.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn acknowledgements_wait_for_the_receipt(harness: &impl ListenerHarness) {
    let rig = Rig::start(harness).await;
    rig.gateway.hold_receipts(true);
    let mut client = rig.client(harness, "e/m").await;
    client.send(&identity("e/m"), b"x").await;
    soon("the message is published", rig.gateway.until(|g| g.held() == 1)).await;
    never("a message is acknowledged before its receipt", client.acknowledged()).await;
    rig.gateway.resolve_next(true);
    assert!(soon("the message is acknowledged", client.acknowledged()).await);
}

/// > A message MUST be acknowledged only after the receipt of its batch has resolved to `Ok`; when it resolves to
/// > `Err`, the client MUST learn that the message was not taken, if only by losing the connection.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_failed_receipt_is_told(harness: &impl ListenerHarness) {
    let rig = Rig::start(harness).await;
    rig.gateway.hold_receipts(true);
    let mut client = rig.client(harness, "e/m").await;
    client.send(&identity("e/m"), b"x").await;
    soon("the message is published", rig.gateway.until(|g| g.held() == 1)).await;
    rig.gateway.resolve_next(false);
    let acknowledged = soon("the client learns what became of its message", client.acknowledged()).await;
    assert!(!acknowledged, "a message that was not taken is acknowledged");
}

/// > What a client sends in another identity's name MUST NOT be published, and MUST be reported.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn nobody_sends_for_another(harness: &impl ListenerHarness) {
    let rig = Rig::start(harness).await;
    let mut client = rig.client(harness, "e/m").await;
    client.send(&identity("e/other"), b"x").await;
    soon(
        "it is reported or published",
        rig.gateway.until(|g| !g.incidents().is_empty() || !g.published().is_empty()),
    )
    .await;
    assert!(rig.gateway.published().is_empty(), "a message in another's name was published");
}

/// > A listener MUST stop reading from a client whose messages wait in more receipts than its limits allow.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn reading_stops_while_receipts_wait(harness: &impl ListenerHarness) {
    let rig = Rig::start(harness).await;
    rig.gateway.hold_receipts(true);
    let mut client = rig.client(harness, "e/m").await;
    let (who, body) = (identity("e/m"), [0; 1000]);
    let many = harness.too_many_messages();
    let mut sent = 0;
    while sent < many && timeout(PAUSE * 5, client.send(&who, &body)).await.is_ok_and(|sent| sent) {
        sent += 1;
    }
    assert!(sent < many, "{sent} messages were read without a receipt");
    assert!(!rig.gateway.published().is_empty(), "nothing was read at all");
}

/// > A delivery MUST be settled when the client takes it, and dropped when the connection ends before that.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn taken_deliveries_are_settled(harness: &impl ListenerHarness) {
    let rig = Rig::start(harness).await;
    let mut client = rig.client(harness, "e/m").await;
    client.subscribe().await;
    rig.gateway.deliver(&identity("e/m"), input(), message(b"hot"));
    assert_eq!(soon("the message is delivered", client.receive()).await.as_deref(), Some(&b"hot"[..]));
    client.accept().await;
    let settled = |gateway: &FakeGateway| gateway.settled() == [(0, Settlement::Accept)];
    soon("the delivery is settled", rig.gateway.until(settled)).await;
}

/// > A delivery MUST be settled when the client takes it, and dropped when the connection ends before that.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn untaken_deliveries_are_released(harness: &impl ListenerHarness) {
    let rig = Rig::start(harness).await;
    let mut client = rig.client(harness, "e/m").await;
    client.subscribe().await;
    rig.gateway.deliver(&identity("e/m"), input(), message(b"hot"));
    soon("the message is delivered", client.receive()).await;
    drop(client);
    soon("the delivery is settled", rig.gateway.until(|g| !g.settled().is_empty())).await;
    assert_eq!(rig.gateway.settled(), [(0, Settlement::Release)]);
}

/// > The session MUST be dropped when the connection ends, whichever side ends it.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn the_session_ends_with_the_connection(harness: &impl ListenerHarness) {
    let rig = Rig::start(harness).await;
    let client = rig.client(harness, "e/m").await;
    drop(client);
    soon("the session ends", rig.gateway.until(|g| g.sessions() == 0)).await;
}

/// > After [`SessionEvent::Closed`](edge_core::SessionEvent::Closed) the connection MUST be closed.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_closed_session_closes_the_connection(harness: &impl ListenerHarness) {
    let rig = Rig::start(harness).await;
    let mut client = rig.client(harness, "e/m").await;
    rig.gateway.close(&identity("e/m"), CloseReason::Revoked);
    soon("the connection is closed", client.ended()).await;
}

/// > When `stop` resolves, `serve` MUST accept nothing more, MUST return within a bounded time, and MUST leave no
/// > connection open.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn stopping_ends_everything(harness: &impl ListenerHarness) {
    let mut rig = Rig::start(harness).await;
    let mut client = rig.client(harness, "e/m").await;
    rig.stopper.stop();
    rig.gateway.close(&identity("e/m"), CloseReason::Stopping);
    soon("`serve` returns", rig.serving.all_ended()).await;
    soon("the connection is closed", client.ended()).await;
    assert_eq!(rig.gateway.sessions(), 0, "a session is left");
    let who = identity("e/m");
    let connecting = harness.connect(rig.address, &who, FakeGateway::TOKEN);
    assert!(soon("a late client is turned away", connecting).await.is_none(), "a late client is let in");
}

/// > A client MUST NOT be able to end `serve`, nor another client's connection other than by connecting as the same
/// > identity.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn one_client_ends_nothing_for_others(harness: &impl ListenerHarness) {
    let rig = Rig::start(harness).await;
    let mut good = rig.client(harness, "e/good").await;
    let mut bad = rig.client(harness, "e/bad").await;
    bad.send_nonsense().await;
    soon("nonsense is answered by closing", bad.ended()).await;
    good.send(&identity("e/good"), b"x").await;
    assert!(soon("the other client goes on", good.acknowledged()).await, "the other client is cut off");
    rig.client(harness, "e/later").await;
}

/// Makes one test of each case of the [listener kit](crate::testing::listener); the argument makes a harness.
///
/// The crate under test needs `tokio` with `rt` and `macros` as a dev-dependency.
#[macro_export]
macro_rules! listener_conformance {
    ($harness:expr) => {
        $crate::__listener_cases! { tests [$harness] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __listener_cases {
    ($then:ident $args:tt) => {
        $crate::__listener_cases! { @$then $args
            refused_clients_take_no_part,
            acknowledgements_wait_for_the_receipt,
            a_failed_receipt_is_told,
            nobody_sends_for_another,
            reading_stops_while_receipts_wait,
            taken_deliveries_are_settled,
            untaken_deliveries_are_released,
            the_session_ends_with_the_connection,
            a_closed_session_closes_the_connection,
            stopping_ends_everything,
            one_client_ends_nothing_for_others,
        }
    };
    (@tests [$harness:expr] $($case:ident,)*) => {
        $(
            #[::tokio::test]
            async fn $case() {
                $crate::testing::listener::$case(&$harness).await;
            }
        )*
    };
    (@index [] $($case:ident,)*) => {
        /// The names of all cases of the kit.
        pub const CASES: &[&str] = &[$(stringify!($case)),*];

        /// Runs the case with this name.
        ///
        /// # Cancel safety
        /// Not cancel-safe: a case dropped half way has checked nothing.
        ///
        /// # Panics
        /// Panics when the contract is broken, and when there is no such case.
        pub async fn run(case: &str, harness: &impl ListenerHarness) {
            match case {
                $(stringify!($case) => Box::pin($case(harness)).await,)*
                _ => panic!("there is no case {case:?} in this kit"),
            }
        }
    };
}

__listener_cases! { index [] }
