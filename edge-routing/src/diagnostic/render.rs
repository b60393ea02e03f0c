//! Diagnostics as text: the line, and a caret under the place.

use alloc::boxed::Box;
use core::fmt;

use super::Diagnostic;
use crate::span::{Location, Span};

/// Characters of a line that are shown; a longer line is cut around the place.
const WIDTH: usize = 160;

/// The line of `text` in which `span` begins.
fn line_of(text: &str, span: Span) -> &str {
    let start = span.start().min(text.len());
    let before = text.get(..start).unwrap_or(text);
    let from = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(from..).and_then(|rest| rest.split('\n').next()).unwrap_or("");
    line.strip_suffix('\r').unwrap_or(line)
}

/// What is shown of the line in which `span` begins.
pub(super) fn shown(text: &str, span: Span, place: Location) -> Box<str> {
    line_of(text, span).chars().skip(left_out(place)).take(WIDTH).map(visible).collect()
}

/// Characters of the line before those that are shown.
const fn left_out(place: Location) -> usize {
    (place.column as usize - 1).saturating_sub(WIDTH / 2)
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}[{}]: {}", self.severity, self.code, self.message)?;
        match (&self.route, &self.place) {
            (Some(route), Some((place, _))) => {
                writeln!(f, "  --> route '{route}', {}:{}", place.line, place.column)?;
            }
            (Some(route), None) => writeln!(f, "  --> route '{route}'")?,
            (None, Some((place, _))) => writeln!(f, "  --> {}:{}", place.line, place.column)?,
            (None, None) => {}
        }
        if let Some((place, shown)) = &self.place {
            let indent = place.column as usize - 1 - left_out(*place);
            let carets = (place.end_column.saturating_sub(place.column) as usize)
                .min(shown.chars().count().saturating_sub(indent))
                .max(1);
            writeln!(f, "   |\n   | {shown}")?;
            writeln!(f, "   | {:indent$}{:^<carets$}", "", "")?;
        }
        match &self.help {
            Some(help) => writeln!(f, "   = help: {help}"),
            None => Ok(()),
        }
    }
}

/// Control characters would move the caret.
fn visible(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}
