//! The cases of the endpoint kit.
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use std::pin::pin;

use bytes::Bytes;

use super::EndpointHarness;
use crate::testing::absent;
use crate::testing::race::{First, race};
use crate::{Endpoint, EndpointError, Message, Outcome, RouteName, Source, Stored, Timestamp};

/// The most messages that a case sends at once; an endpoint that wants fewer gets fewer.
const BATCH: usize = 20;

fn body(number: u64) -> Bytes {
    Bytes::from(format!("message {number}"))
}

fn stored(number: u64) -> Stored {
    let route: RouteName = "kit".parse().expect("the kit's route name is valid");
    let message = Message::builder(&Source::telemetry()).body(&body(number)).build();
    Stored::new(number, Timestamp::from_unix_ms(1_767_225_600_000 + number), None, route, message)
}

fn messages(count: usize) -> Vec<Stored> {
    (0..count as u64).map(stored).collect()
}

/// Sends all messages, in batches as large as the endpoint wants, and returns all outcomes.
async fn send_all(endpoint: &impl Endpoint, all: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
    let mut outcomes = Vec::new();
    for batch in all.chunks(endpoint.batch_limit().messages.get().min(BATCH)) {
        outcomes.extend(endpoint.send(batch).await?);
    }
    Ok(outcomes)
}

/// Sends until everything is accepted, as the hub does, and panics when it never is.
async fn send_until_accepted(endpoint: &impl Endpoint, all: &[Stored]) {
    let mut left = all.to_vec();
    for _try in 0..100 {
        if let Ok(outcomes) = send_all(endpoint, &left).await {
            let keep = outcomes.iter().map(|outcome| *outcome != Outcome::Accepted).collect::<Vec<_>>();
            let mut keep = keep.into_iter();
            left.retain(|_| keep.next().unwrap_or(true));
        }
        if left.is_empty() {
            return;
        }
    }
    panic!("{} messages are not accepted by a far side that takes everything", left.len());
}

/// Panics unless each of the messages is among those taken.
fn check_all_taken(taken: &[Bytes], count: usize) {
    for number in 0..count as u64 {
        assert!(taken.contains(&body(number)), "message {number} is accepted and has not arrived: {taken:?}");
    }
}

/// > `send` MUST return one outcome for each message, in the order of the batch.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn one_outcome_for_each_message(harness: &impl EndpointHarness) {
    let endpoint = harness.open().await;
    let most = endpoint.batch_limit().messages.get().min(BATCH);
    for size in [1, most] {
        let outcomes = endpoint.send(&messages(size)).await.expect("the far side takes everything");
        assert_eq!(outcomes, vec![Outcome::Accepted; size], "for a batch of {size}");
    }
    endpoint.close().await;
}

/// > `send` MUST return one outcome for each message, in the order of the batch.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn outcomes_keep_the_order_of_the_batch(harness: &impl EndpointHarness) {
    let endpoint = harness.open().await;
    if !harness.refuse(&body(1)).await {
        return absent("outcomes_keep_the_order_of_the_batch", "far side that refuses a message");
    }
    let all = messages(6);
    let outcomes = send_all(&endpoint, &all).await.expect("the far side answers");
    assert_eq!(outcomes.len(), all.len(), "one outcome for each message");
    for (number, outcome) in outcomes.iter().enumerate() {
        let refused = matches!(outcome, Outcome::Rejected { .. });
        assert_eq!(refused, number == 1, "message {number}: {outcome:?}");
    }
    endpoint.close().await;
}

/// > [`Outcome::Accepted`] MUST mean that the far side is responsible now; never report it before that.
/// > Reported too early, a crash loses the message.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_accepted_has_arrived(harness: &impl EndpointHarness) {
    let endpoint = harness.open().await;
    let outcomes = send_all(&endpoint, &messages(BATCH)).await.expect("the far side takes everything");
    assert_eq!(outcomes, vec![Outcome::Accepted; BATCH]);
    check_all_taken(&harness.taken().await, BATCH);
    endpoint.close().await;
}

/// > [`Outcome::Accepted`] MUST mean that the far side is responsible now; never report it before that.
/// > Reported too early, a crash loses the message.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn an_unanswered_message_is_not_accepted(harness: &impl EndpointHarness) {
    let endpoint = harness.open().await;
    if !harness.withhold().await {
        return absent("an_unanswered_message_is_not_accepted", "far side that withholds its answer");
    }
    let batch = messages(1);
    let mut send = endpoint.send(&batch);
    let early = race(send.as_mut(), pin!(harness.withheld())).await;
    if let First::Left(Ok(outcomes)) = &early {
        assert!(!outcomes.contains(&Outcome::Accepted), "accepted before the far side has answered");
    }
    harness.answer().await;
    if let First::Right(()) = early {
        let outcomes = send.await.expect("the far side has answered");
        assert_eq!(outcomes, [Outcome::Accepted]);
        check_all_taken(&harness.taken().await, 1);
    }
}

/// > `Err` MUST mean that no message is *known* to be accepted; some may have arrived.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn nothing_is_accepted_without_the_far_side(harness: &impl EndpointHarness) {
    let endpoint = harness.open().await;
    if !harness.cut().await {
        return absent("nothing_is_accepted_without_the_far_side", "far side that can be cut off");
    }
    if let Ok(outcomes) = endpoint.send(&messages(1)).await {
        assert_eq!(outcomes, [Outcome::Released], "nobody is there to take or refuse the message");
    }
    harness.restore().await;
}

/// > The messages MUST reach the far side in the order of the batch as far as the far side keeps any.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn messages_arrive_in_order(harness: &impl EndpointHarness) {
    let endpoint = harness.open().await;
    send_all(&endpoint, &messages(3 * BATCH)).await.expect("the far side takes everything");
    let expected: Vec<_> = (0..3 * BATCH as u64).map(body).collect();
    assert_eq!(harness.taken().await, expected);
    endpoint.close().await;
}

/// > After `Err`, [`Outcome::Released`] or a dropped future the hub sends again what was not accepted: receivers see
/// > duplicates. [`Stored::offset`] with the queue identifies a message across tries.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn all_arrive_after_an_error(harness: &impl EndpointHarness) {
    let endpoint = harness.open().await;
    if !harness.cut().await {
        return absent("all_arrive_after_an_error", "far side that can be cut off");
    }
    let all = messages(BATCH);
    let _lost = send_all(&endpoint, &all).await;
    harness.restore().await;
    send_until_accepted(&endpoint, &all).await;
    check_all_taken(&harness.taken().await, BATCH);
    endpoint.close().await;
}

/// > After `Err`, [`Outcome::Released`] or a dropped future the hub sends again what was not accepted: receivers see
/// > duplicates. [`Stored::offset`] with the queue identifies a message across tries.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn all_arrive_after_a_dropped_future(harness: &impl EndpointHarness) {
    let endpoint = harness.open().await;
    if !harness.withhold().await {
        return absent("all_arrive_after_a_dropped_future", "far side that withholds its answer");
    }
    let all = messages(BATCH);
    let size = endpoint.batch_limit().messages.get().min(BATCH);
    {
        let mut send = endpoint.send(&all[..size]);
        let _dropped_half_way = race(send.as_mut(), pin!(harness.withheld())).await;
    }
    harness.answer().await;
    send_until_accepted(&endpoint, &all).await;
    check_all_taken(&harness.taken().await, BATCH);
    endpoint.close().await;
}
