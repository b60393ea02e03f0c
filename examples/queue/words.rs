//! The words behind the command.

/// Flags, flags with a number, and what is neither.
#[derive(Debug)]
pub(crate) struct Words {
    flags: Vec<String>,
    numbers: Vec<(String, u64)>,
    names: Vec<String>,
}

impl Words {
    /// Sorts the words; a flag that is not known is an error.
    pub(crate) fn read(
        mut words: impl Iterator<Item = String>,
        flags: &[&str],
        with_number: &[&str],
    ) -> Result<Self, String> {
        let mut sorted = Self { flags: Vec::new(), numbers: Vec::new(), names: Vec::new() };
        while let Some(word) = words.next() {
            if with_number.contains(&word.as_str()) {
                let number = words.next().ok_or_else(|| format!("{word} needs a number"))?;
                let number = number.parse().map_err(|_| format!("{word} needs a number, not '{number}'"))?;
                sorted.numbers.push((word, number));
            } else if flags.contains(&word.as_str()) {
                sorted.flags.push(word);
            } else if word.len() > 1 && word.starts_with('-') {
                return Err(format!("{word} is not known here; see `queue help`"));
            } else {
                sorted.names.push(word);
            }
        }
        Ok(sorted)
    }

    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|known| known == flag)
    }

    /// Returns the number behind a flag; the last one counts.
    pub(crate) fn number(&self, flag: &str) -> Option<u64> {
        self.numbers.iter().rev().find(|(known, _)| known == flag).map(|&(_, number)| number)
    }

    /// Returns what is no flag.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }
}
