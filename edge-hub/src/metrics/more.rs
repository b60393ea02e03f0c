//! Metrics of what stands beside the hub.

use std::fmt;

type Source = Box<dyn Fn() -> String + Send + Sync>;

/// What else is asked when metrics are written.
#[derive(Default)]
pub(crate) struct More(Vec<Source>);

impl More {
    pub(crate) fn add(&mut self, source: impl Fn() -> String + Send + Sync + 'static) {
        self.0.push(Box::new(source));
    }

    /// Returns what all of them say.
    pub(crate) fn text(&self) -> String {
        self.0.iter().map(|source| source()).collect()
    }
}

impl fmt::Debug for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "More({})", self.0.len())
    }
}
