//! The side of an upstream that the hub calls; the other side is the task of `driver`.

use std::sync::atomic::{AtomicU64, Ordering};

use edge_core::{EndpointError, Message, Outcome, Stored};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use super::driver::{self, Remote};
use super::tasks;

pub(super) type Reply = oneshot::Sender<Result<Vec<Outcome>, EndpointError>>;

/// A batch to send, and whom to tell.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) messages: Vec<Message>,
    pub(super) reply: Reply,
}

/// What the task gets of its owner.
pub(super) struct Orders {
    pub(super) jobs: mpsc::Receiver<Job>,
    pub(super) closing: watch::Receiver<bool>,
}

impl Orders {
    /// Resolves when the upstream is closed or dropped.
    pub(super) async fn closed(closing: &mut watch::Receiver<bool>) {
        let _dropped_is_closed = closing.wait_for(|closing| *closing).await;
    }
}

/// The owner of the task that keeps a connection.
#[derive(Debug)]
pub(super) struct Jobs {
    jobs: mpsc::Sender<Job>,
    closing: watch::Sender<bool>,
    /// Counts the connections that came to be; closed when the task has ended.
    links: watch::Receiver<u64>,
    /// How many there were when the last batch came back.
    seen: AtomicU64,
}

impl Jobs {
    /// Starts the task that connects to `remote`, and again whenever the connection is lost.
    pub(super) fn start(runtime: &Handle, remote: impl Remote) -> Self {
        let (jobs, jobs_taken) = mpsc::channel(1);
        let (closing, is_closing) = watch::channel(false);
        let (links_made, links) = watch::channel(0);
        let orders = Orders { jobs: jobs_taken, closing: is_closing };
        tasks::spawn(runtime, driver::run(remote, orders, links_made));
        Self { jobs, closing, links, seen: AtomicU64::new(0) }
    }

    /// [`edge_core::Endpoint::send`].
    pub(super) async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        let (reply, answer) = oneshot::channel();
        let messages = batch.iter().map(|stored| stored.message.clone()).collect();
        if self.jobs.send(Job { messages, reply }).await.is_err() {
            return Err(EndpointError::Closed);
        }
        let answer = answer.await.unwrap_or(Err(EndpointError::Closed));
        self.seen.store(*self.links.borrow(), Ordering::Relaxed);
        answer
    }

    /// [`edge_core::Endpoint::ready`]: when there is a connection that the last batch did not have.
    pub(super) async fn ready(&self) {
        let seen = self.seen.load(Ordering::Relaxed);
        let mut links = self.links.clone();
        if links.wait_for(|made| *made > seen).await.is_err() {
            std::future::pending().await
        }
    }

    /// [`edge_core::Endpoint::close`]: when the task has ended.
    pub(super) async fn close(&self) {
        self.closing.send_replace(true);
        let mut links = self.links.clone();
        while links.changed().await.is_ok() {}
    }
}

/// Resolves when nobody waits for the batch any more.
pub(super) async fn is_abandoned(reply: &mut Option<Reply>) {
    match reply {
        Some(reply) => reply.closed().await,
        None => std::future::pending().await,
    }
}
