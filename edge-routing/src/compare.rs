//! What a new set of routes changes, told by messages that were recorded.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use hashbrown::HashMap;

use crate::fields::Fields;
use crate::matches::Matches;
use crate::route::Route;
use crate::router::Router;

/// Two routers side by side. It keeps counts, not messages: recordings of any length fit.
///
/// # Examples
/// ```
/// use edge_routing::{Comparison, CompileOptions, RouteSpec, Router, Sample};
/// let compile = |text: &str| Router::compile(&[RouteSpec::new("r", text)], &CompileOptions::new());
/// let old = compile("FROM /messages/* INTO $upstream")?.router;
/// let new = compile("FROM /messages/* WHERE level = '3' INTO $upstream")?.router;
///
/// let mut comparison = Comparison::new(&old, &new);
/// assert!(comparison.add(&Sample::new("/messages").with_property("level", Some("3"))).is_none());
/// let change = comparison.add(&Sample::new("/messages")).unwrap();
/// assert_eq!(change.lost, ["$upstream by r"]);
/// let summary = comparison.summary();
/// assert_eq!((summary.messages, summary.changed, summary.routes[0].old, summary.routes[0].new), (2, 1, 2, 1));
/// # Ok::<(), edge_routing::Diagnostics>(())
/// ```
#[derive(Debug)]
pub struct Comparison<'r> {
    old: Side<'r>,
    new: Side<'r>,
    messages: u64,
    changed: u64,
}

#[derive(Debug)]
struct Side<'r> {
    router: &'r Router,
    matches: Matches,
    /// Messages that matched, by route.
    counts: Vec<u64>,
}

/// What changes for one message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Change {
    /// Deliveries that are no more: the endpoint and the route.
    pub lost: Vec<String>,
    /// Deliveries that are new.
    pub gained: Vec<String>,
    /// Deliveries that stay, but with another priority or time to live.
    pub altered: Vec<String>,
}

/// What changes for all messages so far.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Summary {
    /// Messages looked at.
    pub messages: u64,
    /// Messages whose deliveries change.
    pub changed: u64,
    /// The routes of both sets by name: how many messages each matches.
    pub routes: Vec<RouteCount>,
}

/// How many messages a route matches.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RouteCount {
    /// The name of the route.
    pub name: String,
    /// Messages that it matches in the old set; none where it is not in it.
    pub old: u64,
    /// Messages that it matches in the new set.
    pub new: u64,
}

impl<'r> Comparison<'r> {
    /// Compares `new` with `old`.
    #[must_use]
    pub fn new(old: &'r Router, new: &'r Router) -> Self {
        Self { old: Side::new(old), new: Side::new(new), messages: 0, changed: 0 }
    }

    /// Routes a message by both; what changes, if anything does.
    pub fn add<F: Fields + ?Sized>(&mut self, message: &F) -> Option<Change> {
        self.old.route(message);
        self.new.route(message);
        self.messages += 1;
        let mut change = Change { lost: Vec::new(), gained: Vec::new(), altered: Vec::new() };
        for (old, text) in self.old.deliveries() {
            let same = self.new.deliveries().find(|(new, _)| new.sink() == old.sink());
            match same {
                None => change.lost.push(text),
                Some((new, _)) if effect(old) != effect(new) => {
                    change.altered.push(format!("{}: {} instead of {}", old.sink(), shown(new), shown(old)));
                }
                Some(_) => {}
            }
        }
        for (new, text) in self.new.deliveries() {
            if self.old.deliveries().all(|(old, _)| old.sink() != new.sink()) {
                change.gained.push(text);
            }
        }
        let changes = !(change.lost.is_empty() && change.gained.is_empty() && change.altered.is_empty());
        self.changed += u64::from(changes);
        changes.then_some(change)
    }

    /// The counts so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let (old, new) = (self.old.by_name(), self.new.by_name());
        let count = |name: &str| RouteCount {
            name: name.into(),
            old: old.get(name).copied().unwrap_or(0),
            new: new.get(name).copied().unwrap_or(0),
        };
        let added = self.new.router.routes().iter().filter(|route| !old.contains_key(route.name()));
        let routes = self.old.router.routes().iter().chain(added).map(|route| count(route.name())).collect();
        Summary { messages: self.messages, changed: self.changed, routes }
    }
}

impl<'r> Side<'r> {
    fn new(router: &'r Router) -> Self {
        Self { router, matches: Matches::new(), counts: alloc::vec![0; router.routes().len()] }
    }

    fn route<F: Fields + ?Sized>(&mut self, message: &F) {
        self.router.route(message, &mut self.matches);
        for &route in self.matches.routes() {
            if let Some(count) = self.counts.get_mut(route) {
                *count += 1;
            }
        }
    }

    fn by_name(&self) -> HashMap<&'r str, u64> {
        self.router.routes().iter().map(Route::name).zip(self.counts.iter().copied()).collect()
    }

    fn deliveries(&self) -> impl Iterator<Item = (&'r Route, String)> {
        self.matches.deliveries().iter().filter_map(|delivery| {
            let route = self.router.routes().get(delivery.route)?;
            Some((route, format!("{} by {}", route.sink(), route.name())))
        })
    }
}

fn effect(route: &Route) -> (u32, Option<u32>) {
    (route.priority().number(), route.time_to_live_secs())
}

fn shown(route: &Route) -> String {
    let ttl = route.time_to_live_secs().map_or_else(String::new, |secs| format!(" for {secs} s"));
    format!("priority {}{ttl} by {}", route.priority(), route.name())
}
