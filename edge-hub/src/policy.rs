//! What routes ask of the store.

use std::collections::BTreeMap;

use edge_core::{Durability, EndpointId, Overflow, Priority, Target};

/// What a route asks of the store; what it leaves open is decided by its endpoint, then by its priority class, then by the
/// default of [`Policies`], then by the hub.
///
/// # Examples
/// ```
/// use edge_core::{Durability, Overflow};
/// use edge_hub::RoutePolicy;
///
/// let readings = RoutePolicy::new().durability(Durability::Written).overflow(Overflow::DropOldest);
/// let alarms = RoutePolicy::new().durability(Durability::Synced);
/// assert_eq!(alarms.or(&readings).overflow, Some(Overflow::DropOldest));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a policy holds once it is given to a hub"]
pub struct RoutePolicy {
    /// How durable a message must be before its sender is acknowledged. A batch is as durable as the highest of its
    /// routes asks, and costs one sync.
    pub durability: Option<Durability>,
    /// What happens to a message that finds no room. The hub's own choice is [`Overflow::Refuse`].
    pub overflow: Option<Overflow>,
    /// The most bytes that the queue of the route may hold. The hub's own choice is as much as the store has.
    pub max_queue_bytes: Option<u64>,
}

impl RoutePolicy {
    /// Returns a policy that leaves everything open.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how durable a message must be.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// Sets what happens to a message that finds no room.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = Some(overflow);
        self
    }

    /// Sets the most bytes that the queue may hold.
    pub fn max_queue_bytes(mut self, max_queue_bytes: u64) -> Self {
        self.max_queue_bytes = Some(max_queue_bytes);
        self
    }

    /// Returns this policy, with what it leaves open as `other` has it.
    pub fn or(self, other: &Self) -> Self {
        Self {
            durability: self.durability.or(other.durability),
            overflow: self.overflow.or_else(|| other.overflow.clone()),
            max_queue_bytes: self.max_queue_bytes.or(other.max_queue_bytes),
        }
    }

    /// Puts the policy into a target.
    fn apply(self, mut target: Target) -> Target {
        if let Some(overflow) = self.overflow {
            target = target.with_overflow(overflow);
        }
        if let Some(bytes) = self.max_queue_bytes {
            target = target.with_max_queue_bytes(bytes);
        }
        if let Some(durability) = self.durability {
            target = target.with_durability(durability);
        }
        target
    }
}

/// The policies of all routes: by name, by endpoint, by priority class, and the default.
///
/// # Examples
/// ```
/// use edge_core::{EndpointId, Overflow, Priority};
/// use edge_hub::{Hub, Policies, RoutePolicy};
///
/// let policies = Policies::new(RoutePolicy::new().overflow(Overflow::DropOldest))
///     .class(Priority::new(0).ok_or("out of range")?, RoutePolicy::new().overflow(Overflow::Refuse))
///     .max_class_bytes(Priority::DEFAULT, 800 << 20)
///     .endpoint(EndpointId::upstream(), RoutePolicy::new().max_queue_bytes(500 << 20))
///     .route("raw", RoutePolicy::new().max_queue_bytes(50 << 20));
/// let raw = policies.of("raw", &EndpointId::upstream(), Priority::DEFAULT);
/// assert_eq!((raw.overflow, raw.max_queue_bytes), (Some(Overflow::DropOldest), Some(50 << 20)));
/// let hub = Hub::builder("edge1".parse()?).policies(policies).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "policies hold once they are given to a hub"]
pub struct Policies {
    default: RoutePolicy,
    classes: BTreeMap<Priority, RoutePolicy>,
    class_bytes: BTreeMap<Priority, u64>,
    endpoints: BTreeMap<EndpointId, RoutePolicy>,
    routes: BTreeMap<String, RoutePolicy>,
}

impl Policies {
    /// Returns policies with this default, and nothing else.
    pub fn new(default: RoutePolicy) -> Self {
        Self { default, ..Self::default() }
    }

