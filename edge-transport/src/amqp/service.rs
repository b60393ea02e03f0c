//! What the service side asks for over AMQP.

use std::sync::Arc;
use std::time::Duration;

use edge_core::service::{AccessRequest, LockOutcome, Permission, Service, ServiceError};
use edge_core::{Identity, Message, Timestamp};

use super::session::FeedbackAnswer;
use super::wire::condition;

/// What a policy's token must open: the queue of messages to devices.
const PATH: &str = "/messages/devicebound";

/// Decides whether and for how long a token allows sending to devices; without a service API nothing does.
pub(super) async fn authorize(
    service: Option<Arc<dyn Service>>,
    token: String,
    now: Timestamp,
) -> Option<Duration> {
    let request = AccessRequest::new(&token, Permission::ServiceConnect, PATH);
    let until = service?.authorize(request).await.ok()?;
    Some(until.map_or(Duration::MAX, |until| until.saturating_since(now)))
}

/// Fetches feedback; a service API that cannot say now is asked again later.
pub(super) async fn receive_feedback(service: Option<Arc<dyn Service>>) -> FeedbackAnswer {
    let received = match service {
        Some(service) => service.receive_feedback().await,
        None => Ok(None),
    };
    if let Err(error) = &received {
        tracing::debug!(error = %edge_core::Report(error), "feedback cannot be fetched");
    }
    FeedbackAnswer::Received(received.unwrap_or_default())
}

/// Settles feedback; what cannot be settled is given out again when its lock has run out.
pub(super) async fn settle_feedback(
    service: Option<Arc<dyn Service>>,
    token: String,
    outcome: LockOutcome,
) -> FeedbackAnswer {
    if let Some(service) = service
        && let Err(error) = service.settle_feedback(&token, outcome).await
    {
        tracing::debug!(error = %edge_core::Report(&error), "feedback cannot be settled");
    }
    FeedbackAnswer::Settled
}

/// Puts a message into somebody's queue; says why it cannot be by a condition and a description.
pub(super) async fn send(
    service: Option<Arc<dyn Service>>,
    identity: Identity,
    message: Message,
) -> Result<(), (&'static str, String)> {
    let Some(service) = service else {
        return Err((condition::NOT_IMPLEMENTED, "there is no service API here".to_owned()));
    };
    service
        .send_to_device(&identity, message)
        .await
        .map_err(|error| (condition_of(&error), error.to_string()))
}

/// The condition that says what a service error says.
fn condition_of(error: &ServiceError) -> &'static str {
    match error {
        ServiceError::NotFound { .. } => condition::NOT_FOUND,
        ServiceError::Unauthorized { .. } => condition::UNAUTHORIZED,
        ServiceError::QueueFull { .. } | ServiceError::Throttled { .. } => condition::LIMIT,
        ServiceError::TooLarge { .. } => condition::MESSAGE_SIZE,
        ServiceError::Invalid { .. } => condition::ARGUMENT,
        ServiceError::NotImplemented { .. } => condition::NOT_IMPLEMENTED,
        _ => condition::INTERNAL,
    }
}
