//! `[service]`: who may use the service API.

use edge_core::service::Permissions;
use edge_hub::Policy;
use edge_transport::iothub::SasKey;

use super::reader::{Section, closest};

/// A policy, with its first key: what the connection string of the service side is made of.
#[derive(Clone, Debug)]
pub(crate) struct ServicePolicy {
    /// The policy as the registry knows it.
    pub(crate) policy: Policy,
    /// Its primary key.
    pub(crate) key: SasKey,
}

const NAMES: [&str; 5] = ["iothubowner", "service", "device", "registryRead", "registryReadWrite"];

/// Reads the section.
pub(super) fn read(section: &mut Section<'_, '_>) -> Vec<ServicePolicy> {
    section.sections("policies", policy)
}

fn policy(section: &mut Section<'_, '_>) -> Option<ServicePolicy> {
    let name = section.required("name");
    let primary = section.parsed_required::<SasKey>("primary_key");
    let secondary = section.parsed::<SasKey>("secondary_key");
    let name = name?;
    let Some(permissions) = Permissions::of_policy(name.get_ref()) else {
        let help = match closest(name.get_ref(), &NAMES) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("write {}", NAMES.join(", ")),
        };
        section.mistake(name.span(), format!("unknown policy `{}`; {help}", name.get_ref()));
        return None;
    };
    let primary = primary?;
    let keys = [Some(primary.clone()), secondary].into_iter().flatten().collect();
    Some(ServicePolicy { policy: Policy::new(name.into_inner(), permissions, keys), key: primary })
}
