//! Broken endpoints.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use edge_core::{BatchLimit, Endpoint, EndpointError, EndpointId, Offset, Outcome, Stored};

use super::flaws;
use crate::support::far::Line;

flaws! { EndpointFlaw {
    MissesOne => "one_outcome_for_each_message",
    ReversesOutcomes => "outcomes_keep_the_order_of_the_batch",
    SendsNothing => "what_is_accepted_has_arrived",
    AcceptsEarly => "an_unanswered_message_is_not_accepted",
    AcceptsAnyway => "nothing_is_accepted_without_the_far_side",
    SendsBackwards => "messages_arrive_in_order",
    GivesUpForGood => "all_arrive_after_an_error",
    RemembersTheDropped => "all_arrive_after_a_dropped_future",
} }

/// A sound endpoint with one flaw.
#[derive(Debug)]
pub struct Broken {
    inner: Line,
    flaw: EndpointFlaw,
    given_up: AtomicBool,
    begun: Mutex<Vec<Offset>>,
}

impl Broken {
    pub fn new(inner: Line, flaw: EndpointFlaw) -> Self {
        Self { inner, flaw, given_up: AtomicBool::new(false), begun: Mutex::default() }
    }

    async fn send_backwards(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        let reversed: Vec<_> = batch.iter().rev().cloned().collect();
        let mut outcomes = self.inner.send(&reversed).await?;
        outcomes.reverse();
        Ok(outcomes)
    }

    async fn send_what_is_new(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        let mut outcomes = Vec::new();
        for stored in batch {
            let is_new = {
                let mut begun = self.begun.lock().unwrap();
                let is_new = !begun.contains(&stored.offset);
                begun.push(stored.offset);
                is_new
            };
            let sent = if is_new { self.inner.send(std::slice::from_ref(stored)).await? } else { Vec::new() };
            outcomes.push(sent.first().cloned().unwrap_or(Outcome::Accepted));
        }
        Ok(outcomes)
    }
}

#[async_trait]
impl Endpoint for Broken {
    fn id(&self) -> &EndpointId {
        self.inner.id()
    }

    fn batch_limit(&self) -> BatchLimit {
        self.inner.batch_limit()
    }

    async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        let all_accepted = vec![Outcome::Accepted; batch.len()];
        match self.flaw {
            EndpointFlaw::SendsNothing => return Ok(all_accepted),
            EndpointFlaw::AcceptsEarly if self.inner.far.is_withholding() => {
                self.inner.far.hold();
                return Ok(all_accepted);
            }
            EndpointFlaw::SendsBackwards => return self.send_backwards(batch).await,
            EndpointFlaw::RemembersTheDropped => return self.send_what_is_new(batch).await,
            EndpointFlaw::GivesUpForGood if self.given_up.load(Ordering::Relaxed) => {
                return Err(EndpointError::Closed);
            }
            _ => {}
        }
        let mut sent = self.inner.send(batch).await;
        self.given_up.fetch_or(sent.is_err(), Ordering::Relaxed);
        match (self.flaw, &mut sent) {
            (EndpointFlaw::MissesOne, Ok(outcomes)) => drop(outcomes.pop()),
            (EndpointFlaw::ReversesOutcomes, Ok(outcomes)) => outcomes.reverse(),
            (EndpointFlaw::AcceptsAnyway, Err(_)) => return Ok(all_accepted),
            _ => {}
        }
        sent
    }
}
