//! Twins as the service side sees them.

use bytes::Bytes;
use edge_core::service::{Permission, TwinChange};

use super::call::{Call, carried_through};
use super::error::{Answer, json};

pub(super) async fn read(call: Call) -> Answer {
    call.allow(Permission::ServiceConnect, "twins").await?;
    Ok(json(call.service()?.twin(&call.identity()?).await?))
}

pub(super) async fn patch(call: Call) -> Answer {
    change(call, TwinChange::Patch).await
}

pub(super) async fn replace(call: Call) -> Answer {
    change(call, TwinChange::Replace).await
}

async fn change(mut call: Call, change: fn(Bytes) -> TwinChange) -> Answer {
    call.allow(Permission::ServiceConnect, "twins").await?;
    let if_match = call.if_match()?;
    let change = change(call.body().await?);
    let (identity, service) = (call.identity()?, call.service()?.clone());
    Ok(json(carried_through(async move { service.change_twin(&identity, change, if_match).await }).await?))
}
