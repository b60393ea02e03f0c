//! Counts.

use axum::http::StatusCode;
use edge_core::service::Permission;
use serde::Serialize;

use super::call::Call;
use super::error::{Answer, json_of};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Devices {
    total_device_count: usize,
    enabled_device_count: usize,
    disabled_device_count: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    connected_device_count: usize,
}

pub(super) async fn devices(call: Call) -> Answer {
    call.allow(Permission::RegistryRead, "statistics").await?;
    let counts = call.service()?.statistics().await?;
    let out = Devices {
        total_device_count: counts.devices,
        enabled_device_count: counts.devices.saturating_sub(counts.disabled),
        disabled_device_count: counts.disabled,
    };
    json_of(StatusCode::OK, &out)
}

pub(super) async fn service(call: Call) -> Answer {
    call.allow(Permission::ServiceConnect, "statistics").await?;
    let connected_device_count = call.service()?.statistics().await?.connected;
    json_of(StatusCode::OK, &Service { connected_device_count })
}
