//! `$body` paths: what the original accepts, and what it then finds.
//!
//! # Source
//! Route language §6. The original checks a path with one grammar, which does not look behind a complete path, and
//! reads it at run time with another, which fails on what the first let through; such a path is [`Path::Never`].

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::lexer::is_name_char;
use crate::span::Span;

/// How a path is followed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Path {
    /// Member by member.
    Plain(Vec<Segment>),
    /// The reader fails on it: always undefined.
    Never,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    Name(Box<str>),
    Index(u32),
    /// `*`: every member or item.
    All,
}

impl Path {
    /// Whether a step can lead to several values.
    pub(crate) fn has_wildcard(&self) -> bool {
        matches!(self, Self::Plain(segments) if segments.contains(&Segment::All))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Name,
    Int,
    Dot,
    Open,
    Close,
    Eof,
}

/// Checks `text` as the original's compiler does; the error is the place of the token that does not fit.
pub(crate) fn check_path(text: &str) -> Result<(), Span> {
    let mut at = 0;
    loop {
        let (kind, span) = token(text, at);
        if kind != Kind::Name {
            return Err(span);
        }
        at = span.end();
        if token(text, at).0 == Kind::Open {
            let (kind, span) = token(text, token(text, at).1.end());
            if kind != Kind::Int {
                return Err(span);
            }
            let (kind, span) = token(text, span.end());
            if kind != Kind::Close {
                return Err(span);
            }
            at = span.end();
        }
        let (kind, span) = token(text, at);
        if kind != Kind::Dot {
            return Ok(());
        }
        at = span.end();
    }
}

/// The token at byte `at`; blanks never reach a path.
fn token(text: &str, at: usize) -> (Kind, Span) {
    let rest = text.get(at..).unwrap_or("");
    let kind = match rest.chars().next() {
        None => return (Kind::Eof, Span::new(at, at)),
        Some('.') => Kind::Dot,
        Some('[') => Kind::Open,
        Some(']') => Kind::Close,
        Some(_) => {
            let length = rest.find(|c| c == '.' || !is_name_char(c)).unwrap_or(rest.len()).max(1);
            let word = rest.get(..length).unwrap_or("");
            let kind = if word.bytes().all(|b| b.is_ascii_digit()) { Kind::Int } else { Kind::Name };
            return (kind, Span::new(at, at + length));
        }
    };
    (kind, Span::new(at, at + 1))
}

/// Reads a path as the original's JSON reader does.
pub(crate) fn read_path(text: &str) -> Path {
    segments(text).map_or(Path::Never, Path::Plain)
}

fn segments(text: &str) -> Option<Vec<Segment>> {
    let mut found = Vec::new();
    let mut rest = if text.starts_with("$.") || text.starts_with("$[") { text.get(1..)? } else { text };
    let mut behind_index = false;
    let mut behind_dot = false;
    while let Some(c) = rest.chars().next() {
        match c {
            '[' => {
                let (inner, tail) = rest.get(1..)?.split_once(']')?;
                found.push(index(inner)?);
                rest = tail;
                (behind_index, behind_dot) = (true, false);
            }
            '.' => {
                rest = rest.get(1..)?;
                if rest.starts_with('.') {
                    return None;
                }
                (behind_index, behind_dot) = (false, true);
            }
            ']' => return None,
            _ if behind_index => return None,
            _ => {
                let length = rest.find(['.', '[', ']']).unwrap_or(rest.len());
                let name = rest.get(..length)?;
                found.push(if name == "*" { Segment::All } else { Segment::Name(name.into()) });
                rest = rest.get(length..)?;
                behind_dot = false;
            }
        }
    }
    (!behind_dot && !found.is_empty()).then_some(found)
}

fn index(inner: &str) -> Option<Segment> {
    if inner == "*" {
        return Some(Segment::All);
    }
    if let Some(name) = inner.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Some(Segment::Name(name.into()));
    }
    let digits = inner.bytes().all(|b| b.is_ascii_digit());
    let index = inner.parse::<i32>().ok().filter(|_| digits)?;
    u32::try_from(index).ok().map(Segment::Index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_compiler_accepts() {
        for path in ["a", "a.b", "a[0]", "a[0][1]", "a[0].b", "a-b.c", "*", "a[0]x", "0a"] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
        for (path, at) in [
            ("", 0),
            (".a", 0),
            ("a.", 2),
            ("a..b", 2),
            ("a.1", 2),
            ("1", 0),
            ("a[]", 2),
            ("a[-1]", 2),
            ("a[*]", 2),
            ("a['x']", 2),
            ("a[0", 3),
        ] {
            assert_eq!(check_path(path).map_err(Span::start), Err(at), "{path}");
        }
    }

    #[test]
    fn what_the_reader_makes_of_it() {
        let name = |name: &str| Segment::Name(name.into());
        assert_eq!(read_path("a.b"), Path::Plain(alloc::vec![name("a"), name("b")]));
        assert_eq!(
            read_path("a[0][1].b"),
            Path::Plain(alloc::vec![name("a"), Segment::Index(0), Segment::Index(1), name("b")])
        );
        assert_eq!(read_path("a[0]x"), Path::Never);
        assert_eq!(read_path("a[99999999999]"), Path::Never);
        assert!(read_path("a.*").has_wildcard());
    }
}
