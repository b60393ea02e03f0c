//! What comes out of a window.

use std::fmt::Write as _;
use std::sync::Arc;

use edge_core::Timestamp;

use crate::config::Definition;
use crate::hash::fnv;
use crate::stats::Function;
use crate::window::Closed;

/// Why a window closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClosedBy {
    /// Event time passed its end.
    Time,
    /// Its key was silent for too long.
    Silence,
    /// A limit was reached; later events of the window are in another result.
    Limit,
}

impl ClosedBy {
    /// Returns the word that stands in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Silence => "silence",
            Self::Limit => "limit",
        }
    }
}

/// The result of one window of one key.
///
/// As a message its body is
/// `{"window":"vibration","key":"press-7","start":"2026-01-01T00:00:00.000Z","end":"2026-01-01T00:00:10.000Z",
/// "events":10,"closed_by":"time","values":{"mean":21.5,"p99":null}}`; a value that there is none of is `null`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WindowResult {
    /// The name of the windows.
    pub window: Arc<str>,
    /// The key.
    pub key: Box<str>,
    /// When the window began.
    pub start: Timestamp,
    /// When it ended; an event of that time is not in it.
    pub end: Timestamp,
    /// How many events are in it.
    pub events: u64,
    /// Why it closed.
    pub closed_by: ClosedBy,
    /// The values that were asked for, by name; `None` where there is none.
    pub values: Vec<(Arc<str>, Option<f64>)>,
    /// Names of values that are missing because more values came than are kept.
    pub limited: Vec<Arc<str>>,
    /// The same for the same result, also when it is sent again after a crash; different for different ones.
    pub id: String,
}

impl WindowResult {
    pub(crate) fn of(
        definition: &Definition,
        key: &str,
        closed: &Closed<'_>,
        by: ClosedBy,
        number: u64,
    ) -> Self {
        let mut values = Vec::with_capacity(definition.values.len());
        let mut limited = Vec::new();
        for (name, function, field) in &definition.values {
            let stats = field.and_then(|field| closed.group.fields.get(field));
            let value = match (stats, function) {
                (Some(stats), function) => {
                    if stats.lost > 0 && matches!(function, Function::Percentile(_)) {
                        limited.push(name.clone());
                    }
                    function.of(stats)
                }
                (None, _) => Some(closed.group.events as f64),
            };
            values.push((name.clone(), value));
        }
        let name = definition.name();
        let times = [closed.start.to_le_bytes(), closed.end.to_le_bytes()];
        let hash = fnv([name.as_bytes(), key.as_bytes(), &times[0], &times[1]]);
        Self {
            window: name.into(),
            key: key.into(),
            start: stamp(closed.start),
            end: stamp(closed.end),
            events: closed.group.events,
            closed_by: by,
            values,
            limited,
            id: format!("w-{hash:016x}-{number}"),
        }
    }

    /// Returns the result as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(192);
        let text = |text: &str| serde_json::Value::from(text).to_string();
        // Writing to a string does not fail.
        let _ = write!(
            out,
            "{{\"window\":{},\"key\":{},\"start\":\"{}\",\"end\":\"{}\",\"events\":{},\"closed_by\":\"{}\",\"values\":{{",
            text(&self.window),
            text(&self.key),
            self.start,
            self.end,
            self.events,
            self.closed_by.name()
        );
        for (index, (name, value)) in self.values.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = match value {
                Some(value) if value.fract() == 0.0 && value.abs() < 9e15 => {
                    write!(out, "{comma}{}:{value:.0}", text(name))
                }
                Some(value) => write!(out, "{comma}{}:{}", text(name), serde_json::Value::from(*value)),
                None => write!(out, "{comma}{}:null", text(name)),
            };
        }
        out.push('}');
        if !self.limited.is_empty() {
            let names: Vec<_> = self.limited.iter().map(|name| text(name)).collect();
            let _ = write!(out, ",\"limited\":[{}]", names.join(","));
        }
        out.push('}');
        out
    }
}

/// Returns a time; windows that begin before 1970 are said to begin there.
fn stamp(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(u64::try_from(ms).unwrap_or_default())
}
