//! Where in a file the text of a route stands: through quotes and escapes, to lines and columns.

use std::collections::HashMap;
use std::ops::Range;

use edge_routing::Span;

/// The strings of a file that may be texts of routes: by the name of the route the bytes of each, quotes included.
#[derive(Debug, Default)]
pub(crate) struct Places {
    strings: HashMap<String, Vec<Range<usize>>>,
}

impl Places {
    /// Adds the string at `range` as the text of `route`.
    pub(crate) fn add(&mut self, route: &str, range: Range<usize>) {
        self.strings.entry(route.to_owned()).or_default().push(range);
    }

    /// Finds the texts of routes in JSON: strings at `…routes.<name>` and `…routes.<name>.route`.
    pub(crate) fn of_json(file: &str) -> Self {
        let mut places = Self::default();
        each_string(file, &mut |path, range| {
            let is = |name: &str, known: &str| name.eq_ignore_ascii_case(known);
            match path {
                [.., routes, name] if is(routes, "routes") => places.add(name, range),
                [.., routes, name, text] if is(routes, "routes") && is(text, "route") => {
                    places.add(name, range);
                }
                _ => {}
            }
        });
        places
    }

    /// The bytes of `file` that `span` of the text of `route` comes from; without a span those of the whole string.
    pub(crate) fn find(&self, file: &str, route: &str, text: &str, span: Option<Span>) -> Option<Span> {
        // Of members of one name the last counts.
        self.strings.get(route)?.iter().rev().find_map(|range| {
            let raw = file.get(range.clone())?;
            let characters = characters(raw);
            let same = characters.iter().map(|(_, c)| *c).eq(text.chars());
            let Some(span) = span.filter(|_| same) else {
                return same.then(|| Span::new(range.start, range.end));
            };
            let mut at = 0;
            let mut starts = characters.iter().map(|(raw_at, c)| {
                at += c.len_utf8();
                (at - c.len_utf8(), range.start + raw_at)
            });
            let start = starts.by_ref().find(|(at, _)| *at >= span.start());
            let end = start
                .filter(|(at, _)| *at >= span.end())
                .or_else(|| starts.find(|(at, _)| *at >= span.end()));
            // Behind the last character stands the closing quote.
            let behind = range.end - quotes(raw);
            Some(Span::new(start.map_or(behind, |(_, raw)| raw), end.map_or(behind, |(_, raw)| raw)))
        })
    }
}

/// How many quotes open and close a string.
fn quotes(raw: &str) -> usize {
    let triple = raw.len() >= 6 && (raw.starts_with("\"\"\"") || raw.starts_with("'''"));
    if triple { 3 } else { 1 }
}

/// The characters that a string of JSON or TOML stands for, each with the byte of `raw` where it begins.
fn characters(raw: &str) -> Vec<(usize, char)> {
    let quotes = quotes(raw);
    let literal = raw.starts_with('\'');
    let inner = raw.get(quotes..raw.len().saturating_sub(quotes)).unwrap_or("");
    let mut found = Vec::with_capacity(inner.len());
    let mut at = match inner {
        _ if quotes == 1 => 0,
        _ if inner.starts_with("\r\n") => 2,
        _ => usize::from(inner.starts_with('\n')),
    };
    while let Some(c) = inner.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = inner.get(at..).unwrap_or("");
        let (c, length) = if c == '\\' && !literal { escape(rest) } else { (Some(c), c.len_utf8()) };
        found.extend(c.map(|c| (quotes + at, c)));
        at += length;
    }
    found
}