    /// Sets the policy of all routes of a priority.
    pub fn class(mut self, priority: Priority, policy: RoutePolicy) -> Self {
        self.classes.insert(priority, policy);
        self
    }

    /// Sets the most bytes that all queues of a priority may hold together, whatever routes and endpoints have for their own.
    pub fn max_class_bytes(mut self, priority: Priority, max_class_bytes: u64) -> Self {
        self.class_bytes.insert(priority, max_class_bytes);
        self
    }

    /// Returns the most bytes that all queues of a priority may hold together; `None` is as much as the store has.
    #[must_use]
    pub fn class_bytes(&self, priority: Priority) -> Option<u64> {
        self.class_bytes.get(&priority).copied()
    }

    /// Puts what holds for a route into its target.
    pub(crate) fn apply(&self, name: &str, target: Target) -> Target {
        let (endpoint, priority) = (target.queue.endpoint(), target.queue.priority());
        let policy = self.of(name, endpoint, priority);
        let limit = self.class_bytes(priority);
        let target = policy.apply(target);
        match limit {
            Some(bytes) => target.with_max_class_bytes(bytes),
            None => target,
        }
    }

    /// Sets the policy of all routes to an endpoint. A limit is that of each of its queues: there is one for each priority.
    pub fn endpoint(mut self, endpoint: EndpointId, policy: RoutePolicy) -> Self {
        self.endpoints.insert(endpoint, policy);
        self
    }

    /// Sets the policy of one route.
    pub fn route(mut self, name: impl Into<String>, policy: RoutePolicy) -> Self {
        self.routes.insert(name.into(), policy);
        self
    }

    /// Returns the names of routes that have a policy of their own.
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        self.routes.keys().map(String::as_str)
    }

    /// Returns the endpoints that have a policy of their own.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &EndpointId> {
        self.endpoints.keys()
    }

    /// Returns what holds for the route `name` of priority `priority` to `endpoint`.
    pub fn of(&self, name: &str, endpoint: &EndpointId, priority: Priority) -> RoutePolicy {
        let own = self.routes.get(name).cloned().unwrap_or_default();
        let of_endpoint = self.endpoints.get(endpoint).cloned().unwrap_or_default();
        let class = self.classes.get(&priority).cloned().unwrap_or_default();
        own.or(&of_endpoint).or(&class).or(&self.default)
    }
}

#[cfg(test)]
mod tests {
    use edge_core::QueueId;

    use super::*;

    #[test]
    fn what_is_closer_decides() {
        let urgent = Priority::new(0).unwrap();
        let policies = Policies::new(RoutePolicy::new().durability(Durability::Written).max_queue_bytes(3))
            .class(urgent, RoutePolicy::new().durability(Durability::Synced))
            .route("a", RoutePolicy::new().max_queue_bytes(1));
        let upstream = EndpointId::upstream();
        let a = policies.of("a", &upstream, urgent);
        assert_eq!((a.durability, a.overflow, a.max_queue_bytes), (Some(Durability::Synced), None, Some(1)));
        let b = policies.of("b", &upstream, Priority::DEFAULT);
        assert_eq!((b.durability, b.max_queue_bytes), (Some(Durability::Written), Some(3)));
        let policies = policies.max_class_bytes(urgent, 7);
        let target = |priority| {
            let queue = QueueId::new(EndpointId::upstream(), priority);
            policies.apply("a", Target::new(queue, "a".parse().unwrap(), None))
        };
        assert_eq!((target(urgent).max_queue_bytes, target(urgent).max_class_bytes), (Some(1), Some(7)));
        assert_eq!(target(Priority::DEFAULT).max_class_bytes, None);
        let own = RoutePolicy::new().durability(Durability::Memory).max_queue_bytes(2);
        let policies = policies.endpoint(upstream.clone(), own);
        let a = policies.of("a", &upstream, urgent);
        assert_eq!((a.durability, a.max_queue_bytes), (Some(Durability::Memory), Some(1)));
    }
}
