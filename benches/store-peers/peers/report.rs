//! Medians over the rounds, and ratios to the limit within each round.

use std::collections::BTreeMap;

use crate::Fallible;

/// The engine that the others are compared with.
const LIMIT: &str = "raw";

/// A figure to show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// What the child calls it.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) decimals: usize,
    /// Whether its ratio to the limit is shown too.
    pub(crate) ratio: bool,
}

/// What the rounds have found: by engine and figure, one value a round.
#[derive(Debug, Default)]
pub(crate) struct Results(BTreeMap<String, BTreeMap<String, Vec<f64>>>);

impl Results {
    /// Adds what a child has printed: lines of a name and a value.
    pub(crate) fn add(&mut self, engine: &str, output: &str) -> Fallible<()> {
        let figures = self.0.entry(engine.to_owned()).or_default();
        for line in output.lines() {
            let (name, value) = line.split_once(' ').ok_or("a line has no value")?;
            figures.entry(name.to_owned()).or_default().push(value.parse()?);
        }
        Ok(())
    }

    /// Prints a table with the engines in this order.
    pub(crate) fn print(&self, engines: &[&str], columns: &[Column]) {
        let has_limit = engines.contains(&LIMIT);
        print!("{:<16}", "");
        for column in columns {
            print!("{:>14}", column.title);
            if column.ratio && has_limit {
                print!("{:>22}", "x raw (min..max)");
            }
        }
        println!();
        for engine in engines {
            print!("{engine:<16}");
            for column in columns {
                let values = self.values(engine, column.name);
                print!("{:>14.*}", column.decimals, median(values.clone()));
                if column.ratio && has_limit {
                    let limits = self.values(LIMIT, column.name);
                    let ratios: Vec<f64> = values.iter().zip(&limits).map(|(v, limit)| v / limit).collect();
                    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
                    let most = ratios.iter().copied().fold(0.0, f64::max);
                    print!("{:>22}", format!("{:.2} ({least:.2}..{most:.2})", median(ratios)));
                }
            }
            println!();
        }
    }

    fn values(&self, engine: &str, name: &str) -> Vec<f64> {
        self.0.get(engine).and_then(|figures| figures.get(name)).cloned().unwrap_or_default()
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
