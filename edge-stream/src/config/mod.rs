//! Windows as they are declared, and checked.

mod aggregate;
mod check;
mod duration;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use check::{Definition, OnError, OnLate};
pub(crate) use check::{Key, Time};

/// Windows over a stream of messages, as a configuration declares them.
///
/// | key | what it says | left out |
/// |---|---|---|
/// | `name` | the name that routes know: `/modules/<name>/inputs/…` in, `/messages/modules/<name>/outputs/<output>` out | needed |
/// | `window` | when windows begin and end, see [`ShapeSpec`] | needed |
/// | `values` | what is computed: a name and a function each, see [`Function`](crate::Function) | needed |
/// | `key` | the field by which messages are told apart; `"*"` for all as one | the device, or device and module |
/// | `time` | the field with the time of the event: RFC 3339, or a number in `time_unit` | when the gateway took it |
/// | `time_unit` | `s`, `ms` or `us` since 1970 | `ms` |
/// | `lateness` | how far behind the latest of its key an event may be | `0s` |
/// | `idle` | after which silence of a key its windows close; `never` | `1m` |
/// | `max_ahead` | how far an event's time may be ahead of the gateway's | `1h` |
/// | `distinct` | a field that tells repeated messages apart: one whose value was seen before is left out | all count |
/// | `output` | the output that results leave by | `results` |
/// | `late` | what happens to late events: `drop` (counted), or `send` by the output `late` | `drop` |
/// | `on_error` | to messages that cannot be read: `drop` (counted), `dead-letter`, or `send` by the output `errors` | `drop` |
/// | `limits` | see [`LimitsSpec`] | |
///
/// # Examples
/// ```
/// use edge_stream::WindowSpec;
///
/// let spec: WindowSpec = serde_json::from_str(r#"{
///     "name": "vibration",
///     "window": { "type": "hopping", "size": "1m", "hop": "10s" },
///     "time": "$body.time",
///     "lateness": "5s",
///     "values": { "mean": "avg($body.rms)", "p99": "percentile($body.rms, 99)" }
/// }"#)?;
/// let windows = spec.check()?;
/// assert_eq!(windows.name(), "vibration");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the table above says what each is")]
pub struct WindowSpec {
    pub name: String,
    pub window: ShapeSpec,
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    #[serde(default)]
    pub key: Option<String>,
    #[serde(default)]
    pub time: Option<String>,
    #[serde(default)]
    pub time_unit: Option<String>,
    #[serde(default)]
    pub lateness: Option<String>,
    #[serde(default)]
    pub idle: Option<String>,
    #[serde(default)]
    pub max_ahead: Option<String>,
    #[serde(default)]
    pub distinct: Option<String>,
    #[serde(default)]
    pub output: Option<String>,
    #[serde(default)]
    pub late: Option<String>,
    #[serde(default)]
    pub on_error: Option<String>,
    #[serde(default)]
    pub limits: LimitsSpec,
}

/// When windows begin and end.
///
/// | `type` | keys | a window |
/// |---|---|---|
/// | `tumbling` | `size`, `offset` | begins where the one before ends |
/// | `hopping` | `size`, `hop`, `offset` | begins each `hop`, which is not longer than `size` |
/// | `sliding` | `size` | ends with an event: one for each time at which an event came |
/// | `session` | `gap`, `max` | goes on while events come less than `gap` apart; none crosses a multiple of `max` (`1d`) |
///
/// Windows hold their start and not their end, and begin at multiples of `size` or `hop` since 1970 in UTC, moved by
/// `offset`. Only windows with an event in them have a result, and they have one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the table above says what each is")]
pub struct ShapeSpec {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub size: Option<String>,
    #[serde(default)]
    pub hop: Option<String>,
    #[serde(default)]
    pub offset: Option<String>,
    #[serde(default)]
    pub gap: Option<String>,
    #[serde(default)]
    pub max: Option<String>,
}

/// How much may be held in memory.
///
/// What is held is at most `max_keys` × the windows that a key can have open at a time ((size + lateness) ÷ hop + 1) ×
/// the fields × 64 bytes to 2 KiB (the more, the further apart the exponents of the values are), 16 bytes for each
/// value kept for percentiles and sliding windows, and 16 bytes for each of the last 16,384 messages of each route.
///
/// | key | what it bounds | left out |
/// |---|---|---|
/// | `max_keys` | keys with open windows, and once more keys whose last time is remembered; the windows of the one that was silent longest close early, which is counted and said in their results | 10000 |
/// | `max_values` | values kept of one window (percentiles), events of one key (sliding); with more, percentiles are left out, or the oldest events leave early, and the result says so | 65536 |
/// | `max_total_values` | values kept of all keys; beyond it, windows close early as for `max_keys` | 1000000 |
/// | `max_distinct` | values of the field `distinct` that are remembered | 65536 |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the table above says what each is")]
pub struct LimitsSpec {
    #[serde(default)]
    pub max_keys: Option<usize>,
    #[serde(default)]
    pub max_values: Option<usize>,
    #[serde(default)]
    pub max_total_values: Option<usize>,
    #[serde(default)]
    pub max_distinct: Option<usize>,
}

/// One thing that is wrong with a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mistake {
    /// Which key, for instance `values.mean`.
    pub key: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// All that is wrong with a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub(crate) Vec<Mistake>);

impl Mistakes {
    /// Returns the mistakes.
    pub fn iter(&self) -> std::slice::Iter<'_, Mistake> {
        self.0.iter()
    }
}

impl<'m> IntoIterator for &'m Mistakes {
    type Item = &'m Mistake;
    type IntoIter = std::slice::Iter<'m, Mistake>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Mistake { key, message }) in self.0.iter().enumerate() {
            write!(f, "{}{key}: {message}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
