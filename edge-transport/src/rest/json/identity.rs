//! A device or module in JSON.

use edge_core::service::{AuthRecord, AuthSpec, IdentitySpec, IdentityState, Secret};
use edge_core::{Identity, Timestamp};
use serde::{Deserialize, Serialize};

use crate::rest::error::RestError;

/// The time that stands for never.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// What a caller says of a device or module; other members are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::rest) struct IdentityBody {
    device_id: Option<String>,
    module_id: Option<String>,
    status: Option<String>,
    status_reason: Option<String>,
    authentication: Option<AuthBody>,
    capabilities: Option<Capabilities>,
    device_scope: Option<String>,
    parent_scopes: Option<Vec<String>>,
    managed_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthBody {
    r#type: Option<String>,
    symmetric_key: Option<Keys>,
    #[serde(alias = "x509Thumbprint")]
    x509_thumbprint: Option<Prints>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Keys {
    primary_key: Option<String>,
    secondary_key: Option<String>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Prints {
    primary_thumbprint: Option<String>,
    secondary_thumbprint: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Capabilities {
    pub(super) iot_edge: Option<bool>,
}

impl IdentityBody {
    /// Returns the specification for the identity that the path names.
    pub(in crate::rest) fn into_spec(self, identity: Identity) -> Result<IdentitySpec, RestError> {
        let differs =
            |given: &Option<String>, path: &str| given.as_deref().is_some_and(|given| given != path);
        let module = identity.module().map_or("", |module| module.as_str());
        if differs(&self.device_id, identity.device().as_str())
            || differs(&self.module_id.filter(|given| !given.is_empty()), module)
        {
            return Err(RestError::invalid("the id in the body is not the one in the path"));
        }
        let mut spec = IdentitySpec::new(identity);
        spec.enabled = self.status.as_deref().map(enabled).transpose()?;
        spec.status_reason = self.status_reason;
        spec.auth = self.authentication.map_or(Ok(AuthSpec::Unchanged), auth)?;
        spec.edge = self.capabilities.and_then(|capabilities| capabilities.iot_edge);
        spec.device_scope = self.device_scope;
        spec.parent_scopes = self.parent_scopes;
        spec.managed_by = self.managed_by;
        Ok(spec)
    }
}

pub(super) fn enabled(status: &str) -> Result<bool, RestError> {
    match status {
        _ if status.eq_ignore_ascii_case("enabled") => Ok(true),
        _ if status.eq_ignore_ascii_case("disabled") => Ok(false),
        _ => Err(RestError::invalid(format!("status is enabled or disabled, and not {status:?}"))),
    }
}

/// Returns how an identity is to prove who it is; without a type, what is given tells.
pub(super) fn auth(body: AuthBody) -> Result<AuthSpec, RestError> {
    let AuthBody { r#type, symmetric_key, x509_thumbprint } = body;
    let keys = symmetric_key.unwrap_or_default();
    let prints = x509_thumbprint.unwrap_or_default();
    let has_prints = prints.primary_thumbprint.is_some() || prints.secondary_thumbprint.is_some();
    let secret = |key: Option<String>| key.filter(|key| !key.is_empty()).map(Secret::new);
    let sas = |keys: Keys| AuthSpec::Sas {
        primary: secret(keys.primary_key),
        secondary: secret(keys.secondary_key),
    };
    let thumbprints = |prints: Prints| AuthSpec::Thumbprints {
        primary: prints.primary_thumbprint,
        secondary: prints.secondary_thumbprint,
    };
    match r#type.as_deref() {
        Some("sas") => Ok(sas(keys)),
        Some("selfSigned") => Ok(thumbprints(prints)),
        Some("certificateAuthority") => Ok(AuthSpec::CertificateAuthority),
        Some("none") => Ok(AuthSpec::None),
        None if has_prints => Ok(thumbprints(prints)),
        None => Ok(sas(keys)),
        Some(other) => Err(RestError::invalid(format!("there is no authentication of the type {other:?}"))),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IdentityOut<'a> {
    device_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    module_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    managed_by: Option<&'a str>,
    generation_id: &'a str,
    etag: &'a str,
    connection_state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    status_reason: Option<&'a str>,
    connection_state_updated_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_updated_time: Option<String>,
    last_activity_time: String,
    cloud_to_device_message_count: usize,
    authentication: AuthOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<Capabilities>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_scopes: Option<&'a [Box<str>]>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthOut<'a> {
    r#type: &'a str,
    symmetric_key: Keys,
    #[serde(rename = "x509Thumbprint")]
    x509_thumbprint: Prints,
}

fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| NEVER.to_owned(), |at| at.to_string())
}

/// Returns an identity as the service API shows it.
pub(in crate::rest) fn identity(state: &IdentityState) -> impl Serialize {
    let record = &state.record;
    let device = record.identity.module().is_none();
    let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    let (mut symmetric_key, mut x509_thumbprint) = (Keys::default(), Prints::default());
    match &record.auth {
        AuthRecord::Sas { primary, secondary } => {
            symmetric_key.primary_key = Some(primary.expose().to_owned());
            symmetric_key.secondary_key = secondary.as_ref().map(|key| key.expose().to_owned());
        }
        AuthRecord::Thumbprints { primary, secondary } => {
            x509_thumbprint.primary_thumbprint = owned(primary);
            x509_thumbprint.secondary_thumbprint = owned(secondary);
        }
        _ => {}
    }
    IdentityOut {
        device_id: record.identity.device().as_str(),
        module_id: record.identity.module().map(|module| module.as_str()),
        managed_by: record.managed_by.as_deref(),
        generation_id: &record.generation,
        etag: &record.etag,
        connection_state: if state.connected { "Connected" } else { "Disconnected" },
        status: device.then_some(if record.enabled { "enabled" } else { "disabled" }),
        status_reason: record.status_reason.as_deref(),
        connection_state_updated_time: time(state.connection_updated),
        status_updated_time: device.then(|| time(record.status_updated)),
        last_activity_time: time(state.last_activity),
        cloud_to_device_message_count: state.waiting,
        authentication: AuthOut { r#type: record.auth.kind(), symmetric_key, x509_thumbprint },
        capabilities: device.then_some(Capabilities { iot_edge: Some(record.edge) }),
        device_scope: record.device_scope.as_deref(),
        parent_scopes: device
            .then_some(&record.parent_scopes)
            .map(Vec::as_slice)
            .filter(|all| !all.is_empty()),
    }
}
