//! From a message to an event: its key, its time and its values.

use edge_core::fields::{BodyError, FieldValue, FieldValues, Scalar};
use edge_core::{Message, Timestamp};

use crate::config::{Definition, Key, Time};
use crate::hash::fnv;

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 256;

/// Times from 1970 to about the year 144,000.
pub(crate) const MAX_TIME: i64 = 1 << 52;

/// What a window needs of a message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) key: Box<str>,
    /// In milliseconds since 1970.
    pub(crate) time: i64,
    /// One for each field; what is not there is not a number.
    pub(crate) values: Vec<f64>,
    /// Stands for the value of the field `distinct`.
    pub(crate) distinct: Option<u64>,
}

/// Why a message is no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The body could not be looked into.
    #[error("a field is in the body, which cannot be read")]
    Body(
        /// Why.
        #[source]
        BodyError,
    ),
    /// There is no key.
    #[error("the key is {found}, where a text, a number or a truth value of at most 256 bytes is wanted")]
    Key {
        /// What was found.
        found: &'static str,
    },
    /// There is no time.
    #[error("the time is {found}, where an RFC 3339 text or a number since 1970 is wanted")]
    Time {
        /// What was found.
        found: &'static str,
    },
    /// The time is further in the future than allowed.
    #[error("the time is {ahead_ms} ms ahead of the gateway's")]
    Ahead {
        /// By how much.
        ahead_ms: i64,
    },
    /// A value is no number.
    #[error("`{field}` is {found}, where a finite number is wanted")]
    Value {
        /// The field.
        field: String,
        /// What was found.
        found: &'static str,
    },
    /// No field has a value.
    #[error("none of the fields has a value: {fields}")]
    Empty {
        /// The fields.
        fields: String,
    },
}

impl Definition {
    /// Reads a message that the gateway took at `enqueued`, at the time `now`.
    pub(crate) fn read(
        &self,
        message: &Message,
        enqueued: Timestamp,
        now: Timestamp,
    ) -> Result<Event, EventError> {
        let found = self.set.read(message).map_err(EventError::Body)?;
        let mut values = Vec::with_capacity(self.fields.len());
        for (index, field) in self.fields.iter().enumerate() {
            values.push(match found.at(index).number() {
                Ok(number) if number.is_finite() => number + 0.0,
                Err(Scalar::Missing | Scalar::Null) => f64::NAN,
                other => {
                    let found = other.map_or_else(|scalar| scalar.kind(), |_| "infinite or not a number");
                    return Err(EventError::Value { field: field.to_string(), found });
                }
            });
        }
        if !values.is_empty() && values.iter().all(|value| value.is_nan()) {
            let fields: Vec<_> = self.fields.iter().map(ToString::to_string).collect();
            return Err(EventError::Empty { fields: fields.join(", ") });
        }
        let distinct = self.distinct.map(|place| match found.at(place) {
            FieldValue::Text(text) | FieldValue::Json(text) => text,
            _ => "",
        });
        let key = self.key(&found)?;
        let distinct =
            distinct.filter(|text| !text.is_empty()).map(|text| fnv([key.as_bytes(), text.as_bytes()]));
        Ok(Event { time: self.time(&found, enqueued, now)?, key, values, distinct })
    }

    fn key(&self, found: &FieldValues<'_>) -> Result<Box<str>, EventError> {
        let text = match self.key {
            Key::All => return Ok("*".into()),
            Key::Identity(device, module) => {
                let FieldValue::Text(device) = found.at(device) else {
                    return Err(EventError::Key { found: "missing" });
                };
                match found.at(module) {
                    FieldValue::Text(module) => format!("{device}/{module}"),
                    _ => device.to_owned(),
                }
            }
            Key::Field(place) => match found.at(place).scalar() {
                Scalar::Text(text) => text.into_owned(),
                Scalar::Number(number) => number.to_string(),
                Scalar::Bool(value) => value.to_string(),
                other => return Err(EventError::Key { found: other.kind() }),
            },
        };
        if text.len() > MAX_KEY_BYTES { Err(EventError::Key { found: "too long" }) } else { Ok(text.into()) }
    }

    fn time(&self, found: &FieldValues<'_>, enqueued: Timestamp, now: Timestamp) -> Result<i64, EventError> {
        let ms = match self.time {
            Time::Enqueued => i64::try_from(enqueued.as_unix_ms()).unwrap_or(i64::MAX),
            Time::Field(place, unit) => {
                let value = found.at(place);
                match (value.number(), value.scalar()) {
                    (Ok(number), _) if number >= 0.0 && number * unit < MAX_TIME as f64 => {
                        (number * unit) as i64
                    }
                    (Ok(_), _) => return Err(EventError::Time { found: "out of range" }),
                    (_, Scalar::Text(text)) => match text.parse::<Timestamp>() {
                        Ok(time) => i64::try_from(time.as_unix_ms()).unwrap_or(i64::MAX),
                        Err(_) => return Err(EventError::Time { found: "a text that is no time" }),
                    },
                    (_, other) => return Err(EventError::Time { found: other.kind() }),
                }
            }
        };
        let now = i64::try_from(now.as_unix_ms()).unwrap_or(MAX_TIME).min(MAX_TIME);
        if ms - now > self.max_ahead && self.time != Time::Enqueued {
            return Err(EventError::Ahead { ahead_ms: ms - now });
        }
        if ms > MAX_TIME { Err(EventError::Time { found: "out of range" }) } else { Ok(ms) }
    }
}
