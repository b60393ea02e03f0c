//! From what is declared to what runs: every mistake found at once.

use std::sync::Arc;

use edge_core::fields::{Field, FieldSet};
use edge_core::{ModuleId, PortName, SystemKey};

use super::{Mistake, Mistakes, ShapeSpec, WindowSpec, aggregate, duration};
use crate::hash::fnv;
use crate::stats::{Function, Needs, Rules};
use crate::window::Shape;

/// The most windows that a key may have open at a time.
const MAX_OPEN: i64 = 10_000;

/// What happens to late events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnLate {
    /// They are dropped, and counted.
    Drop,
    /// They are sent on by the output `late`.
    Send,
}

/// What happens to messages that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// They are dropped, and counted.
    Drop,
    /// They are refused, so that the gateway sets them aside.
    DeadLetter,
    /// They are sent on by the output `errors`.
    Send,
}

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// By the device, or the device and its module, whose names are at these places.
    Identity(usize, usize),
    Field(usize),
    All,
}

/// Where the time of an event is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Time {
    Enqueued,
    /// At this place; a number is multiplied to milliseconds.
    Field(usize, f64),
}

/// Windows that were checked, ready to run.
#[derive(Clone, Debug)]
pub struct Definition {
    pub(crate) name: ModuleId,
    pub(crate) input: PortName,
    pub(crate) output: PortName,
    pub(crate) shape: Shape,
    /// Names of the values, with their functions and the fields that those are of.
    pub(crate) values: Vec<(Arc<str>, Function, Option<usize>)>,
    /// The fields that functions are of, which come first in `set`.
    pub(crate) fields: Vec<Field>,
    pub(crate) needs: Vec<Needs>,
    pub(crate) set: FieldSet,
    pub(crate) key: Key,
    pub(crate) time: Time,
    pub(crate) distinct: Option<usize>,
    pub(crate) lateness: i64,
    pub(crate) idle: Option<i64>,
    pub(crate) max_ahead: i64,
    pub(crate) late: OnLate,
    pub(crate) on_error: OnError,
    pub(crate) max_keys: usize,
    pub(crate) max_values: usize,
    pub(crate) max_total_values: usize,
    pub(crate) max_distinct: usize,
    /// Stands for all that the kept state depends on.
    pub(crate) hash: u64,
}

impl Definition {
    /// Returns the name, which is the module that routes know.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    pub(crate) fn rules(&self) -> Rules<'_> {
        Rules { needs: &self.needs, limit: self.max_values }
    }
}

/// Collects mistakes while the parts are read.
struct Check {
    mistakes: Vec<Mistake>,
}

impl Check {
    fn wrong(&mut self, key: &str, message: impl Into<String>) {
        self.mistakes.push(Mistake { key: key.into(), message: message.into() });
    }

    fn take<T>(&mut self, key: &str, found: Result<T, impl ToString>) -> Option<T> {
        found.map_err(|error| self.wrong(key, error.to_string())).ok()
    }

    fn time(&mut self, key: &str, text: Option<&str>, default: i64) -> i64 {
        text.and_then(|text| self.take(key, duration::parse(text))).unwrap_or(default)
    }

    /// Reads a length of time that must be there and not be zero.
    fn length(&mut self, key: &str, text: Option<&str>) -> i64 {
        let Some(text) = text else {
            self.wrong(key, format!("is missing: write {} = \"10s\"", key.rsplit('.').next().unwrap_or(key)));
            return 1;
        };
        match self.take(key, duration::parse(text)) {
            Some(0) => {
                self.wrong(key, "must be longer than 0");
                1
            }
            found => found.unwrap_or(1),
        }
    }

    fn choice<T: Copy>(&mut self, key: &str, text: Option<&str>, known: &[(&str, T)], default: T) -> T {
        let Some(text) = text else { return default };
        if let Some((_, value)) = known.iter().find(|(name, _)| *name == text) {
            return *value;
        }
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        self.wrong(key, format!("{text:?} is not known: write {}", names.join(" or ")));
        default
    }

