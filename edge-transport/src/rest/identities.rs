//! Devices and modules.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use edge_core::service::{IdentityState, IfMatch, Permission};

use super::call::{Call, carried_through};
use super::error::{Answer, RestError, json_of, no_content};
use super::json;

/// The most devices of a list, and the most entries of a bulk operation.
const MAX_LIST: usize = 1000;
const MAX_BULK: usize = 100;

fn answer(state: &IdentityState) -> Answer {
    let mut response: Response = json_of(StatusCode::OK, &json::identity(state))?;
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", state.record.etag)) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

fn list(all: &[IdentityState]) -> Answer {
    json_of(StatusCode::OK, &all.iter().map(json::identity).collect::<Vec<_>>())
}

pub(super) async fn read(call: Call) -> Answer {
    call.allow(Permission::RegistryRead, "devices").await?;
    answer(&call.service()?.identity(&call.identity()?).await?)
}

/// Makes the identity when no version is named, and else changes it.
pub(super) async fn put(mut call: Call) -> Answer {
    call.allow(Permission::RegistryWrite, "devices").await?;
    let if_match = call.if_match()?;
    let body: json::IdentityBody = call.json().await?;
    let spec = body.into_spec(call.identity()?)?;
    let service = call.service()?.clone();
    let state = carried_through(async move {
        match if_match {
            IfMatch::None => service.create(spec).await,
            if_match => service.update(spec, if_match).await,
        }
    });
    answer(&state.await?)
}

pub(super) async fn delete(call: Call) -> Answer {
    call.allow(Permission::RegistryWrite, "devices").await?;
    let (identity, if_match) = (call.identity()?, call.if_match()?);
    let service = call.service()?.clone();
    carried_through(async move { service.delete(&identity, if_match).await }).await?;
    no_content()
}

pub(super) async fn devices(call: Call) -> Answer {
    call.allow(Permission::RegistryRead, "devices").await?;
    let limit = match call.parameter("top") {
        None | Some("") => MAX_LIST,
        Some(top) => match top.parse() {
            Ok(top @ 1..=MAX_LIST) => top,
            _ => return Err(RestError::invalid(format!("top is a number from 1 to {MAX_LIST}"))),
        },
    };
    list(&call.service()?.devices(None, limit).await?)
}

pub(super) async fn modules(call: Call) -> Answer {
    call.allow(Permission::RegistryRead, "devices").await?;
    list(&call.service()?.modules(call.device()?).await?)
}

pub(super) async fn bulk(mut call: Call) -> Answer {
    call.allow(Permission::RegistryWrite, "devices").await?;
    let entries: Vec<json::ImportEntry> = call.json().await?;
    if entries.is_empty() || entries.len() > MAX_BULK {
        return Err(RestError::invalid(format!("a bulk operation has 1 to {MAX_BULK} entries")));
    }
    let (mut sound, mut malformed) = (Vec::with_capacity(entries.len()), Vec::new());
    for entry in entries {
        match entry.into_entry() {
            Ok(entry) => sound.push(entry),
            Err(entry) => malformed.push(entry),
        }
    }
    let service = call.service()?.clone();
    let failures = carried_through(async move { service.bulk(sound).await }).await?;
    let all_done = failures.is_empty() && malformed.is_empty();
    let status = if all_done { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    json_of(status, &json::failures(&failures, &malformed))
}
