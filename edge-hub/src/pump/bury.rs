//! Messages that an endpoint refuses for good go to its dead letters.

use edge_core::{Disposition, DropCause, Durability, Enqueue, QueueId, Report, Stored, Target};

use super::driver::{Pump, PumpError};
use super::runs::Fate;
use crate::names;

/// The application property of a dead letter that says why it is one.
pub(crate) const DEAD_LETTER_REASON: &str = "edge-dead-letter-reason";

impl Pump {
    /// Puts a message into the endpoint's dead-letter queue; it stays where it is when that has to wait.
    pub(super) async fn bury(
        &self,
        queue: &QueueId,
        stored: &Stored,
        reason: &str,
    ) -> Result<Fate, PumpError> {
        let offset = stored.offset;
        tracing::warn!(%queue, offset, route = %stored.route, reason, "a message goes to the dead letters");
        let gone = Fate::Dropped(DropCause::Refused);
        if let Some(endpoint) = names::dead_letters(queue.endpoint()) {
            let grave = QueueId::new(endpoint, queue.priority());
            let target = Target::new(grave, stored.route.clone(), Some(self.limits.dead_letter_time_to_live));
            let message = stored.message.to_builder().property(DEAD_LETTER_REASON, reason).build();
            let enqueue = Enqueue::new(message, [target].into(), self.clock.wall());
            match self.store.append(vec![enqueue], Durability::Synced).await {
                Ok(_) => {}
                Err(error) if error.disposition() == Disposition::Fatal => return Err(error.into()),
                Err(error) => {
                    let error = Report(&error);
                    tracing::error!(%queue, %error, "a dead letter cannot be kept, and stays where it is");
                    return Ok(Fate::Again);
                }
            }
        }
        self.metrics.dropped(DropCause::Refused, &stored.message, 1);
        Ok(gone)
    }
}
