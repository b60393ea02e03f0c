//! Where a message comes from: the path that a route's `FROM` is matched against.

use std::fmt;
use std::sync::Arc;

use crate::{ModuleId, PortName};

/// The source of a message, as routes see it.
///
/// # Examples
/// ```
/// use edge_core::Source;
///
/// let source = Source::output(&"filter".parse()?, &"hot".parse()?);
/// assert_eq!(source.as_str(), "/messages/modules/filter/outputs/hot/");
/// # Ok::<(), edge_core::IdError>(())
/// ```
///
/// # Source
/// Azure IoT Edge, "Declare routes", source; the paths as its hub makes them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Source(Arc<str>);

impl Source {
    /// Returns the source of a device's telemetry, `/messages/`.
    #[must_use]
    pub fn telemetry() -> Self {
        Self(Arc::from("/messages/"))
    }

    /// Returns the source of a module's messages without an output, `/messages/modules/<module>/`.
    #[must_use]
    pub fn module(module: &ModuleId) -> Self {
        Self(Arc::from(format!("/messages/modules/{module}/")))
    }

    /// Returns the source of a module's output, `/messages/modules/<module>/outputs/<output>/`.
    #[must_use]
    pub fn output(module: &ModuleId, output: &PortName) -> Self {
        Self(Arc::from(format!("/messages/modules/{module}/outputs/{output}/")))
    }

    /// Returns the source of reported-property changes, `/twinChangeNotifications/`.
    #[must_use]
    pub fn twin_changes() -> Self {
        Self(Arc::from("/twinChangeNotifications/"))
    }

    /// Returns the path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
