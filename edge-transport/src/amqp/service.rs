//! What the service side asks for over AMQP.

use std::sync::Arc;

use edge_core::service::{AccessRequest, Permission, Service, ServiceError};
use edge_core::{Identity, Message};

use super::wire::condition;

/// What a policy's token must open: the queue of messages to devices.
const PATH: &str = "/messages/devicebound";

/// Decides whether a token allows sending to devices; without a service API nothing does.
pub(super) async fn authorize(service: Option<Arc<dyn Service>>, token: String) -> bool {
    let Some(service) = service else { return false };
    service.authorize(AccessRequest::new(&token, Permission::ServiceConnect, PATH)).await.is_ok()
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
