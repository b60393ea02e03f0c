//! Direct methods: called by the service side, or by a module.

use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use edge_core::Identity;
use edge_core::service::{MethodRequest, Permission, ServiceError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::call::Call;
use super::error::{Answer, RestError, json_of};

/// The header by which a module says who it is.
const CALLER: &str = "x-ms-edge-moduleid";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MethodBody {
    method_name: String,
    payload: Option<Box<RawValue>>,
    response_timeout_in_seconds: Option<u64>,
    connect_timeout_in_seconds: Option<u64>,
}

#[derive(Serialize)]
struct MethodOut<'a> {
    status: i32,
    payload: &'a RawValue,
}

pub(super) async fn invoke(call: Call) -> Answer {
    if call.headers.contains_key(CALLER) {
        return invoke_for_module(call).await.map_err(RestError::for_module);
    }
    call.allow(Permission::ServiceConnect, "twins").await?;
    invoke_for(call).await
}

async fn invoke_for_module(call: Call) -> Answer {
    let caller = call.headers.get(CALLER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let caller = caller.parse::<Identity>().ok().filter(|caller| caller.module().is_some());
    let wanted = "x-ms-edge-moduleId is the caller's <device>/<module>";
    let caller = caller.ok_or_else(|| RestError::invalid(wanted))?;
    let credentials = call.credentials()?;
    call.service()?.authenticate(&caller, &credentials).await?;
    invoke_for(call).await
}

async fn invoke_for(mut call: Call) -> Answer {
    let body: MethodBody = call.json().await?;
    let payload = body.payload.map_or_else(Bytes::new, |payload| Bytes::from(payload.get().to_owned()));
    let mut request = MethodRequest::new(body.method_name, payload);
    if let Some(seconds) = body.response_timeout_in_seconds {
        request.response_timeout = Duration::from_secs(seconds);
    }
    if let Some(seconds) = body.connect_timeout_in_seconds {
        request.connect_timeout = Duration::from_secs(seconds);
    }
    let target = call.identity()?;
    let answer = call.service()?.invoke(&target, request).await?;
    let payload = if answer.payload.is_empty() { b"null" } else { answer.payload.as_ref() };
    let payload: &RawValue = serde_json::from_slice(payload).map_err(|_| ServiceError::BadAnswer {
        identity: target,
        reason: "its payload is not JSON".to_owned(),
    })?;
    json_of(StatusCode::OK, &MethodOut { status: answer.status, payload })
}
