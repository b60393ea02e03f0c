//! Reads TOML by hand, so that every mistake is found, and each says where it is and what to write instead.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Where it is, in bytes of the text.
    pub(crate) at: Range<usize>,
    /// What is wrong, and what to write instead.
    pub(crate) message: String,
}

/// All mistakes of a configuration, with its text, to be shown.
#[derive(Debug)]
pub(crate) struct Mistakes {
    /// The name of the file.
    pub(crate) file: String,
    /// Its text.
    pub(crate) text: String,
    /// What is wrong with it, in the order of the text.
    pub(crate) mistakes: Vec<Mistake>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for shown in shown(&self.file, &self.text, &self.mistakes) {
            writeln!(f, "{shown}")?;
        }
        let n = self.mistakes.len();
        write!(f, "{n} mistake{} in {}", if n == 1 { "" } else { "s" }, self.file)
    }
}

impl std::error::Error for Mistakes {}

/// Returns mistakes with their places, each with the line that it is in and a mark under it.
pub(crate) fn shown(file: &str, text: &str, mistakes: &[Mistake]) -> Vec<String> {
    let show = |mistake: &Mistake| {
        let start = mistake.at.start.min(text.len());
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let number = before.matches('\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let marked = text.get(start..mistake.at.end.min(line_start + line.len()));
        let mark = "^".repeat(marked.map_or(1, |marked| marked.chars().count()).max(1));
        let indent = " ".repeat(column - 1);
        format!("{file}:{number}:{column}: {}\n    {line}\n    {indent}{mark}", mistake.message)
    };
    mistakes.iter().map(show).collect()
}

/// Collects mistakes while a text is read.
#[derive(Debug, Default)]
pub(crate) struct Collector(Vec<Mistake>);

impl Collector {
    /// Takes note of a mistake.
    pub(crate) fn add(&mut self, at: Range<usize>, message: impl Into<String>) {
        self.0.push(Mistake { at, message: message.into() });
    }

    /// Returns the mistakes in the order of the text.
    pub(crate) fn finish(mut self) -> Vec<Mistake> {
        self.0.sort_by_key(|mistake| mistake.at.start);
        self.0
    }
}

/// One table of the text: keys are taken out of it, and what is left over in the end is unknown.
pub(crate) struct Section<'c, 't> {
    table: DeTable<'t>,
    at: Range<usize>,
    name: String,
    known: Vec<&'static str>,
    mistakes: &'c mut Collector,
}

type Value<'t> = Spanned<DeValue<'t>>;

impl<'c, 't> Section<'c, 't> {
    /// Returns a section; `name` is empty for the whole text.
    pub(crate) fn new(table: DeTable<'t>, at: Range<usize>, name: &str, mistakes: &'c mut Collector) -> Self {
        Self { table, at, name: name.to_owned(), known: Vec::new(), mistakes }
    }

    /// Returns where the section is.
    pub(crate) fn at(&self) -> Range<usize> {
        self.at.clone()
    }

    /// Takes note of a mistake.
    pub(crate) fn mistake(&mut self, at: Range<usize>, message: impl Into<String>) {
        self.mistakes.add(at, message);
    }

    /// Takes a value out of the section.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Value<'t>> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// Takes a text out of the section.
    pub(crate) fn string(&mut self, key: &'static str) -> Option<Spanned<String>> {
        let value = self.take(key)?;
        let at = value.span();
        match value.into_inner() {
            DeValue::String(text) => Some(Spanned::new(at, text.into_owned())),
            other => {
                self.wrong(at, key, "a text in quotes", &other);
                None
            }
        }
    }

    /// Takes a text that must be there.
    pub(crate) fn required(&mut self, key: &'static str) -> Option<Spanned<String>> {
        if !self.table.contains_key(key) {
            self.known.push(key);
            let (at, of) = (self.at.clone(), self.describe());
            self.mistakes.add(at, format!("{of} needs `{key} = \"…\"`"));
            return None;
        }
        self.string(key)
    }

    /// Takes a text and parses it.
    pub(crate) fn parsed<T>(&mut self, key: &'static str) -> Option<T>
    where
        T: std::str::FromStr,
        T::Err: fmt::Display,
    {
        let text = self.string(key)?;
        match text.get_ref().parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.mistakes.add(text.span(), format!("{key}: {error}"));
                None
            }
        }
    }

    /// Takes a text that must be there and parses it.
    pub(crate) fn parsed_required<T>(&mut self, key: &'static str) -> Option<T>
    where
        T: std::str::FromStr,
        T::Err: fmt::Display,
    {
        if self.table.contains_key(key) {
            return self.parsed(key);
        }
        self.required(key);
        None
    }

    /// Takes a whole number out of the section.
    pub(crate) fn integer(
        &mut self,
        key: &'static str,
        allowed: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let value = self.take(key)?;
        let at = value.span();
        match value.into_inner() {
            DeValue::Integer(number) => {
                let parsed = i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok();
                let found = parsed.filter(|n| allowed.contains(n));
                if found.is_none() {
                    let (low, high) = (allowed.start(), allowed.end());
                    self.mistakes.add(at, format!("{key} must be a whole number from {low} to {high}"));
                }
                found
            }
            other => {
                self.wrong(at, key, "a whole number", &other);
                None
            }
        }
    }

    /// Takes `true` or `false` out of the section.
    pub(crate) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let value = self.take(key)?;
        let at = value.span();
        match value.into_inner() {
            DeValue::Boolean(value) => Some(value),
            other => {
                self.wrong(at, key, "true or false", &other);
                None
            }
        }
    }

    /// Takes a table out of the section and reads it.
    pub(crate) fn section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_, 't>) -> T,
    ) -> Option<T> {
        let value = self.take(key)?;
        let at = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Some(self.inner(table, at, key, read)),
            other => {
                self.wrong(at, key, &format!("a table: `[{}]`", self.path(key)), &other);
                None
            }
        }
    }

    /// Takes a list of tables (`[[key]]`) out of the section and reads each.
    pub(crate) fn sections<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Section<'_, 't>) -> Option<T>,
    ) -> Vec<T> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let at = value.span();
        let DeValue::Array(list) = value.into_inner() else {
            self.mistakes.add(at, format!("{key} must be a list of tables: `[[{}]]`", self.path(key)));
            return Vec::new();
        };
        let mut all = Vec::new();
        for item in list {
            let at = item.span();
            match item.into_inner() {
                DeValue::Table(table) => all.extend(self.inner(table, at, key, &mut read)),
                other => self.wrong(at, key, &format!("a list of tables: `[[{}]]`", self.path(key)), &other),
            }
        }
        all
    }

    /// Takes all that is left, in the order of the text, for tables whose keys are names.
    pub(crate) fn rest(&mut self) -> Vec<(Spanned<String>, Value<'t>)> {
        let mut all: Vec<_> = std::mem::take(&mut self.table)
            .into_iter()
            .map(|(key, value)| (Spanned::new(key.span(), key.get_ref().to_string()), value))
            .collect();
        all.sort_by_key(|(key, _)| key.span().start);
        all
    }

    /// Reads a table that was taken by [`Section::rest`].
    pub(crate) fn inner<T>(
        &mut self,
        table: DeTable<'t>,
        at: Range<usize>,
        name: &str,
        read: impl FnOnce(&mut Section<'_, 't>) -> T,
    ) -> T {
        let path = self.path(name);
        let mut section = Section::new(table, at, &path, self.mistakes);
        let value = read(&mut section);
        section.finish();
        value
    }

    /// Reports what is left over as unknown.
    pub(crate) fn finish(&mut self) {
        let of = self.describe();
        for (key, _) in std::mem::take(&mut self.table) {
            let close = closest(key.get_ref(), &self.known);
            let help = match close {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("{of} knows {}", self.known.join(", ")),
            };
            self.mistakes.add(key.span(), format!("unknown key `{}`; {help}", key.get_ref()));
        }
    }

    /// Reports that a value is of the wrong type.
    pub(crate) fn wrong(&mut self, at: Range<usize>, key: &str, wanted: &str, found: &DeValue<'_>) {
        let found = found.type_str();
        self.mistakes.add(at, format!("{key} must be {wanted}, and is of type {found}"));
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    fn describe(&self) -> String {
        if self.name.is_empty() { "the configuration".into() } else { format!("[{}]", self.name) }
    }
}

/// Returns the word that is close enough to be meant.
pub(crate) fn closest<'w>(word: &str, words: &[&'w str]) -> Option<&'w str> {
    let near = words.iter().map(|known| (distance(word, known), *known)).min()?;
    (near.0 <= word.chars().count().max(3) / 3).then_some(near.1)
}

/// Returns how many letters must change to make one word of another.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or(usize::MAX);
            let best = (diagonal + usize::from(ca != *cb)).min(above + 1).min(left + 1);
            diagonal = above;
            if let Some(cell) = row.get_mut(j) {
                *cell = left;
            }
            left = best;
        }
        if let Some(cell) = row.last_mut() {
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_come_only_when_close() {
        assert_eq!(closest("mqqt", &["mqtt", "https"]), Some("mqtt"));
        assert_eq!(closest("hostnme", &["hostname", "hub_name"]), Some("hostname"));
        assert_eq!(closest("zzz", &["mqtt", "https"]), None);
    }
}
