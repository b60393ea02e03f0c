//! What a configuration says of durability, limits and overflow, and of the delivery to `$upstream`.

use std::num::NonZeroU64;

use edge_core::{DeviceId, Durability, EndpointId, Overflow, Priority};
use edge_hub::{Budget, DeliveryPolicy, InFlight, Order, Policies, RoutePolicy};
use toml::de::DeValue;

use super::reader::Section;
use super::values::{Bytes, Limit};

/// Reads what a route, an endpoint or a class may ask of the store.
pub(super) fn policy(section: &mut Section<'_, '_>) -> RoutePolicy {
    let policy = room(section);
    match section.parsed::<Durability>("durability") {
        Some(durability) => policy.durability(durability),
        None => policy,
    }
}

/// Reads what happens when there is no more room, and how much there is for each queue.
fn room(section: &mut Section<'_, '_>) -> RoutePolicy {
    let mut policy = RoutePolicy::new();
    if let Some(overflow) = section.parsed::<Overflow>("overflow") {
        policy = policy.overflow(overflow);
    }
    if let Some(Limit(bytes)) = section.parsed("max_queue_bytes") {
        policy = policy.max_queue_bytes(bytes);
    }
    policy
}

/// Reads the policies in `[store_and_forward]`; its own durability is that of the hub. A module's input is named
/// `MODULE/INPUT`, as an input of `device`.
pub(super) fn policies(
    section: &mut Section<'_, '_>,
    device: Option<&DeviceId>,
    max_bytes: Option<u64>,
) -> Policies {
    let policies = Policies::new(room(section));
    let endpoints = section.section("endpoints", |section| {
        let mut endpoints = Vec::new();
        for (key, value) in section.rest() {
            let (at, name) = (value.span(), key.get_ref().clone());
            let endpoint = match (name.as_str(), name.split_once('/')) {
                ("$upstream", _) => Ok(EndpointId::upstream()),
                (_, Some(("", rest))) if rest.starts_with("upstreams/") => {
                    let upstream = rest.strip_prefix("upstreams/").unwrap_or_default();
                    edge_hub::upstream_id(upstream).map_err(|error| format!("endpoints: {error}"))
                }
                (_, Some((module, input))) if !module.is_empty() && !input.is_empty() => {
                    let device = device.map_or("", DeviceId::as_str);
                    format!("{device}/{name}").parse().map_err(|error| format!("endpoints: {error}"))
                }
                _ => Err(format!(
                    "endpoints: {name:?} is not an endpoint: write $upstream, /upstreams/NAME or MODULE/INPUT"
                )),
            };
            match (endpoint, value.into_inner()) {
                (Err(error), _) => section.mistake(key.span(), error),
                (Ok(endpoint), DeValue::Table(table)) => {
                    endpoints.push((endpoint, section.inner(table, at, &name, policy)));
                }
                (Ok(_), other) => {
                    let wanted = "a table: `[store_and_forward.endpoints.\"$upstream\"]`";
                    section.wrong(at, &name, wanted, &other);
                }
            }
        }
        endpoints
    });
    let endpoints = endpoints.unwrap_or_default().into_iter();
    let policies =
        endpoints.fold(policies, |policies, (endpoint, policy)| policies.endpoint(endpoint, policy));
    let classes = section.section("classes", |section| {
        let mut classes = Vec::new();
        for (key, value) in section.rest() {
            let (at, name) = (value.span(), key.get_ref().clone());
            let priority = match name.parse::<Priority>() {
                Ok(priority) => priority,
                Err(error) => {
                    section.mistake(key.span(), format!("classes: {error}"));
                    continue;
                }
            };
            match value.into_inner() {
                DeValue::Table(table) => {
                    let class =
                        |section: &mut Section<'_, '_>| (policy(section), class_bytes(section, max_bytes));
                    classes.push((priority, section.inner(table, at, &name, class)));
                }
                other => section.wrong(at, &name, "a table: `[store_and_forward.classes.0]`", &other),
            }
        }
        classes
    });
    let classes = classes.unwrap_or_default().into_iter();
    classes.fold(policies, |policies, (priority, (policy, bytes))| {
        let policies = policies.class(priority, policy);
        match bytes {
            Some(bytes) => policies.max_class_bytes(priority, bytes),
            None => policies,
        }
    })
}

/// Reads how much all queues of a class may hold together.
fn class_bytes(section: &mut Section<'_, '_>, max_bytes: Option<u64>) -> Option<u64> {
    let Limit(bytes) = section.parsed("max_class_bytes")?;
    if let Some(max_bytes) = max_bytes.filter(|max_bytes| bytes > *max_bytes) {
        let at = section.at();
        let message = format!(
            "max_class_bytes: {bytes} is more than the whole store may hold, max_bytes = {max_bytes}"
        );
        section.mistake(at, message);
    }
    Some(bytes)
}

/// Reads `[upstream.delivery]`.
pub(super) fn delivery(section: &mut Section<'_, '_>) -> DeliveryPolicy {
    let order = section.parsed::<Order>("order").unwrap_or_default();
    let messages = section.integer("in_flight", 1..=1_000_000).and_then(|n| usize::try_from(n).ok());
    let bytes = section.parsed::<Bytes>("in_flight_bytes").and_then(|bytes| usize::try_from(bytes.0).ok());
    let mut window = messages.map_or_else(InFlight::default, InFlight::messages);
    if let Some(bytes) = bytes {
        window = window.bytes(bytes);
    }
    let mut rate = |key| section.parsed::<Bytes>(key).and_then(|bytes| NonZeroU64::new(bytes.0));
    let mut budget = Budget::default();
    (budget.bytes_per_second, budget.bytes_per_day) = (rate("bytes_per_second"), rate("bytes_per_day"));
    let free = section.integer("free_up_to", 0..=9).and_then(|n| Priority::new(u8::try_from(n).ok()?));
    DeliveryPolicy::new().order(order).in_flight(window).budget(budget.free_up_to(free))
}
