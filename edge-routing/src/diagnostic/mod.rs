//! What is wrong with a text, where, and what to write instead.

mod code;
mod render;
mod suggest;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use code::{Code, Severity};
pub(crate) use suggest::closest;

use crate::limits::MAX_DIAGNOSTICS;
use crate::span::{Location, Span};

/// One error or warning about a text.
///
/// # Examples
/// ```
/// use edge_routing::Condition;
/// let errors = Condition::compile("as_numbr(temp) > 30").unwrap_err();
/// let error = errors.iter().next().unwrap();
/// assert_eq!(error.code().as_str(), "R007");
/// assert_eq!(error.message(), "Invalid built-in function 'as_numbr'");
/// assert_eq!(error.help(), Some("did you mean 'as_number'?"));
/// assert_eq!(error.location().unwrap().column, 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    code: Code,
    severity: Severity,
    message: Box<str>,
    help: Option<Box<str>>,
    route: Option<Box<str>>,
    span: Option<Span>,
    /// The place, and what is shown of its line.
    place: Option<(Location, Box<str>)>,
}

impl Diagnostic {
    /// A diagnostic about `span` of a text that is not yet attached.
    pub(crate) fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { span: Some(span), ..Self::general(code, message) }
    }

    /// A diagnostic about no particular place.
    pub(crate) fn general(code: Code, message: impl Into<String>) -> Self {
        let message = message.into().into_boxed_str();
        Self { code, severity: code.severity(), message, help: None, route: None, span: None, place: None }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into().into_boxed_str());
        self
    }

    pub(crate) fn with_route(mut self, name: &str) -> Self {
        self.route = Some(name.into());
        self
    }

    /// Attaches the text, which gives the place its line, column and offending line.
    pub(crate) fn in_text(mut self, text: &str) -> Self {
        if let Some(span) = self.span {
            let place = Location::of(text, span);
            self.place = Some((place, render::shown(text, span, place)));
        }
        self
    }

    /// The same diagnostic with its place in another text, such as the file that holds the text of the route.
    ///
    /// # Examples
    /// ```
    /// use edge_routing::{Condition, Span};
    /// let errors = Condition::compile("a = 3").unwrap_err();
    /// let error = errors.into_iter().next().unwrap();
    /// assert_eq!(error.span(), Some(Span::new(2, 3)));
    ///
    /// let file = "[conditions]\nr = 'a = 3'";
    /// let place = error.placed(file, Span::new(20, 21)).location().unwrap();
    /// assert_eq!((place.line, place.column), (2, 8));
    /// ```
    #[must_use]
    pub fn placed(mut self, text: &str, span: Span) -> Self {
        self.span = Some(span);
        self.in_text(text)
    }

    pub(crate) const fn harden(&mut self) {
        self.severity = Severity::Error;
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Whether the text is refused because of this. Strict compilation makes every warning an error.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong, in one clause. Errors of the language have the words that the original reports.
    #[must_use]
    pub const fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The name of the route, where the text is one of a set.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.route.as_deref()
    }

    /// The bytes of the text that this is about.
    #[must_use]
    pub const fn span(&self) -> Option<Span> {
        self.span
    }

    /// The same place in lines and columns.
    #[must_use]
    pub fn location(&self) -> Option<Location> {
        self.place.as_ref().map(|(location, _)| *location)
    }
}

/// The diagnostics of one text, of which so many are kept as anyone reads; errors come first in `found`.
pub(crate) fn limited(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let Some(left_out) = found.len().checked_sub(MAX_DIAGNOSTICS).filter(|&count| count > 0) else {
        return found;
    };
    let span = found.get(MAX_DIAGNOSTICS).and_then(Diagnostic::span);
    found.truncate(MAX_DIAGNOSTICS);
    let message =
        alloc::format!("{left_out} more diagnostics of this text are left out, the first of them here");
    found.push(Diagnostic { span, ..Diagnostic::general(Code::MoreDiagnostics, message) });
    found
}

/// A list of diagnostics: what makes compiling fail, or what it warns of.
///
/// `Display` prints every one with the offending line and a caret.
///
/// # Examples
/// ```
/// use edge_routing::Condition;
/// let errors = Condition::compile("temperature > 30").unwrap_err();
/// assert_eq!(errors.to_string(), "\
/// error[R009]: Invalid operands to binary operator '>': have 'string' and 'number', expected 'string' and 'string'
///   --> 1:13
///    |
///    | temperature > 30
///    |             ^
///    = help: properties are text: write as_number(temperature) > 30
/// ");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// The diagnostics, in the order of routes and of places.
    pub fn iter(&self) -> core::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether one of them is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Makes every warning an error.
    pub fn harden(&mut self) {
        self.list.iter_mut().for_each(Diagnostic::harden);
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(iter: I) -> Self {
        Self { list: iter.into_iter().collect() }
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = alloc::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = core::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list.iter().try_for_each(|diagnostic| diagnostic.fmt(f))
    }
}

impl core::error::Error for Diagnostics {}
