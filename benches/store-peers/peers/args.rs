//! The command line.

use std::path::PathBuf;

use crate::Fallible;

/// What is to be measured.
#[derive(Debug)]
pub(crate) struct Args {
    /// Words of the scenarios wanted; none means all.
    words: Vec<String>,
    engines: Vec<String>,
    pub(crate) rounds: Option<usize>,
    pub(crate) records: Option<u64>,
    pub(crate) dir: PathBuf,
    /// This process measures one engine once.
    pub(crate) child: Option<String>,
}

impl Args {
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Fallible<Self> {
        let dir = std::env::temp_dir();
        let (rounds, records, child) = (None, None, None);
        let mut args = Self { words: Vec::new(), engines: Vec::new(), rounds, records, dir, child };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--rounds" => args.rounds = Some(value()?.parse()?),
                "--records" => args.records = Some(value()?.parse()?),
                "--engines" => args.engines = value()?.split(',').map(str::to_owned).collect(),
                "--dir" => args.dir = value()?.into(),
                "--child" => args.child = Some(value()?),
                // What `cargo bench` says.
                "--bench" => {}
                other if other.starts_with('-') => return Err(format!("{other} is not known").into()),
                _ => args.words.push(word),
            }
        }
        Ok(args)
    }

    /// Returns whether the scenario is asked for: all words said are in its name.
    pub(crate) fn wants(&self, scenario: &str) -> bool {
        self.words.iter().all(|word| scenario.split(' ').any(|part| part == word))
    }

    pub(crate) fn wants_engine(&self, engine: &str) -> bool {
        self.engines.is_empty() || self.engines.iter().any(|wanted| wanted == engine)
    }

    /// Returns the scenario's name.
    pub(crate) fn scenario(&self) -> String {
        self.words.join(" ")
    }
}
