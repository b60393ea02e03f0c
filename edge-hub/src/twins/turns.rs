//! One change of a twin at a time, for each identity.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use edge_core::Identity;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

type Lock = Arc<AsyncMutex<()>>;

/// Who may change which twin now.
#[derive(Debug, Default)]
pub(super) struct Turns {
    locks: Mutex<HashMap<Identity, Lock>>,
}

/// The right to change a twin, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    identity: Identity,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    fn locks(&self) -> MutexGuard<'_, HashMap<Identity, Lock>> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn; those who wait get it in their order.
    pub(super) async fn take(&self, identity: &Identity) -> Turn<'_> {
        let lock = self.locks().entry(identity.clone()).or_default().clone();
        // Made before the wait, so that an entry goes also when the wait is given up.
        let mut turn = Turn { turns: self, identity: identity.clone(), guard: None };
        turn.guard = Some(lock.lock_owned().await);
        turn
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut locks = self.turns.locks();
        self.guard = None;
        // Only the map has it: nobody waits.
        if locks.get(&self.identity).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.identity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_are_taken_one_after_the_other_and_leave_nothing() {
        let (turns, who) = (Turns::default(), "d".parse().unwrap());
        let first = turns.take(&who).await;
        let second = turns.take(&who);
        tokio::pin!(second);
        assert!(futures(&mut second).await.is_none(), "the first still has it");
        drop(first);
        drop(second.await);
        assert!(turns.locks().is_empty());
    }

    async fn futures<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
