//! A promise that a batch will be durable.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::{Durability, Gone, StoreError};

/// Resolves when a batch is as durable as was asked for, to the level reached.
///
/// # Cancel safety
/// Cancel-safe: dropping the receipt changes nothing but that nobody hears of it.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use edge_core::{Durability, Receipt};
///
/// let (sender, receipt) = Receipt::pair();
/// sender.send(Ok(Durability::Written));
/// assert_eq!(receipt.await?, Durability::Written);
/// # Ok::<(), edge_core::StoreError>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "the sender is acknowledged only when the receipt resolves"]
pub struct Receipt {
    state: State,
    dropped: Vec<Gone>,
}

#[derive(Debug)]
enum State {
    Reached(Durability),
    /// `None` once it has been told.
    Failed(Option<Box<StoreError>>),
    Waiting(oneshot::Receiver<Answer>),
}

/// What a batch came to; small, for there is one on its way for each batch.
type Answer = Result<Durability, Box<StoreError>>;

impl Receipt {
    /// Returns a receipt that has resolved already.
    pub fn ready(result: Result<Durability, StoreError>) -> Self {
        let state = match result {
            Ok(level) => State::Reached(level),
            Err(error) => State::Failed(Some(Box::new(error))),
        };
        Self { state, dropped: Vec::new() }
    }

    /// Returns why the batch was not taken, when that is known already.
    ///
    /// A batch whose receipt was not refused at once is in its queues, see [`MessageStore`](super::MessageStore).
    #[must_use]
    pub fn refusal(&self) -> Option<&StoreError> {
        match &self.state {
            State::Failed(error) => error.as_deref(),
            State::Reached(_) | State::Waiting(_) => None,
        }
    }

    /// Returns what was dropped to take the batch, or of the batch itself; it has been counted.
    #[must_use]
    pub fn dropped(&self) -> &[Gone] {
        &self.dropped
    }

    /// Sets what was dropped.
    pub fn with_dropped(mut self, dropped: Vec<Gone>) -> Self {
        self.dropped = dropped;
        self
    }

    /// Returns a receipt and the sender that resolves it; dropping the sender resolves it to [`StoreError::Closed`].
    #[inline]
    pub fn pair() -> (ReceiptSender, Self) {
        let (sender, receiver) = oneshot::channel();
        (ReceiptSender(sender), Self { state: State::Waiting(receiver), dropped: Vec::new() })
    }
}

impl Future for Receipt {
    type Output = Result<Durability, StoreError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Reached(level) => Poll::Ready(Ok(*level)),
            State::Failed(error) => Poll::Ready(Err(error.take().map_or(StoreError::Closed, |error| *error))),
            State::Waiting(receiver) => Pin::new(receiver).poll(cx).map(|answer| match answer {
                Ok(answer) => answer.map_err(|error| *error),
                Err(_) => Err(StoreError::Closed),
            }),
        }
    }
}

/// Resolves a [`Receipt`].
#[derive(Debug)]
pub struct ReceiptSender(oneshot::Sender<Answer>);

impl ReceiptSender {
    /// Resolves the receipt; nothing happens when nobody waits for it any more.
    #[inline]
    pub fn send(self, result: Result<Durability, StoreError>) {
        let _nobody_waits = self.0.send(result.map_err(Box::new));
    }
}