/// The character of an escape, and its length; the end of a line behind a backslash stands for nothing.
fn escape(rest: &str) -> (Option<char>, usize) {
    let number = |from: usize, digits: usize| {
        rest.get(from..from + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok())
    };
    let simple = |c: char| (Some(c), 2);
    match rest.chars().nth(1) {
        Some('n') => simple('\n'),
        Some('t') => simple('\t'),
        Some('r') => simple('\r'),
        Some('b') => simple('\u{8}'),
        Some('f') => simple('\u{c}'),
        Some('e') => simple('\u{1b}'),
        Some('x') => (number(2, 2).and_then(char::from_u32), 4),
        Some('U') => (number(2, 8).and_then(char::from_u32), 10),
        Some('u') => {
            let first = number(2, 4).unwrap_or(0xFFFD);
            let second = if rest.get(6..8) == Some("\\u") { number(8, 4) } else { None };
            let units =
                [Some(first), second].into_iter().flatten().map(|unit| u16::try_from(unit).unwrap_or(0xFFFD));
            match char::decode_utf16(units).next() {
                Some(Ok(c)) => (Some(c), if c.len_utf16() == 2 { 12 } else { 6 }),
                _ => (Some(char::REPLACEMENT_CHARACTER), 6),
            }
        }
        Some(' ' | '\t' | '\n' | '\r') => {
            let blank = rest.get(1..).map_or(0, |tail| tail.len() - tail.trim_start().len());
            (None, 1 + blank)
        }
        Some(c) => (Some(c), 1 + c.len_utf8()),
        None => (None, 1),
    }
}

/// An object or array that is open.
struct Open {
    object: bool,
    /// Whether the next string is the name of a member.
    name_next: bool,
    name: String,
}

/// Calls `each` with every string value of a JSON text, and the names that lead to it. What is no JSON gives what it
/// gives.
fn each_string(text: &str, each: &mut impl FnMut(&[&str], Range<usize>)) {
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.as_bytes().get(at) {
        match byte {
            b'{' | b'[' => {
                open.push(Open { object: byte == b'{', name_next: byte == b'{', name: String::new() });
            }
            b'}' | b']' => drop(open.pop()),
            b',' => open.last_mut().into_iter().for_each(|level| level.name_next = level.object),
            b'"' => {
                let end = string_end(text, at);
                match open.last_mut() {
                    Some(level) if level.name_next => {
                        level.name_next = false;
                        let raw = text.get(at..end).unwrap_or("");
                        level.name = characters(raw).into_iter().map(|(_, c)| c).collect();
                    }
                    _ => {
                        let path: Vec<&str> =
                            open.iter().filter(|level| level.object).map(|level| &*level.name).collect();
                        each(&path, at..end);
                    }
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

/// Where the string that begins at `at` ends, its closing quote included.
fn string_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut end = at + 1;
    while let Some(&byte) = bytes.get(end) {
        match byte {
            b'"' => return end + 1,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, text: &str, part: &str, expected: &str) {
        let mut places = Places::default();
        places.add("r", 4..4 + raw.len());
        let start = text.find(part).expect("a part of the text");
        let file = format!("r = {raw}\n");
        let span = places.find(&file, "r", text, Some(Span::new(start, start + part.len())));
        assert_eq!(span.map(|span| span.slice(&file)), Some(expected), "{raw}");
    }

    #[test]
    fn through_escapes() {
        check(r#""FROM x""#, "FROM x", "x", "x");
        check(r#""a\n\"b\" c""#, "a\n\"b\" c", "b", "b");
        check(r#""\u00e9\ud83d\ude00 c""#, "é\u{1F600} c", "c", "c");
        check(r#""é\U0001F600 \x41c""#, "é\u{1F600} Ac", "A", r"\x41");
        check("'a\\n b'", "a\\n b", "b", "b");
        check("\"\"\"\nFROM \\\n   x \"\"\"", "FROM x ", "x", "x");
        check("'''\nFROM\n  x'''", "FROM\n  x", "x", "x");
        check(r#""""#, "", "", "");
    }

    #[test]
    fn strings_of_a_manifest_have_paths() {
        let file = r#"{"a": ["x", {"routes": {"r\u0031": "one", "r2": {"priority": 1, "route": "two"}}}], "r1": "no"}"#;
        let places = Places::of_json(file);
        let at = |name: &str, text: &str| {
            places.find(file, name, text, None).map(|span| span.slice(file).to_owned())
        };
        assert_eq!(at("r1", "one").as_deref(), Some("\"one\""));
        assert_eq!(at("r2", "two").as_deref(), Some("\"two\""));
        assert_eq!(at("r2", "other"), None);
        for odd in ["\"", "{\"a\": \"\\", "]}\"x", "{\"routes\": {\"a\": \"\\ud800"] {
            let _ = Places::of_json(odd);
        }
    }
}
