//! The engines, by name.

use std::fmt;
use std::str::FromStr;

/// What runs a model.
///
/// Every engine has a name in every build, so that a configuration that names one can be read; whether it was built in
/// is [`Engine::is_built_in`].
///
/// # Examples
/// ```
/// use edge_ml::Engine;
///
/// let engine: Engine = "onnxruntime".parse()?;
/// assert_eq!(engine, Engine::OnnxRuntime);
/// assert_eq!("cuda".parse::<Engine>().unwrap_err().to_string(), "\"cuda\" is none of tables, tract, onnxruntime");
/// # Ok::<(), edge_ml::EngineNameError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// The evaluator of tables in this crate.
    Tables,
    /// `tract`, in pure Rust; behind the feature `tract`.
    Tract,
    /// ONNX Runtime, from a library that the user supplies; behind the feature `ort`.
    OnnxRuntime,
}

impl Engine {
    /// All engines.
    pub const ALL: [Self; 3] = [Self::Tables, Self::Tract, Self::OnnxRuntime];

    /// Returns the name, as a configuration has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tables => "tables",
            Self::Tract => "tract",
            Self::OnnxRuntime => "onnxruntime",
        }
    }

    /// Returns whether this build has the engine.
    #[must_use]
    pub const fn is_built_in(self) -> bool {
        match self {
            Self::Tables => true,
            Self::Tract => cfg!(feature = "tract"),
            Self::OnnxRuntime => cfg!(feature = "ort"),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no engine of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is none of tables, tract, onnxruntime")]
#[non_exhaustive]
pub struct EngineNameError {
    /// The name.
    pub name: String,
}

impl FromStr for Engine {
    type Err = EngineNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|engine| engine.name() == name);
        found.ok_or_else(|| EngineNameError { name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_again() {
        for engine in Engine::ALL {
            assert_eq!(engine.to_string().parse(), Ok(engine));
        }
        assert!(Engine::Tables.is_built_in());
    }
}
