//! What the service API asks of one identity, checked and carried out on a draft.

use edge_core::service::{AuthRecord, AuthSpec, IdentityRecord, IdentitySpec, IfMatch, Secret, ServiceError};
use edge_core::{Identity, ModuleId, Timestamp};
use edge_transport::iothub::{SasKey, Thumbprint};

use super::change::Draft;
use super::names;

/// The most modules of a device, and of an edge device.
const MAX_MODULES: usize = 50;
const MAX_EDGE_MODULES: usize = 100;
/// The most characters of a status reason.
const MAX_REASON_CHARS: usize = 128;
/// The most characters of other texts, and how many parent scopes there may be.
const MAX_TEXT_CHARS: usize = 512;
const MAX_PARENTS: usize = 16;
/// The least and the most bytes of a key.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=64;
const SCOPE_PREFIX: &str = "ms-azure-iot-edge://";
/// The modules that every edge device has.
const SYSTEM_MODULES: [&str; 2] = ["$edgeAgent", "$edgeHub"];

impl Draft<'_> {
    /// Stages a new identity.
    pub(super) fn create(
        &mut self,
        spec: &IdentitySpec,
        limit: usize,
        now: Timestamp,
    ) -> Result<IdentityRecord, ServiceError> {
        let identity = &spec.identity;
        if self.get(identity).is_some() {
            return Err(ServiceError::AlreadyExists { identity: identity.clone() });
        }
        if identity.module().is_some() {
            self.check_room_for_module(identity)?;
        }
        let mut record = IdentityRecord::new(identity.clone(), AuthRecord::None);
        record.generation = names::generation()?;
        let record = changed(record, spec, true, now)?;
        let system = if record.edge { self.system_modules(identity, now)? } else { Vec::new() };
        if self.len() + 1 + system.len() > limit {
            return Err(ServiceError::TooManyDevices { limit });
        }
        self.put(record.clone());
        system.into_iter().for_each(|module| self.put(module));
        Ok(record)
    }

    /// Stages a change of an identity.
    pub(super) fn update(
        &mut self,
        spec: &IdentitySpec,
        if_match: &IfMatch,
        now: Timestamp,
    ) -> Result<IdentityRecord, ServiceError> {
        let old = self.matching(&spec.identity, if_match)?.clone();
        let becomes_edge = !old.edge;
        let record = changed(old, spec, false, now)?;
        let system =
            if record.edge && becomes_edge { self.system_modules(&spec.identity, now)? } else { Vec::new() };
        self.put(record.clone());
        system.into_iter().for_each(|module| self.put(module));
        Ok(record)
    }

    /// Stages the end of an identity.
    pub(super) fn delete(&mut self, identity: &Identity, if_match: &IfMatch) -> Result<(), ServiceError> {
        self.matching(identity, if_match)?;
        self.remove(identity);
        Ok(())
    }

    fn matching(&self, identity: &Identity, if_match: &IfMatch) -> Result<&IdentityRecord, ServiceError> {
        let found = self.get(identity);
        let found = found.ok_or_else(|| ServiceError::NotFound { identity: identity.clone() })?;
        if if_match.is_met_by(&found.etag) {
            Ok(found)
        } else {
            Err(ServiceError::PreconditionFailed { identity: identity.clone() })
        }
    }

    fn check_room_for_module(&self, module: &Identity) -> Result<(), ServiceError> {
        let device = Identity::of_device(module.device().clone());
        let Some(found) = self.get(&device) else {
            return Err(ServiceError::NotFound { identity: device });
        };
        let limit = if found.edge { MAX_EDGE_MODULES } else { MAX_MODULES };
        if self.modules(&device).len() >= limit {
            return Err(ServiceError::TooManyModules { identity: device, limit });
        }
        Ok(())
    }

    /// Returns the modules that an edge device has and that are not there yet.
    fn system_modules(&self, device: &Identity, now: Timestamp) -> Result<Vec<IdentityRecord>, ServiceError> {
        let ids = SYSTEM_MODULES.iter().filter_map(|id| id.parse::<ModuleId>().ok());
        let modules = ids.map(|module| Identity::of_module(device.device().clone(), module));
        let missing = modules.filter(|module| self.get(module).is_none());
        missing
            .map(|module| {
                let mut record = IdentityRecord::new(module.clone(), AuthRecord::None);
                record.generation = names::generation()?;
                changed(record, &IdentitySpec::new(module), true, now)
            })
            .collect()
    }
}

/// Returns a record as it is to be.
fn changed(
    mut record: IdentityRecord,
    spec: &IdentitySpec,
    new: bool,
    now: Timestamp,
) -> Result<IdentityRecord, ServiceError> {
    record.auth = auth(&spec.auth, &record.auth, new)?;
    let reason = spec.status_reason.as_deref().map(|reason| text("statusReason", reason, MAX_REASON_CHARS));
    let (reason, enabled) = (reason.transpose()?, spec.enabled.unwrap_or(record.enabled));
    if record.enabled != enabled
        || reason.as_ref().is_some_and(|reason| record.status_reason.as_ref() != Some(reason))
    {
        record.status_updated = Some(now);
    }
    record.enabled = enabled;
    record.status_reason = reason.or(record.status_reason);
    record.edge = spec.edge.unwrap_or(record.edge);
    if record.edge && record.identity.module().is_some() {
        return Err(ServiceError::invalid("capabilities.iotEdge is for devices, and this is a module"));
    }
    if let Some(owner) = &spec.managed_by {
        record.managed_by = Some(text("managedBy", owner, MAX_TEXT_CHARS)?).filter(|owner| !owner.is_empty());
    }
    scopes(&mut record, spec)?;
    record.etag = names::etag()?;
    Ok(record)
}

