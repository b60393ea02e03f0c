//! Values that do not fit a type.

use crate::Value;

/// Why a property does not fit its field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is {found}, which is not {expected}")]
#[non_exhaustive]
pub struct TypedError {
    /// The keys that lead to the property, separated by points.
    pub path: String,
    /// What was found, at most 40 characters of it.
    pub found: String,
    /// What is expected.
    pub expected: String,
}

impl TypedError {
    /// Returns the error for a value of another type.
    #[must_use]
    pub fn expected(expected: &str, found: &Value) -> Self {
        let found = match found {
            Value::Object(_) => "an object".to_owned(),
            Value::Array(_) => "an array".to_owned(),
            other => other.to_string().chars().take(40).collect(),
        };
        Self { path: String::new(), found, expected: expected.to_owned() }
    }

    /// Returns the error for a value outside its range.
    #[must_use]
    pub fn out_of_range(range: &str, found: &str) -> Self {
        let found = found.chars().take(40).collect();
        Self { path: String::new(), found, expected: format!("in {range}") }
    }

    /// Puts a key in front of the path.
    #[must_use]
    pub fn within(mut self, key: &str) -> Self {
        let separator = if self.path.is_empty() { "" } else { "." };
        self.path = format!("{key}{separator}{}", self.path);
        self
    }
}