    fn limit(&mut self, key: &str, value: Option<usize>, default: usize, most: usize) -> usize {
        let value = value.unwrap_or(default);
        if !(1..=most).contains(&value) {
            self.wrong(key, format!("{value} must be from 1 to {most}"));
        }
        value.clamp(1, most)
    }
}

impl WindowSpec {
    /// Checks the declaration.
    ///
    /// # Errors
    /// [`Mistakes`] with everything that is wrong.
    pub fn check(&self) -> Result<Definition, Mistakes> {
        let mut check = Check { mistakes: Vec::new() };
        let name = check.take("name", self.name.parse::<ModuleId>());
        let input = check.take("input", "in".parse::<PortName>());
        let output = check.take("output", self.output.as_deref().unwrap_or("results").parse::<PortName>());
        if self.output.as_deref().is_some_and(|output| ["late", "errors"].contains(&output)) {
            check
                .wrong("output", "late and errors are the outputs of what has no result: write another name");
        }
        let shape = shape(&mut check, &self.window);
        let (mut values, mut fields, mut needs) = (Vec::new(), Vec::new(), Vec::<Needs>::new());
        if self.values.is_empty() {
            check.wrong(
                "values",
                "is empty: write for instance values = { mean = \"avg($body.temperature)\" }",
            );
        }
        for (name, text) in &self.values {
            let Some((function, field)) = check.take(&format!("values.{name}"), aggregate::parse(text))
            else {
                continue;
            };
            let place = field.map(|field| {
                fields.iter().position(|known| *known == field).unwrap_or_else(|| {
                    fields.push(field);
                    needs.push(Needs::default());
                    fields.len() - 1
                })
            });
            if let Some(needs) = place.and_then(|place| needs.get_mut(place)) {
                *needs = needs.or(function.needs());
            }
            values.push((Arc::from(name.as_str()), function, place));
        }
        let mut all = fields.clone();
        let mut place = |field: Field| {
            all.push(field);
            all.len() - 1
        };
        let key = match self.key.as_deref() {
            None => Key::Identity(
                place(Field::system(SystemKey::ConnectionDeviceId)),
                place(Field::system(SystemKey::ConnectionModuleId)),
            ),
            Some("*") => Key::All,
            Some(text) => check.take("key", text.parse()).map_or(Key::All, |field| Key::Field(place(field))),
        };
        let units = [("s", 1000.0), ("ms", 1.0), ("us", 0.001)];
        let unit = check.choice("time_unit", self.time_unit.as_deref(), &units, 1.0);
        let time = match self.time.as_deref() {
            None if self.time_unit.is_some() => {
                check.wrong("time_unit", "is the unit of `time`, which is missing");
                Time::Enqueued
            }
            None => Time::Enqueued,
            Some(text) => check
                .take("time", text.parse())
                .map_or(Time::Enqueued, |field| Time::Field(place(field), unit)),
        };
        let distinct = self.distinct.as_deref().and_then(|text| check.take("distinct", text.parse()));
        let distinct = distinct.map(&mut place);
        let lateness = check.time("lateness", self.lateness.as_deref(), 0);
        let idle = match self.idle.as_deref() {
            Some("never") => None,
            Some("0s" | "0ms") => {
                check.wrong("idle", "must be longer than 0: write never where windows wait for ever");
                None
            }
            text => Some(check.time("idle", text, 60_000)),
        };
        let (step, open) = match shape {
            Shape::Hopping { size, hop, .. } => ("window.hop", (size + lateness) / hop),
            Shape::Session { gap, .. } => ("window.gap", lateness / gap),
            Shape::Sliding { .. } => ("", 0),
        };
        if open > MAX_OPEN {
            check.wrong(step, format!("a key would have {open} windows open at a time, of at most {MAX_OPEN}: write a longer one, or a shorter lateness"));
        }
        let limits = self.limits;
        let max_ahead = check.time("max_ahead", self.max_ahead.as_deref(), 3_600_000);
        let choices = [("drop", OnLate::Drop), ("send", OnLate::Send)];
        let late = check.choice("late", self.late.as_deref(), &choices, OnLate::Drop);
        let choices =
            [("drop", OnError::Drop), ("dead-letter", OnError::DeadLetter), ("send", OnError::Send)];
        let on_error = check.choice("on_error", self.on_error.as_deref(), &choices, OnError::Drop);
        let max_keys = check.limit("limits.max_keys", limits.max_keys, 10_000, 10_000_000);
        let max_values = check.limit("limits.max_values", limits.max_values, 65_536, 10_000_000);
        let max_total_values =
            check.limit("limits.max_total_values", limits.max_total_values, 1_000_000, 1_000_000_000);
        let max_distinct = check.limit("limits.max_distinct", limits.max_distinct, 65_536, 10_000_000);
        let definition = name.zip(input).zip(output).map(|((name, input), output)| Definition {
            name,
            input,
            output,
            shape,
            values,
            set: FieldSet::new(all),
            fields,
            needs,
            key,
            time,
            distinct,
            lateness,
            idle,
            max_ahead,
            late,
            on_error,
            max_keys,
            max_values,
            max_total_values,
            max_distinct,
            hash: self.hash(),
        });
        match definition {
            Some(definition) if check.mistakes.is_empty() => Ok(definition),
            _ => Err(Mistakes(check.mistakes)),
        }
    }

