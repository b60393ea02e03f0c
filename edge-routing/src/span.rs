//! Places in a text: byte ranges, and the lines and columns people read.

/// A range of bytes in the text that was parsed; `end` is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// A span from byte `start` up to, not including, byte `end`.
    ///
    /// # Examples
    /// ```
    /// use edge_routing::Span;
    /// assert_eq!(Span::new(2, 5).slice("hello"), "llo");
    /// ```
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start: clamp(start), end: clamp(if end < start { start } else { end }) }
    }

    /// The first byte.
    #[must_use]
    pub const fn start(self) -> usize {
        self.start as usize
    }

    /// The byte after the last one.
    #[must_use]
    pub const fn end(self) -> usize {
        self.end as usize
    }

    /// The smallest span that holds both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The part of `text` this span names, or an empty text when it names none.
    #[must_use]
    pub fn slice(self, text: &str) -> &str {
        text.get(self.start()..self.end()).unwrap_or("")
    }
}

/// Texts are refused above a length far below this, so nothing is lost here.
const fn clamp(offset: usize) -> u32 {
    if offset > u32::MAX as usize { u32::MAX } else { offset as u32 }
}

/// Where a span lies, as people count: lines and columns from 1, the end exclusive.
///
/// # Source
/// The original's error positions: an end of input is two columns wide, a span over several lines ends on its
/// first. Columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Location {
    /// Line of the first character, from 1.
    pub line: u32,
    /// Column of the first character, from 1.
    pub column: u32,
    /// Line of the end, from 1.
    pub end_line: u32,
    /// Column after the last character, from 1.
    pub end_column: u32,
}

impl Location {
    /// Finds the lines and columns of `span` in `text`.
    ///
    /// # Examples
    /// ```
    /// use edge_routing::{Location, Span};
    /// let place = Location::of("a = 'x'\nAND b", Span::new(12, 13));
    /// assert_eq!((place.line, place.column, place.end_column), (2, 5, 6));
    /// ```
    #[must_use]
    pub fn of(text: &str, span: Span) -> Self {
        let start = span.start().min(text.len());
        let before = text.get(..start).unwrap_or(text);
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = text.get(line_start..).unwrap_or("");
        let line_text = rest.split(['\n']).next().unwrap_or("");
        let line_text = line_text.strip_suffix('\r').unwrap_or(line_text);
        let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
        let length = if span.start() >= text.len() { 5 } else { span.slice(text).chars().count() };
        let end_column = (column + length).min(line_text.chars().count() + 2).max(column);
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            line: narrow(line),
            column: narrow(column),
            end_line: narrow(line),
            end_column: narrow(end_column),
        }
    }
}

impl core::fmt::Display for Location {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}:{}-{}:{}", self.line, self.column, self.end_line, self.end_column)
    }
}
