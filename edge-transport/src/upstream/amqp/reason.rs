//! What a broker says when it refuses something.

use fe2o3_amqp::connection::ConnectionStopReason;
use fe2o3_amqp::link::{DetachError, LinkStateError, SendError, SenderAttachError, SessionStopReason};
use fe2o3_amqp::session::BeginError;
use fe2o3_amqp::types::definitions::{AmqpError, ConnectionError, Error, ErrorCondition, LinkError};
use fe2o3_amqp::types::primitives::Symbol;

/// Returns the condition with what the broker says about it.
pub(super) fn text(error: &Error) -> String {
    let condition = match &error.condition {
        ErrorCondition::AmqpError(condition) => Symbol::from(condition),
        ErrorCondition::ConnectionError(condition) => Symbol::from(condition),
        ErrorCondition::SessionError(condition) => Symbol::from(condition),
        ErrorCondition::LinkError(condition) => Symbol::from(condition),
        ErrorCondition::Custom(condition) => condition.clone(),
    };
    match error.description.as_deref() {
        None | Some("") => condition.0,
        // What a broker says is not ours: it is shortened, so that it fills no log.
        Some(description) => {
            format!("{}: {}", condition.0, description.chars().take(512).collect::<String>())
        }
    }
}

/// Returns whether a broker has no room at the moment.
pub(super) fn is_full(error: &Error) -> bool {
    error.condition == ErrorCondition::AmqpError(AmqpError::ResourceLimitExceeded)
}

/// Returns whether a broker ends a link for a reason that no message gives it.
pub(super) fn is_of_its_own(error: &Error) -> bool {
    let forced = matches!(
        error.condition,
        ErrorCondition::ConnectionError(ConnectionError::ConnectionForced | ConnectionError::Redirect)
            | ErrorCondition::LinkError(LinkError::DetachForced | LinkError::Redirect | LinkError::Stolen)
    );
    forced || is_full(error)
}

/// Returns whether a broker does not let the gateway do it.
pub(super) fn is_unauthorized(error: &Error) -> bool {
    error.condition == ErrorCondition::AmqpError(AmqpError::UnauthorizedAccess)
}

fn of_connection(reason: &ConnectionStopReason) -> Option<&Error> {
    match reason {
        ConnectionStopReason::RemoteClosedWithError(error) => Some(error),
        _ => None,
    }
}

fn of_session(reason: &SessionStopReason) -> Option<&Error> {
    match reason {
        SessionStopReason::RemoteEndedWithError(error) => Some(error),
        SessionStopReason::ConnectionStopped(reason) => of_connection(reason),
        _ => None,
    }
}

/// Returns what the broker said when it refused a session.
pub(super) fn of_begin(error: &BeginError) -> Option<&Error> {
    match error {
        BeginError::RemoteEndedWithError(error) => Some(error),
        BeginError::ConnectionStopped(reason) => of_connection(reason),
        _ => None,
    }
}

/// Returns what the broker said when it refused a link.
pub(super) fn of_attach(error: &SenderAttachError) -> Option<&Error> {
    match error {
        SenderAttachError::RemoteClosedWithError(error) => Some(error),
        SenderAttachError::SessionStopped(reason) => of_session(reason),
        _ => None,
    }
}

/// Returns what the broker said when it ended a link.
pub(super) fn of_detach(error: &DetachError) -> Option<&Error> {
    match error {
        DetachError::RemoteDetachedWithError(error) | DetachError::RemoteClosedWithError(error) => {
            Some(error)
        }
        DetachError::SessionStopped(reason) => of_session(reason),
        _ => None,
    }
}

/// Returns what the broker said when a message did not get through.
pub(super) fn of_send(error: &SendError) -> Option<&Error> {
    match error {
        SendError::Detached(error) => of_detach(error),
        SendError::LinkStateError(error) => match error {
            LinkStateError::RemoteDetachedWithError(error) | LinkStateError::RemoteClosedWithError(error) => {
                Some(error)
            }
            LinkStateError::SessionStopped(reason) => of_session(reason),
            _ => None,
        },
        _ => None,
    }
}
