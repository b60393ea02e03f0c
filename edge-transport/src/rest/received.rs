//! Messages that devices fetch, and say what became of.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::IntoResponse as _;
use edge_core::service::LockOutcome;

use super::call::{Call, carried_through};
use super::error::{Answer, RestError, no_content};
use crate::iothub::headers;

/// The header by which a device says for how many seconds it wants the lock.
const LOCK_TIMEOUT: HeaderName = HeaderName::from_static("iothub-messagelocktimeout");

pub(super) async fn receive(call: Call) -> Answer {
    let mut visit = call.visit().await?;
    let Some(message) = visit.receive(lock(&call)?).await? else { return no_content() };
    let mut response = message.body_bytes().into_response();
    let all = response.headers_mut();
    all.remove(header::CONTENT_TYPE);
    headers::write(&message, |name, value| {
        let name = HeaderName::from_bytes(name.as_bytes());
        // Both are made of what headers can hold.
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            all.append(name, value);
        }
    });
    Ok(response)
}

fn lock(call: &Call) -> Result<Option<Duration>, RestError> {
    let Some(value) = call.headers.get(LOCK_TIMEOUT) else { return Ok(None) };
    let seconds: Option<u64> = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let seconds =
        seconds.ok_or_else(|| RestError::invalid("IotHub-MessageLockTimeout is a number of seconds"))?;
    Ok(Some(Duration::from_secs(seconds)))
}

/// Completes, or rejects where the query says so.
pub(super) async fn complete(call: Call) -> Answer {
    let outcome =
        if call.parameter("reject").is_some() { LockOutcome::Reject } else { LockOutcome::Complete };
    settle(call, outcome).await
}

pub(super) async fn abandon(call: Call) -> Answer {
    settle(call, LockOutcome::Abandon).await
}

async fn settle(call: Call, outcome: LockOutcome) -> Answer {
    let mut visit = call.visit().await?;
    carried_through(async move { visit.settle(&call.lock, outcome).await }).await?;
    no_content()
}