/// An edge device has a scope of its own; another device is in the scope of its parent.
fn scopes(record: &mut IdentityRecord, spec: &IdentitySpec) -> Result<(), ServiceError> {
    if let Some(parents) = &spec.parent_scopes {
        if parents.len() > MAX_PARENTS {
            return Err(ServiceError::invalid(format!("a device has at most {MAX_PARENTS} parentScopes")));
        }
        record.parent_scopes = parents.iter().map(|parent| scope(parent)).collect::<Result<_, _>>()?;
    }
    if record.edge {
        let ours = || format!("{SCOPE_PREFIX}{}-{}", record.identity.device(), record.generation).into();
        let given = record.device_scope.take();
        record.device_scope = Some(given.unwrap_or_else(ours));
        return Ok(());
    }
    match spec.device_scope.as_deref() {
        Some("") => record.device_scope = None,
        Some(given) => {
            let given = scope(given)?;
            if spec.parent_scopes.is_none() {
                record.parent_scopes = vec![given.clone()];
            }
            record.device_scope = Some(given);
        }
        None => {
            if let (Some(_), Some(parent)) = (&spec.parent_scopes, record.parent_scopes.first()) {
                record.device_scope = Some(parent.clone());
            }
        }
    }
    Ok(())
}

fn scope(given: &str) -> Result<Box<str>, ServiceError> {
    if !given.starts_with(SCOPE_PREFIX) {
        return Err(ServiceError::invalid(format!(
            "a scope begins with {SCOPE_PREFIX}, and here it is {given:?}"
        )));
    }
    text("a scope", given, MAX_TEXT_CHARS)
}

fn text(what: &str, given: &str, max: usize) -> Result<Box<str>, ServiceError> {
    if given.chars().nth(max).is_some() {
        return Err(ServiceError::invalid(format!("{what} has at most {max} characters")));
    }
    Ok(given.into())
}

fn auth(spec: &AuthSpec, old: &AuthRecord, new: bool) -> Result<AuthRecord, ServiceError> {
    let generated = AuthSpec::Sas { primary: None, secondary: None };
    match spec {
        AuthSpec::Unchanged if new => auth(&generated, old, new),
        AuthSpec::Unchanged => Ok(old.clone()),
        AuthSpec::Sas { primary, secondary } => {
            let (old_primary, old_secondary) = match old {
                AuthRecord::Sas { primary, secondary } => (Some(primary.clone()), secondary.clone()),
                _ => (None, None),
            };
            let key = |given: &Option<Secret>, old: Option<Secret>| match (given, old) {
                (Some(given), old) => key(given, old),
                (None, Some(old)) => Ok(old),
                (None, None) => names::key(),
            };
            let (primary, secondary) = (key(primary, old_primary)?, key(secondary, old_secondary)?);
            Ok(AuthRecord::Sas { primary, secondary: Some(secondary) })
        }
        AuthSpec::Thumbprints { primary, secondary } => {
            let print = |given: &Option<String>| {
                given.as_deref().filter(|given| !given.is_empty()).map(thumbprint).transpose()
            };
            let (primary, secondary) = (print(primary)?, print(secondary)?);
            if primary.is_none() && secondary.is_none() {
                return Err(ServiceError::invalid(
                    "selfSigned wants a primaryThumbprint or a secondaryThumbprint",
                ));
            }
            Ok(AuthRecord::Thumbprints { primary, secondary })
        }
        AuthSpec::CertificateAuthority => Ok(AuthRecord::CertificateAuthority),
        AuthSpec::None => Ok(AuthRecord::None),
        _ => Err(ServiceError::invalid("this kind of authentication is not known here")),
    }
}

/// Checks a key; the one that is there already may stay, however it came there.
fn key(given: &Secret, old: Option<Secret>) -> Result<Secret, ServiceError> {
    if old.as_ref() == Some(given) {
        return Ok(given.clone());
    }
    let parsed: Result<SasKey, _> = given.expose().parse();
    let parsed = parsed.map_err(|error| ServiceError::invalid(error.to_string()))?;
    // Three bytes are four characters, with up to two of filling.
    let bytes = parsed.to_base64().trim_end_matches('=').len() * 3 / 4;
    if KEY_BYTES.contains(&bytes) {
        return Ok(given.clone());
    }
    let (least, most) = (KEY_BYTES.start(), KEY_BYTES.end());
    Err(ServiceError::invalid(format!("a key has {least} to {most} bytes, and this one {bytes}")))
}

fn thumbprint(given: &str) -> Result<Box<str>, ServiceError> {
    given.parse::<Thumbprint>().map_err(|error| ServiceError::invalid(error.to_string()))?;
    Ok(given.into())
}
