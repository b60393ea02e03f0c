//! Arguments of the form `--name value`, and switches.

use std::fmt::Display;
use std::str::FromStr;

/// The arguments of a program, taken one by one.
#[derive(Debug)]
pub struct Args(Vec<String>);

impl Args {
    /// Returns those that this program was started with.
    #[must_use]
    pub fn of_this_program() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// Takes the first argument, which names what to do.
    pub fn command(&mut self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// Takes a switch; says whether it was there.
    pub fn switch(&mut self, name: &str) -> bool {
        let found = self.0.iter().position(|argument| argument == name);
        found.map(|index| self.0.remove(index)).is_some()
    }

    /// Takes an option with its value.
    ///
    /// # Errors
    /// When the value is missing or cannot be read.
    pub fn option<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Option<T>, String> {
        let Some(index) = self.0.iter().position(|argument| argument == name) else { return Ok(None) };
        self.0.remove(index);
        if index == self.0.len() {
            return Err(format!("{name} wants a value"));
        }
        let value = self.0.remove(index);
        value.parse().map(Some).map_err(|error| format!("{name} {value}: {error}"))
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// When an argument was not taken.
    pub fn finish(self) -> Result<(), String> {
        self.0.first().map_or(Ok(()), |unknown| Err(format!("unknown argument {unknown}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &str) -> Args {
        Args(text.split_whitespace().map(Into::into).collect())
    }

    #[test]
    fn arguments_are_taken_in_any_order() {
        let mut given = args("ingest --rounds 3 --quick");
        assert_eq!(given.command().as_deref(), Some("ingest"));
        assert!(given.switch("--quick") && !given.switch("--quick"));
        assert_eq!(given.option("--rounds"), Ok(Some(3)));
        assert_eq!(given.option::<u32>("--rounds"), Ok(None));
        assert_eq!(given.finish(), Ok(()));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(args("--rounds x").option::<u32>("--rounds").unwrap_err().contains("--rounds x"));
        assert!(args("--rounds").option::<u32>("--rounds").is_err());
        assert!(args("--runds 3").finish().is_err());
    }
}
