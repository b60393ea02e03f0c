//! Reads route files.

use std::fs;
use std::io::{self, BufRead, BufReader, Read as _};

use edge_routing::{
    CompileOptions, Compiled, Diagnostic, Diagnostics, EdgeHubConfig, Location, RouteSpec, Router, Span,
};

use crate::place::Places;
use crate::toml_file;

/// A route file: its text, and what stands in it.
pub(crate) struct RouteFile {
    pub(crate) text: String,
    /// The routes, before they are compiled.
    pub(crate) specs: Vec<RouteSpec>,
    /// The modules, where the file names them.
    pub(crate) modules: Option<Vec<String>>,
    pub(crate) warnings: Diagnostics,
    places: Places,
}

/// What is wrong with a file.
pub(crate) enum Problem {
    /// It cannot be read.
    Unreadable(String),
    /// It is not a route file in TOML.
    Mistaken(String, Vec<Mistake>),
    /// It is a JSON file with errors; they are placed in the file.
    Refused(Diagnostics),
}

/// Something in a file that is not as it must be.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub(crate) message: String,
    pub(crate) span: Option<Span>,
}

impl RouteFile {
    /// Reads the file at `path`.
    pub(crate) fn read(path: &str) -> Result<Self, Problem> {
        let text = text(path).map_err(Problem::Unreadable)?;
        let start = text.trim_start();
        if start.starts_with('{') {
            let places = Places::of_json(&text);
            let config = EdgeHubConfig::parse(&text)
                .map_err(|errors| Problem::Refused(placed(errors, &text, &places, &[])))?;
            let warnings = placed(config.warnings, &text, &places, &config.routes);
            return Ok(Self { specs: config.routes, modules: config.modules, warnings, places, text });
        }
        match toml_file::read(&text) {
            Ok((specs, places)) => {
                Ok(Self { specs, modules: None, warnings: Diagnostics::default(), places, text })
            }
            Err(mistakes) => Err(Problem::Mistaken(text, mistakes)),
        }
    }

    /// How to compile the routes.
    pub(crate) fn options(&self) -> CompileOptions {
        let options = CompileOptions::new();
        match &self.modules {
            Some(modules) => options.with_known_modules(modules),
            None => options,
        }
    }

    /// Compiles the routes; what there is to say about them is placed in the file.
    pub(crate) fn compile(&self, strict: bool) -> Result<Compiled, Diagnostics> {
        let place = |found| placed(found, &self.text, &self.places, &self.specs);
        match Router::compile(&self.specs, &self.options().with_strict(strict)) {
            Ok(mut compiled) => {
                compiled.warnings = place(compiled.warnings);
                Ok(compiled)
            }
            Err(found) => Err(place(found)),
        }
    }

    /// Where the text of a route stands.
    pub(crate) fn route_span(&self, name: &str) -> Option<Span> {
        let spec = self.specs.iter().find(|spec| spec.name == name)?;
        self.places.find(&self.text, name, &spec.text, None)
    }
}

/// The same diagnostics with places in the file instead of places in the texts of routes.
fn placed(found: Diagnostics, file: &str, places: &Places, specs: &[RouteSpec]) -> Diagnostics {
    let place = |diagnostic: Diagnostic| {
        let Some(name) = diagnostic.route() else { return diagnostic };
        let spec = specs.iter().rev().find(|spec| spec.name == name);
        let span = spec.and_then(|spec| places.find(file, name, &spec.text, diagnostic.span()));
        match span {
            Some(span) => diagnostic.placed(file, span),
            None => diagnostic,
        }
    };
    found.into_iter().map(place).collect()
}

impl Problem {
    /// The problem in words, for commands that go no further.
    pub(crate) fn text(self, path: &str) -> String {
        match self {
            Self::Unreadable(reason) => reason,
            Self::Mistaken(text, mistakes) => {
                let lines = mistakes.iter().map(|mistake| mistake.text(path, &text));
                format!("{path} is refused:\n{}", lines.collect::<Vec<_>>().join("\n"))
            }
            Self::Refused(errors) => format!("{path} is refused:\n{errors}"),
        }
    }
}

impl Mistake {
    /// The mistake with its place before it, as compilers write it, and a caret under the place.
    pub(crate) fn text(&self, path: &str, file: &str) -> String {
        let Some(span) = self.span else { return format!("{path}: error: {}", self.message) };
        let place = Location::of(file, span);
        let shown = |c: char| if c.is_control() { ' ' } else { c };
        let line: String =
            file.lines().nth(place.line as usize - 1).unwrap_or("").chars().map(shown).collect();
        let indent = place.column as usize - 1;
        let carets = (place.end_column.saturating_sub(place.column) as usize).max(1);
        let caret = "^".repeat(carets.min(line.chars().count().saturating_sub(indent).max(1)));
        let Location { line: number, column, .. } = place;
        format!(
            "{path}:{number}:{column}: error: {}\n   |\n   | {line}\n   | {:indent$}{caret}",
            self.message, ""
        )
    }
}

/// Reads and compiles a file, for commands that need a router.
pub(crate) fn router(path: &str) -> Result<Compiled, String> {
    let file = RouteFile::read(path).map_err(|problem| problem.text(path))?;
    file.compile(false).map_err(|errors| format!("{path} is refused:\n{errors}"))
}

/// The whole text of a file.
pub(crate) fn text(path: &str) -> Result<String, String> {
    let read = if path == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    read.map_err(|error| format!("{path}: {error}"))
}

/// The lines of a file, one by one.
pub(crate) fn lines(path: &str) -> Result<Box<dyn BufRead>, String> {
    if path == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = fs::File::open(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(Box::new(BufReader::new(file)))
}

/// Bytes of a line that are kept; the rest of a longer one is skipped.
pub(crate) const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

/// Reads a line into `line`, without its end. `None` at the end of the file; `false` when the line is too long, and
/// then only its beginning is kept.
pub(crate) fn next_line(lines: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let (mut any, mut whole) = (false, true);
    loop {
        let bytes = match lines.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if bytes.is_empty() {
            return Ok(any.then_some(whole));
        }
        any = true;
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(bytes);
        let room = MAX_LINE_BYTES.saturating_sub(line.len());
        whole &= part.len() <= room;
        line.extend_from_slice(part.get(..room.min(part.len())).unwrap_or(part));
        let used = end.map_or(bytes.len(), |end| end + 1);
        lines.consume(used);
        if end.is_some() {
            return Ok(Some(whole));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_and_are_bounded() {
        let long = "x".repeat(MAX_LINE_BYTES + 5);
        let text = format!("a\n\n{long}\nb");
        let (mut reader, mut line) = (BufReader::new(text.as_bytes()), Vec::new());
        let mut next = || {
            let whole = next_line(&mut reader, &mut line).expect("memory does not fail");
            whole.map(|whole| (whole, line.len()))
        };
        let expected =
            [Some((true, 1)), Some((true, 0)), Some((false, MAX_LINE_BYTES)), Some((true, 1)), None];
        for expected in expected {
            assert_eq!(next(), expected);
        }
    }
}
