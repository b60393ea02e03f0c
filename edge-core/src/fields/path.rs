//! Names of fields.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::SystemKey;

/// The most steps that a path into a body may have.
const MAX_STEPS: usize = 64;

/// The most bytes of a field's text.
const MAX_BYTES: usize = 1024;

/// A field of a message: a value in its JSON body, a system property, or an application property.
///
/// # Examples
/// ```
/// use edge_core::fields::Field;
///
/// let speed: Field = "$body.machine.axes[2]".parse()?;
/// assert_eq!(speed.to_string(), "$body.machine.axes[2]");
/// let error = "$conectionDeviceId".parse::<Field>().unwrap_err();
/// assert!(error.to_string().contains("no system property"));
/// # Ok::<(), edge_core::fields::FieldParseError>(())
/// ```
///
/// # Source
/// The names of the route language of Azure IoT Edge; names in brackets are our addition, as JSONPath (RFC 9535) has
/// them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Field(pub(super) Place);

/// Where a field stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Body(Vec<Step>),
    System(SystemKey),
    Property(Box<str>),
}

/// One step of a path into a body.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Name(Box<str>),
    Index(usize),
}

/// Why a text names no field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldParseError {
    /// The text is empty or far too long.
    #[error(
        "a field has from 1 to 1024 bytes: write `$body.path`, `$connectionDeviceId` or a property's name"
    )]
    Length,
    /// There is no system property of that name.
    #[error(
        "there is no system property `${name}`: write `$body.path` for a value in the body, `{name}` for an application property"
    )]
    System {
        /// The name, without `$`.
        name: String,
    },
    /// The path into the body is not one.
    #[error("`{text}` is no path at byte {at}: write it as `$body.machine.axes[2]` or `$body[\"odd name\"]`")]
    Path {
        /// The text.
        text: String,
        /// Where it stops being a path.
        at: usize,
    },
}

impl Field {
    /// Returns the system property `key` as a field.
    #[must_use]
    pub fn system(key: SystemKey) -> Self {
        Self(Place::System(key))
    }

    /// Returns the application property `name` as a field.
    #[must_use]
    pub fn property(name: &str) -> Self {
        Self(Place::Property(name.into()))
    }

    /// Returns whether the field is in the body.
    #[must_use]
    pub fn is_in_body(&self) -> bool {
        matches!(self.0, Place::Body(_))
    }
}

impl FromStr for Field {
    type Err = FieldParseError;

    fn from_str(text: &str) -> Result<Self, FieldParseError> {
        if text.is_empty() || text.len() > MAX_BYTES {
            return Err(FieldParseError::Length);
        }
        let Some(name) = text.strip_prefix('$') else { return Ok(Self::property(text)) };
        match name.strip_prefix("body") {
            Some(rest) if rest.is_empty() || rest.starts_with(['.', '[']) => match steps(rest) {
                Ok(steps) => Ok(Self(Place::Body(steps))),
                Err(left) => Err(FieldParseError::Path { text: text.into(), at: text.len() - left }),
            },
            _ => match SystemKey::from_name(name) {
                Some(key) => Ok(Self::system(key)),
                None => Err(FieldParseError::System { name: name.into() }),
            },
        }
    }
}

/// Reads `.name`, `[0]` and `["name"]`; the error is how many bytes are left where it is none of them.
fn steps(text: &str) -> Result<Vec<Step>, usize> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let left = rest.len();
        if steps.len() == MAX_STEPS {
            return Err(left);
        }
        let (step, after) = step(rest).ok_or(left)?;
        steps.push(step);
        rest = after;
    }
    Ok(steps)
}

fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(rest) = text.strip_prefix('.') {
        let end = rest.find(['.', '[', ']', '"']).unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(end)?;
        return (!name.is_empty()).then(|| (Step::Name(name.into()), after));
    }
    let rest = text.strip_prefix('[')?;
    if let Some(quoted) = rest.strip_prefix('"') {
        let (name, after) = quoted.split_once("\"]")?;
        return Some((Step::Name(name.into()), after));
    }
    let (digits, after) = rest.split_once(']')?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((Step::Index(plain.then(|| digits.parse().ok())??), after))
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::System(key) => write!(f, "${key}"),
            Place::Property(name) => f.write_str(name),
            Place::Body(steps) => {
                f.write_str("$body")?;
                steps.iter().try_for_each(|step| match step {
                    Step::Index(index) => write!(f, "[{index}]"),
                    Step::Name(name) if name.is_empty() || name.contains(['.', '[', ']', '"']) => {
                        write!(f, "[\"{name}\"]")
                    }
                    Step::Name(name) => write!(f, ".{name}"),
                })
            }
        }
    }
}

impl TryFrom<String> for Field {
    type Error = FieldParseError;

    fn try_from(text: String) -> Result<Self, FieldParseError> {
        text.parse()
    }
}

impl From<Field> for String {
    fn from(field: Field) -> Self {
        field.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str) {
        let field: Field = text.parse().unwrap();
        assert_eq!(field.to_string(), text);
        assert_eq!(field.to_string().parse(), Ok(field));
    }

    #[test]
    fn names_come_back_as_they_were() {
        for text in ["$body", "$body.a", "$body.a[0].b", "$body[\"a.b\"][7]", "$enqueuedTime", "line", "a.b"]
        {
            check(text);
        }
    }

    #[test]
    fn what_is_no_field_is_refused() {
        for text in [
            "",
            "$",
            "$bodyx",
            "$body.",
            "$body..a",
            "$body[",
            "$body[x]",
            "$body[\"a",
            "$body]",
            "$body[-1]",
        ] {
            assert!(text.parse::<Field>().is_err(), "{text}");
        }
        assert!(format!("$body{}", "[0]".repeat(65)).parse::<Field>().is_err());
    }
}
