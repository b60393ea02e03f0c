//! The routes of a configuration: read, compiled, and their mistakes told where they stand in the file.

use std::collections::HashMap;
use std::ops::Range;

use edge_hub::{RoutePolicy, RouteSpec};
use edge_routing::{CompileOptions, Diagnostic, Router, Severity};
use toml::de::DeValue;

use super::delivery;
use super::reader::{Collector, Section};

/// The routes, and where the text of each stands in the file.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    pub(crate) specs: Vec<RouteSpec>,
    /// What routes ask of the store themselves.
    pub(crate) policies: Vec<(String, RoutePolicy)>,
    places: HashMap<String, Range<usize>>,
    /// The names of the upstreams beside `$upstream`.
    pub(super) upstreams: Vec<String>,
}

/// Reads the table `[routes]`.
pub(crate) fn read(section: &mut Section<'_, '_>) -> Routes {
    let mut routes = Routes::default();
    for (name, value) in section.rest() {
        let at = value.span();
        let name = name.into_inner();
        match value.into_inner() {
            DeValue::String(text) => {
                routes.specs.push(RouteSpec::new(&*name, &*text));
                routes.places.insert(name, at);
            }
            DeValue::Table(table) => section.inner(table, at, &name.clone(), |section| {
                let Some(text) = section.required("route") else { return };
                let mut spec = RouteSpec::new(&*name, text.get_ref());
                spec.priority = section.integer("priority", 0..=9).and_then(|n| u8::try_from(n).ok());
                let ttl = section.integer("time_to_live_secs", 0..=u32::MAX.into());
                spec.time_to_live_secs = ttl.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
                routes.policies.push((name.clone(), delivery::policy(section)));
                routes.specs.push(spec);
                routes.places.insert(name, text.span());
            }),
            other => {
                section.wrong(at, &name, "a route in quotes, or { route = \"…\", priority = 0 }", &other)
            }
        }
    }
    routes
}

impl Routes {
    /// Compiles the routes, and sorts what is found into mistakes and warnings.
    pub(crate) fn check(&self, file: &str, mistakes: &mut Collector, warnings: &mut Collector) {
        let found = match Router::compile(
            &self.specs,
            &CompileOptions::new().with_known_upstreams(self.upstreams.iter()),
        ) {
            Ok(compiled) => compiled.warnings,
            Err(found) => found,
        };
        for diagnostic in found.iter() {
            let to = if diagnostic.severity() == Severity::Error { &mut *mistakes } else { &mut *warnings };
            to.add(self.place(file, diagnostic), message(diagnostic));
        }
    }

    /// Returns where in the file a diagnostic points.
    fn place(&self, file: &str, diagnostic: &Diagnostic) -> Range<usize> {
        let Some(whole) = diagnostic.route().and_then(|name| self.places.get(name)) else { return 0..0 };
        let raw = file.get(whole.clone()).unwrap_or_default();
        let place = |offset| raw_offset(raw, offset).map(|at| whole.start + at);
        let span = diagnostic.span().and_then(|span| Some(place(span.start())?..place(span.end())?));
        span.unwrap_or_else(|| whole.clone())
    }
}

fn message(diagnostic: &Diagnostic) -> String {
    let route = diagnostic.route().map(|name| format!("route {name}: ")).unwrap_or_default();
    let help = diagnostic.help().map(|help| format!("; {help}")).unwrap_or_default();
    format!("{route}{} [{}]{help}", diagnostic.message(), diagnostic.code())
}

/// Returns where in a string of TOML, quotes and all, the byte `offset` of its value stands.
fn raw_offset(raw: &str, offset: usize) -> Option<usize> {
    let (quote, escapes) = match raw.as_bytes() {
        [b'"', b'"', b'"', ..] => (3, true),
        [b'\'', b'\'', b'\'', ..] => (3, false),
        [b'"', ..] => (1, true),
        _ => (1, false),
    };
    let inside = raw.get(quote..)?;
    let skipped = if quote == 3 && inside.starts_with('\n') { 1 } else { 0 };
    let mut at = quote + skipped;
    let mut value = 0;
    while value < offset {
        let rest = raw.get(at..)?;
        let c = rest.chars().next()?;
        let (raw_bytes, value_bytes) = match (c, escapes) {
            ('\\', true) => escape(rest)?,
            _ => (c.len_utf8(), c.len_utf8()),
        };
        at += raw_bytes;
        value += value_bytes;
    }
    Some(at)
}

/// Returns how many bytes an escape has in the file, and how many it stands for.
fn escape(rest: &str) -> Option<(usize, usize)> {
    let digits = match rest.as_bytes().get(1)? {
        b'u' => 4,
        b'U' => 8,
        b'x' => 2,
        b'\n' | b'\r' | b' ' | b'\t' => return None,
        _ => return Some((2, 1)),
    };
    let code = u32::from_str_radix(rest.get(2..2 + digits)?, 16).ok()?;
    Some((2 + digits, char::from_u32(code)?.len_utf8()))
}

#[cfg(test)]
mod tests {
    use super::raw_offset;

    #[test]
    fn places_are_found_through_escapes() {
        assert_eq!(raw_offset("'abc'", 1), Some(2));
        assert_eq!(raw_offset(r#""a\"b""#, 2), Some(4));
        assert_eq!(raw_offset(r#""\u00e4b""#, 2), Some(7));
        assert_eq!(raw_offset("\"\"\"\nab\"\"\"", 1), Some(5));
        assert_eq!(raw_offset("'abc'", 30), None);
    }
}
