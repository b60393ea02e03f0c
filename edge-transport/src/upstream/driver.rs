//! The task that keeps a connection: connects, serves, and connects again.
#![expect(clippy::disallowed_methods, reason = "a driver is where time is waited for")]

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use edge_core::{Backoff, EndpointError, Report};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::jobs::{Job, Orders};

/// How a connection ended.
pub(super) enum Ended {
    /// The upstream is closed.
    Closing,
    /// It was lost.
    Lost {
        /// Whether anything had been answered on it.
        answered: bool,
    },
}

/// Somebody to keep a connection to.
pub(super) trait Remote: Send + Sync + 'static {
    /// A connection that is ready to send on.
    type Link: Send;

    /// Returns where it is, for the log.
    fn address(&self) -> &(impl fmt::Display + Sync);

    /// Returns how long [`Remote::connect`] may take.
    fn connect_timeout(&self) -> Duration;

    /// Connects and logs in.
    fn connect(&self) -> impl Future<Output = Result<Self::Link, EndpointError>> + Send;

    /// Sends on one connection until it ends, `first` first, and tells whoever waits what came of it.
    fn serve(
        &mut self,
        link: Self::Link,
        orders: &mut Orders,
        first: Option<Job>,
    ) -> impl Future<Output = Ended> + Send;
}

#[derive(Debug, thiserror::Error)]
#[error("no connection came about within {} s", .0.as_secs_f64())]
struct TooSlow(Duration);

/// Runs until the upstream is closed or dropped.
pub(super) async fn run<R: Remote>(mut remote: R, mut orders: Orders, links: watch::Sender<u64>) {
    let (mut failures, mut waiting) = (0, None);
    loop {
        let connected = tokio::select! {
            biased;
            () = Orders::closed(&mut orders.closing) => return,
            connected = timeout(remote.connect_timeout(), remote.connect()) => connected,
        };
        let too_slow = || EndpointError::Unreachable {
            to: remote.address().to_string(),
            source: TooSlow(remote.connect_timeout()).into(),
        };
        match connected.unwrap_or_else(|_| Err(too_slow())) {
            Ok(link) => {
                tracing::info!(to = %remote.address(), "connected");
                links.send_modify(|made| *made += 1);
                match remote.serve(link, &mut orders, waiting.take()).await {
                    Ended::Closing => return,
                    Ended::Lost { answered: true } => failures = 0,
                    Ended::Lost { answered: false } => {}
                }
            }
            Err(error) => {
                if failures == 0 {
                    let reason = Report(&error).to_string();
                    tracing::warn!(to = %remote.address(), reason, "no connection; trying on");
                }
                if let Some(job) = waiting.take().or_else(|| orders.jobs.try_recv().ok()) {
                    let _nobody_waits = job.reply.send(Err(error));
                }
            }
        }
        let delay = Backoff::default().delay(failures, random());
        failures = failures.saturating_add(1);
        tokio::select! {
            biased;
            () = Orders::closed(&mut orders.closing) => return,
            job = orders.jobs.recv() => waiting = job,
            () = sleep(delay) => {}
        }
    }
}

/// Returns a number from 0 to 1 that differs from one gateway to the next.
pub(super) fn random() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1u64 << 53) as f64
}
