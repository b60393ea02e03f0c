//! A signal to stop, for everything that serves.

use std::fmt;

use tokio::sync::watch;

/// Says once that it is time to stop; dropping it says so too.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Stopper {
    /// Tells every [`Stop`] of the pair that it is time to stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// Hears that it is time to stop; clones hear the same.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use edge_transport::Stop;
///
/// let (stopper, stop) = Stop::pair();
/// assert!(!stop.is_stopping());
/// stopper.stop();
/// stop.wait().await;
/// assert!(stop.is_stopping());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Returns a signal and the one that gives it.
    #[must_use]
    pub fn pair() -> (Stopper, Self) {
        let (sender, receiver) = watch::channel(false);
        (Stopper(sender), Self(receiver))
    }

    /// Returns whether it is time to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits until it is time to stop.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing happened.
    pub async fn wait(&self) {
        let mut receiver = self.0.clone();
        // An error says that the stopper is gone, which is a reason to stop as well.
        let _stopped_or_gone = receiver.wait_for(|stopping| *stopping).await;
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.is_stopping()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_stopper_stops() {
        let (stopper, stop) = Stop::pair();
        drop(stopper);
        stop.wait().await;
        assert!(stop.is_stopping());
    }

    #[tokio::test]
    async fn a_late_listener_hears_of_it() {
        let (stopper, stop) = Stop::pair();
        stopper.stop();
        stop.clone().wait().await;
    }
}
