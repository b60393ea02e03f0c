//! Names of models and of their versions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// It is empty, or longer than 64 bytes.
    #[error("a name has 1 to 64 characters, not {length}")]
    Length {
        /// How many bytes it has.
        length: usize,
    },
    /// It has a character that names do not have.
    #[error(
        "a name has letters, digits, '-', '_', '.' and '+' only, and begins with a letter or digit, not {found:?}"
    )]
    Character {
        /// The character.
        found: char,
    },
}

fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() || text.len() > 64 {
        return Err(NameError::Length { length: text.len() });
    }
    let good = |(place, c): &(usize, char)| {
        c.is_ascii_alphanumeric() || (*place > 0 && matches!(c, '-' | '_' | '.' | '+'))
    };
    match text.char_indices().find(|at| !good(at)) {
        Some((_, found)) => Err(NameError::Character { found }),
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name! {
    /// The name of a model: also that of its folder in the registry.
    ///
    /// # Examples
    /// ```
    /// use edge_ml::registry::ModelName;
    ///
    /// let name: ModelName = "anomaly".parse()?;
    /// assert_eq!(name.as_str(), "anomaly");
    /// assert!("../anomaly".parse::<ModelName>().is_err());
    /// # Ok::<(), edge_ml::registry::NameError>(())
    /// ```
    ModelName
}

name! {
    /// What a version of a model is called; versions have no order.
    VersionName
}
