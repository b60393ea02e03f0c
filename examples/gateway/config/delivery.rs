//! What a configuration says of durability by route and class, and the delivery to `$upstream`.

use std::num::NonZeroU64;

use edge_core::{Durability, Priority};
use edge_hub::{Budget, DeliveryPolicy, InFlight, Order, Policies, RoutePolicy};
use toml::de::DeValue;

use super::reader::Section;
use super::values::Bytes;

/// Reads what a route or a class may ask of the store. The gateway's store refuses what it has no room for, so there is
/// no choice of what else to do.
pub(super) fn policy(section: &mut Section<'_, '_>) -> RoutePolicy {
    match section.parsed::<Durability>("durability") {
        Some(durability) => RoutePolicy::new().durability(durability),
        None => RoutePolicy::new(),
    }
}

/// Reads the policies in `[store_and_forward]`; its own durability is that of the hub.
pub(super) fn policies(section: &mut Section<'_, '_>) -> Policies {
    let policies = Policies::new(RoutePolicy::new());
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
                DeValue::Table(table) => classes.push((priority, section.inner(table, at, &name, policy))),
                other => section.wrong(at, &name, "a table: `[store_and_forward.classes.0]`", &other),
            }
        }
        classes
    });
    let classes = classes.unwrap_or_default().into_iter();
    classes.fold(policies, |policies, (priority, policy)| policies.class(priority, policy))
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
