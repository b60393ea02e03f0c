//! The entries of a bulk operation in JSON.

use bytes::Bytes;
use edge_core::service::{AuthSpec, BulkEntry, BulkFailure, BulkMode, IdentitySpec};
use edge_core::{DeviceId, Identity, ModuleId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::identity::{AuthBody, Capabilities, auth, enabled};
use crate::rest::error::RestError;

/// One entry; other members are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::rest) struct ImportEntry {
    id: String,
    module_id: Option<String>,
    #[serde(alias = "etag")]
    e_tag: Option<String>,
    import_mode: Option<String>,
    status: Option<String>,
    status_reason: Option<String>,
    authentication: Option<AuthBody>,
    #[serde(rename = "twinETag")]
    twin_etag: Option<String>,
    tags: Option<Box<RawValue>>,
    properties: Option<Properties>,
    capabilities: Option<Capabilities>,
    device_scope: Option<String>,
    parent_scopes: Option<Vec<String>>,
    managed_by: Option<String>,
}

#[derive(Deserialize)]
struct Properties {
    desired: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct TwinBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<DesiredBody<'a>>,
}

#[derive(Serialize)]
struct DesiredBody<'a> {
    desired: &'a RawValue,
}

const MODES: [(&str, BulkMode); 9] = [
    ("create", BulkMode::Create),
    ("update", BulkMode::Update),
    ("updateIfMatchETag", BulkMode::UpdateIfMatchEtag),
    ("createOrUpdate", BulkMode::CreateOrUpdate),
    ("createOrUpdateIfMatchETag", BulkMode::CreateOrUpdateIfMatchEtag),
    ("delete", BulkMode::Delete),
    ("deleteIfMatchETag", BulkMode::DeleteIfMatchEtag),
    ("updateTwin", BulkMode::UpdateTwin),
    ("updateTwinIfMatchETag", BulkMode::UpdateTwinIfMatchEtag),
];

fn unquoted(etag: String) -> String {
    etag.trim_matches('"').to_owned()
}

/// An entry that says nothing that could be done, and why.
pub(in crate::rest) struct Malformed {
    device_id: String,
    module_id: String,
    error: RestError,
}

impl ImportEntry {
    /// Returns the entry in the gateway's terms; without a mode it is made or changed.
    pub(in crate::rest) fn into_entry(self) -> Result<BulkEntry, Malformed> {
        let (device_id, module_id) = (self.id.clone(), self.module_id.clone().unwrap_or_default());
        self.read().map_err(|error| Malformed { device_id, module_id, error })
    }

    fn read(self) -> Result<BulkEntry, RestError> {
        let mode = match self.import_mode.as_deref() {
            None => BulkMode::CreateOrUpdate,
            Some(name) => {
                let found = MODES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
                found.ok_or_else(|| RestError::invalid(format!("there is no importMode {name:?}")))?.1
            }
        };
        let invalid = |error: edge_core::IdError| RestError::invalid(error.to_string());
        let device: DeviceId = self.id.parse().map_err(invalid)?;
        let identity = match self.module_id.filter(|module| !module.is_empty()) {
            Some(module) => Identity::of_module(device, module.parse::<ModuleId>().map_err(invalid)?),
            None => Identity::of_device(device),
        };
        let mut spec = IdentitySpec::new(identity);
        spec.enabled = self.status.as_deref().map(enabled).transpose()?;
        spec.status_reason = self.status_reason;
        spec.auth = self.authentication.map_or(Ok(AuthSpec::Unchanged), auth)?;
        spec.edge = self.capabilities.and_then(|capabilities| capabilities.iot_edge);
        spec.device_scope = self.device_scope;
        spec.parent_scopes = self.parent_scopes;
        spec.managed_by = self.managed_by;
        let mut entry = BulkEntry::new(mode, spec);
        entry.etag = self.e_tag.map(unquoted);
        entry.twin_etag = self.twin_etag.map(unquoted);
        let desired = self.properties.as_ref().and_then(|properties| properties.desired.as_deref());
        if self.tags.is_some() || desired.is_some() {
            let properties = desired.map(|desired| DesiredBody { desired });
            let twin = serde_json::to_vec(&TwinBody { tags: self.tags.as_deref(), properties });
            entry.twin = Some(Bytes::from(twin.map_err(|error| RestError::invalid(error.to_string()))?));
        }
        Ok(entry)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    is_successful: bool,
    errors: Vec<Failure<'a>>,
    warnings: [(); 0],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    device_id: &'a str,
    error_code: &'static str,
    error_status: String,
    module_id: &'a str,
    operation: &'static str,
}

/// Returns what a bulk operation is answered with.
pub(in crate::rest) fn failures<'a>(all: &'a [BulkFailure], malformed: &'a [Malformed]) -> impl Serialize {
    let of_malformed = malformed.iter().map(|entry| Failure {
        device_id: &entry.device_id,
        error_code: entry.error.code(),
        error_status: entry.error.text().to_owned(),
        module_id: &entry.module_id,
        operation: "",
    });
    let errors = all.iter().map(|failure| Failure {
        device_id: failure.identity.device().as_str(),
        error_code: failure.error.code(),
        error_status: failure.error.to_string(),
        module_id: failure.identity.module().map_or("", |module| module.as_str()),
        operation: MODES.iter().find(|(_, mode)| *mode == failure.mode).map_or("", |(name, _)| name),
    });
    let errors: Vec<_> = errors.chain(of_malformed).collect();
    Outcome { is_successful: errors.is_empty(), errors, warnings: [] }
}
