//! Rights that are taken away while somebody is coming in, and what is left of those who are gone.
#![allow(missing_docs, reason = "a test")]

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use edge_core::service::{AuthSpec, IdentitySpec, IfMatch, Service, TwinChange};
use edge_core::{
    AuthError, Authenticated, Authenticator, Credentials, Durability, Feed, FeedSet, Gateway, Hello,
    Identity, MemorySessions, Refusal, SessionStore, StoreError, Timestamp,
};
use edge_hub::{Hub, Registry};
use edge_transport::{Listener, ListenerError, Stop};
use edge_twin::{MemoryTwins, Twin, TwinStore, TwinStoreError};
use tokio::sync::{Notify, oneshot};

fn who(id: &str) -> Identity {
    id.parse().unwrap()
}

fn hello(id: &str) -> Hello {
    Hello::new(who(id), Credentials::None, "test", None)
}

/// A door that hands out what is behind it.
#[derive(Debug)]
struct Inside(oneshot::Sender<Arc<dyn Gateway>>);

#[async_trait]
impl Listener for Inside {
    fn local_addr(&self) -> Option<std::net::SocketAddr> {
        None
    }

    async fn serve(self: Box<Self>, gateway: Arc<dyn Gateway>, stop: Stop) -> Result<(), ListenerError> {
        assert!(self.0.send(gateway).is_ok(), "somebody wants to come in");
        stop.wait().await;
        Ok(())
    }
}

/// Lets in until it is told otherwise, and is slow to say so.
#[derive(Debug, Default)]
struct Slow {
    revoked: AtomicBool,
    judged: Notify,
    go: Notify,
}

#[async_trait]
impl Authenticator for Slow {
    async fn authenticate(
        &self,
        claimed: &Identity,
        _: &Credentials,
        _: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        if self.revoked.load(Ordering::SeqCst) {
            return Err(AuthError::Disabled { identity: claimed.clone() });
        }
        self.judged.notify_one();
        self.go.notified().await;
        Ok(Authenticated::new(claimed.clone(), "test", None))
    }
}

#[tokio::test]
async fn who_was_judged_before_rights_were_taken_away_is_judged_again() {
    let (inside, gateway) = oneshot::channel();
    let slow = Arc::new(Slow::default());
    let builder = Hub::builder("edge1".parse().unwrap()).authenticator(slow.clone());
    let hub = builder.listener(Box::new(Inside(inside))).build().unwrap();
    let handle = hub.handle();
    let running = hub.start();
    let gateway = gateway.await.unwrap();
    let taking_away = async {
        slow.judged.notified().await;
        // The session cannot be found yet, and so cannot be ended.
        slow.revoked.store(true, Ordering::SeqCst);
        handle.revoke(&[who("press-7")]);
        slow.go.notify_one();
    };
    let (refused, ()) = tokio::join!(gateway.open(hello("press-7")), taking_away);
    let refused = refused.map(drop);
    assert!(matches!(refused, Err(Refusal::Auth(AuthError::Disabled { .. }))), "{refused:?}");
    assert_eq!(handle.connected(), 0);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_session_that_was_taken_over_changes_nothing_of_its_successors() {
    let (inside, gateway) = oneshot::channel();
    let sessions = Arc::new(MemorySessions::default());
    let slow = Arc::new(Slow::default());
    let builder = Hub::builder("edge1".parse().unwrap()).authenticator(slow.clone());
    let builder = builder.sessions(sessions.clone()).listener(Box::new(Inside(inside)));
    let running = builder.build().unwrap().start();
    let gateway = gateway.await.unwrap();
    let open = async || {
        slow.go.notify_one();
        gateway.open(hello("press-7")).await.unwrap()
    };
    let mut first = open().await;
    let mut second = open().await;
    let wanted = FeedSet::EMPTY.with(Feed::CloudToDevice);
    second.subscribe(wanted).await.unwrap();
    assert!(matches!(first.unsubscribe(wanted).await, Err(StoreError::Closed)));
    assert_eq!(sessions.load(&who("press-7")), wanted);
    drop((first, second));
    running.stop().await.unwrap();
}

/// Twins that are not removed the first time.
#[derive(Debug, Default)]
struct Sticky {
    twins: MemoryTwins,
    failed: AtomicBool,
}

#[async_trait]
impl TwinStore for Sticky {
    async fn load(&self, identity: &Identity) -> Result<Option<Twin>, TwinStoreError> {
        self.twins.load(identity).await
    }

    async fn save(
        &self,
        identity: &Identity,
        over: Option<u64>,
        twin: Twin,
    ) -> Result<Durability, TwinStoreError> {
        self.twins.save(identity, over, twin).await
    }

    async fn remove(&self, identity: &Identity) -> Result<bool, TwinStoreError> {
        let there = self.twins.load(identity).await?.is_some();
        if there && !self.failed.swap(true, Ordering::SeqCst) {
            let source = Arc::new(std::io::Error::other("the disk fails"));
            return Err(TwinStoreError::Io { doing: "removing", source });
        }
        self.twins.remove(identity).await
    }

    async fn list(
        &self,
        after: Option<&Identity>,
        limit: NonZeroUsize,
    ) -> Result<Vec<(Identity, Twin)>, TwinStoreError> {
        self.twins.list(after, limit).await
    }
}

#[tokio::test]
async fn who_is_registered_anew_inherits_nothing() {
    let twins = Arc::new(Sticky::default());
    let builder = Hub::builder("edge1".parse().unwrap()).registry(Arc::new(Registry::new(["hub.local"])));
    let hub = builder.twins(twins.clone()).build().unwrap();
    let handle = hub.handle();
    let running = hub.start();
    let spec = |id: &str| {
        let mut spec = IdentitySpec::new(who(id));
        spec.auth = AuthSpec::default();
        spec
    };
    let change = |text: &'static str| TwinChange::Patch(text.into());
    for id in ["press-7", "press-7/filter"] {
        handle.create(spec(id)).await.unwrap();
        let desired = change(r#"{"properties":{"desired":{"old":1}}}"#);
        handle.change_twin(&who(id), desired, IfMatch::Any).await.unwrap();
    }
    handle.delete(&who("press-7"), IfMatch::Any).await.expect_err("one twin could not be removed");
    let module = twins.load(&who("press-7/filter")).await.unwrap();
    assert!(module.is_none(), "the one that failed keeps no other from being forgotten");
    handle.create(spec("press-7")).await.unwrap();
    let twin = handle.twin(&who("press-7")).await.unwrap();
    assert!(!String::from_utf8_lossy(&twin).contains("old"), "{}", String::from_utf8_lossy(&twin));
    running.stop().await.unwrap();
}
