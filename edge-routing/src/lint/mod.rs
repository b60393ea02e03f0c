//! What is odd about a set of routes that compiles.

mod conditions;
mod loops;
mod pairs;
mod set;
mod witness;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::fields::{Fields as _, Sample};
use crate::route::CompileOptions;
use crate::router::Router;

/// One thing that is odd about a set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about.
    pub lint: Lint,
    /// What is odd, in one sentence.
    pub message: String,
    /// The routes concerned.
    pub routes: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// Messages that show it, confirmed by evaluation: one, or one for each step of a loop.
    pub witnesses: Vec<Sample>,
}

/// The kinds of findings; their codes never change meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Lint {
    /// A condition that no message fulfils.
    NeverTrue,
    /// A condition that every message fulfils.
    AlwaysTrue,
    /// Two routes to one endpoint that match a message both: one of them decides.
    Overlap,
    /// A route whose messages all reach its endpoint by another route of no lower priority.
    Redundant,
    /// Two routes that say the same.
    Duplicate,
    /// A property compared by order as text, though numbers seem to be meant.
    TextOrder,
    /// An endpoint that no module provides.
    UnknownModule,
    /// Messages that come back to the module that sent them.
    Loop,
    /// A set so large that not all of it was looked at.
    Incomplete,
}

impl Lint {
    /// The stable code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeverTrue => "L001",
            Self::AlwaysTrue => "L002",
            Self::Overlap => "L003",
            Self::Redundant => "L004",
            Self::Duplicate => "L005",
            Self::TextOrder => "L006",
            Self::UnknownModule => "L007",
            Self::Loop => "L008",
            Self::Incomplete => "L009",
        }
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Finding {
    fn new(lint: Lint, routes: &[&str], message: impl Into<String>) -> Self {
        let routes = routes.iter().map(|&name| name.into()).collect();
        Self { lint, message: message.into(), routes, help: None, witnesses: Vec::new() }
    }

    fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn with_witness(mut self, witness: Sample) -> Self {
        self.witnesses.push(witness);
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "lint[{}]: {}", self.lint, self.message)?;
        if !self.routes.is_empty() {
            writeln!(f, "  --> {}", self.routes.join(", "))?;
        }
        for witness in &self.witnesses {
            write!(f, "   = message: from {}", witness.source())?;
            for (name, value) in witness.properties() {
                write!(
                    f,
                    ", {name} = {}",
                    value.map_or_else(|| "no value".into(), |text| alloc::format!("'{text}'"))
                )?;
            }
            let shown = |name: &str| !matches!(name, "contentType" | "contentEncoding");
            for (name, value) in witness.system_properties().filter(|(name, _)| shown(name)) {
                write!(f, ", ${name} = '{}'", value.unwrap_or(""))?;
            }
            match core::str::from_utf8(witness.body()) {
                Ok("") | Err(_) => writeln!(f)?,
                Ok(body) => writeln!(f, ", body {body}")?,
            }
        }
        match &self.help {
            Some(help) => writeln!(f, "   = help: {help}"),
            None => Ok(()),
        }
    }
}

impl Router {
    /// Looks for what is odd about the set as a whole; the traps in single routes are among the warnings of
    /// [`Router::compile`]. Every finding that claims that something can happen shows a message with which it does.
    ///
    /// # Contract
    /// A finding is right; what is not found may still be there. The work is limited: where a set is so large that
    /// pairs of routes or ways through modules were not looked at, a finding [`Lint::Incomplete`] says so.
    ///
    /// # Examples
    /// ```
    /// use edge_routing::{CompileOptions, Lint, RouteSpec, Router};
    /// let text = "FROM /messages/* WHERE as_number(t) > 5 AND as_number(t) < 3 INTO $upstream";
    /// let options = CompileOptions::new();
    /// let router = Router::compile(&[RouteSpec::new("r", text)], &options)?.router;
    /// assert_eq!(router.lint(&options)[0].lint, Lint::NeverTrue);
    /// # Ok::<(), edge_routing::Diagnostics>(())
    /// ```
    #[must_use]
    pub fn lint(&self, options: &CompileOptions) -> Vec<Finding> {
        let set = set::Set::new(self);
        let mut found = Vec::new();
        conditions::look(&set, &mut found);
        set.renew();
        pairs::look(&set, &mut found);
        set.renew();
        loops::look(&set, options, &mut found);
        if set.gave_up() {
            let message =
                "the set is so large that not all of it was looked at: there may be more overlaps and loops";
            let help = "look at a part of the routes at a time";
            found.push(Finding::new(Lint::Incomplete, &[], message).with_help(help));
        }
        found
    }
}

#[cfg(test)]
mod tests;