    /// Returns a number for all that kept state depends on: limits and what happens to late events may change.
    fn hash(&self) -> u64 {
        let essence = Self {
            late: None,
            on_error: None,
            output: None,
            idle: None,
            max_ahead: None,
            limits: Default::default(),
            ..self.clone()
        };
        fnv([serde_json::to_vec(&essence).unwrap_or_default().as_slice()])
    }
}

fn shape(check: &mut Check, spec: &ShapeSpec) -> Shape {
    let mut unwanted = |keys: &[(&str, &Option<String>)], kind: &str| {
        for (key, value) in keys.iter().filter(|(_, value)| value.is_some()) {
            let value = value.as_deref().unwrap_or_default();
            check.wrong(
                &format!("window.{key}"),
                format!("a {kind} window has none: leave out {key} = {value:?}"),
            );
        }
    };
    let ShapeSpec { kind, size, hop, offset, gap, max } = spec;
    match kind.as_str() {
        "tumbling" => {
            unwanted(&[("hop", hop), ("gap", gap), ("max", max)], kind);
            let size = check.length("window.size", size.as_deref());
            Shape::Hopping { size, hop: size, offset: offset_of(check, offset.as_deref(), size) }
        }
        "hopping" => {
            unwanted(&[("gap", gap), ("max", max)], kind);
            let size = check.length("window.size", size.as_deref());
            let hop = check.length("window.hop", hop.as_deref());
            if hop > size {
                check.wrong(
                    "window.hop",
                    "must not be longer than size: events between windows would be in none",
                );
            }
            Shape::Hopping { size, hop, offset: offset_of(check, offset.as_deref(), hop) }
        }
        "sliding" => {
            unwanted(&[("hop", hop), ("gap", gap), ("max", max), ("offset", offset)], kind);
            Shape::Sliding { size: check.length("window.size", size.as_deref()) }
        }
        "session" => {
            unwanted(&[("size", size), ("hop", hop), ("offset", offset)], kind);
            let gap = check.length("window.gap", gap.as_deref());
            let max = check.time("window.max", max.as_deref(), 86_400_000);
            if max < gap {
                check.wrong("window.max", "must not be shorter than gap");
            }
            Shape::Session { gap, max: max.max(1) }
        }
        other => {
            let message = format!("{other:?} is no window: write tumbling, hopping, sliding or session");
            check.wrong("window.type", message);
            Shape::Sliding { size: 1 }
        }
    }
}

fn offset_of(check: &mut Check, text: Option<&str>, step: i64) -> i64 {
    let offset = check.time("window.offset", text, 0);
    if offset >= step {
        check.wrong("window.offset", "must be shorter than what it moves");
    }
    offset
}
