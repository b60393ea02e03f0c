//! Twins: what the hub keeps of each client's state, and what it tells of changes.

use bytes::Bytes;
use edge_core::{Identity, TwinAnswer, TwinRequest, SessionEvent};

use crate::clients::Connected;

/// Why
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct TwinError;

#[derive(Debug, Default)]
pub(crate) struct Twins;

impl Twins {
    pub(crate) fn ask(&self, client: &Connected, tag: Bytes, _request: TwinRequest) {
        client.outbox.push_urgent(SessionEvent::Twin { tag, answer: TwinAnswer::new(501, "") }, 64);
    }
    pub(crate) async fn device_view(&self, _identity: &Identity) -> Result<Bytes, TwinError> { Err(TwinError) }
    pub(crate) async fn report(&self, _identity: &Identity, _patch: &[u8]) -> Result<u64, TwinError> { Err(TwinError) }
}
