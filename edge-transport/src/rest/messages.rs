//! Messages to devices, and what became of them.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse as _;
use edge_core::service::{LockOutcome, Permission};
use edge_core::{Identity, Message, MessageBuilder, SystemKey};
use serde::Serialize;

use super::call::{Call, carried_through};
use super::error::{Answer, RestError, json_of, no_content};

/// The most bytes of the body of a message to a device.
const MAX_BODY_BYTES: usize = 64 << 10;
/// What the names of headers with application properties begin with.
const APP: &str = "iothub-app-";

/// The headers that are system properties of a message to a device.
const SYSTEM: [(&str, SystemKey); 7] = [
    ("iothub-messageid", SystemKey::MessageId),
    ("iothub-correlationid", SystemKey::CorrelationId),
    ("iothub-userid", SystemKey::UserId),
    ("iothub-contenttype", SystemKey::ContentType),
    ("iothub-contentencoding", SystemKey::ContentEncoding),
    ("iothub-expiry", SystemKey::ExpiryTime),
    ("iothub-ack", SystemKey::Ack),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Purged<'a> {
    total_messages_purged: u64,
    device_id: &'a str,
    module_id: Option<&'a str>,
}

pub(super) async fn send(mut call: Call) -> Answer {
    call.allow(Permission::ServiceConnect, "devices").await?;
    let identity = call.identity()?;
    let body = call.body_within(MAX_BODY_BYTES).await?;
    let message = message(&identity, &call.headers, &body)?;
    let service = call.service()?.clone();
    carried_through(async move { service.send_to_device(&identity, message).await }).await?;
    no_content()
}

/// Returns the message that headers and body say.
fn message(to: &Identity, headers: &HeaderMap, body: &[u8]) -> Result<Message, RestError> {
    let module = to.module().map(|module| format!("/modules/{module}")).unwrap_or_default();
    let address = format!("/devices/{}{module}/messages/devicebound", to.device());
    let mut builder = MessageBuilder::new("/messages/");
    builder.set_system(SystemKey::To, &address);
    for (name, value) in headers {
        let name = name.as_str();
        let key = SYSTEM.iter().find(|(known, _)| *known == name).map(|(_, key)| *key);
        let property = name.strip_prefix(APP);
        if key.is_none() && property.is_none() {
            continue;
        }
        let value = std::str::from_utf8(value.as_bytes());
        let value = value.map_err(|_| RestError::invalid(format!("the header {name} is not UTF-8")))?;
        match (key, property) {
            (Some(key), _) => builder.set_system(key, checked(key, value)?),
            (None, property) => builder.set_property(property.unwrap_or_default(), Some(value)),
        }
    }
    builder.set_body(body);
    Ok(builder.build())
}

fn checked(key: SystemKey, value: &str) -> Result<&str, RestError> {
    match key {
        SystemKey::Ack if !matches!(value, "none" | "positive" | "negative" | "full") => {
            Err(RestError::invalid("iothub-ack is none, positive, negative or full"))
        }
        SystemKey::ExpiryTime => match value.parse::<edge_core::Timestamp>() {
            Ok(_) => Ok(value),
            Err(error) => Err(RestError::invalid(format!("iothub-expiry: {error}"))),
        },
        _ => Ok(value),
    }
}

pub(super) async fn purge(call: Call) -> Answer {
    call.allow(Permission::ServiceConnect, "devices").await?;
    let (identity, service) = (call.identity()?, call.service()?.clone());
    let target = identity.clone();
    let total_messages_purged = carried_through(async move { service.purge(&target).await }).await?;
    let module_id = identity.module().map(|module| module.as_str());
    let out = Purged { total_messages_purged, device_id: identity.device().as_str(), module_id };
    json_of(StatusCode::OK, &out)
}

pub(super) async fn feedback(call: Call) -> Answer {
    call.allow(Permission::ServiceConnect, "messages").await?;
    let Some(message) = call.service()?.receive_feedback().await? else { return no_content() };
    let mut response = message.body_bytes().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    let system = message.system();
    let etag = system.value(SystemKey::LockToken).map(|token| format!("\"{token}\""));
    let enqueued = system.value(SystemKey::EnqueuedTime).map(str::to_owned);
    let named = [(header::ETAG, etag), (header::HeaderName::from_static("iothub-enqueuedtime"), enqueued)];
    for (name, value) in named {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

pub(super) async fn complete(call: Call) -> Answer {
    settle(call, LockOutcome::Complete).await
}

pub(super) async fn abandon(call: Call) -> Answer {
    settle(call, LockOutcome::Abandon).await
}

async fn settle(call: Call, outcome: LockOutcome) -> Answer {
    call.allow(Permission::ServiceConnect, "messages").await?;
    let (service, lock) = (call.service()?.clone(), call.lock);
    carried_through(async move { service.settle_feedback(&lock, outcome).await }).await?;
    no_content()
}
