//! Rounds in which servers take turns, and what they say together.

use std::error::Error;
use std::path::Path;

use crate::server::{Guests, Kind, Server};
use crate::{stats, table};

/// The figures that one run gives, in the order of the headings.
pub type Figures = Vec<f64>;

/// Servers that take turns under the same load.
#[derive(Debug)]
pub struct Comparison {
    headings: Vec<&'static str>,
    guests: Guests,
    /// Each server with its figures, a row a round.
    results: Vec<(Kind, Vec<Figures>)>,
}

impl Comparison {
    /// Makes a comparison; ratios are taken of the figures whose heading ends in `/s`.
    #[must_use]
    pub fn new(headings: &[&'static str], guests: Guests, kinds: &[Kind]) -> Self {
        let results = kinds.iter().map(|kind| (*kind, Vec::new())).collect();
        Self { headings: headings.to_vec(), guests, results }
    }

    /// Lets every server take its turn, each started anew in a folder within this one.
    ///
    /// # Errors
    /// When a server cannot be started or fails under the load.
    pub fn round(
        &mut self,
        folder: &Path,
        load: &mut impl FnMut(Kind, &Server) -> Result<Figures, Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        for (kind, rounds) in &mut self.results {
            let folder = tempfile::tempdir_in(folder)?;
            let named = |error: Box<dyn Error>| format!("{}: {error}", kind.name());
            let server = kind.start(folder.path(), self.guests).map_err(named)?;
            let figures = load(*kind, &server).map_err(named)?;
            eprintln!(
                "    {}: {}",
                kind.name(),
                self.headings.iter().zip(&figures).map(shown).collect::<Vec<_>>().join(", ")
            );
            rounds.push(figures);
        }
        Ok(())
    }

    /// Returns the table: middle values over the rounds, and middle ratios to two of the servers.
    #[must_use]
    pub fn table(&self) -> String {
        let bases = [Kind::Mosquitto, Kind::NullDurable, Kind::Nginx, Kind::RabbitMq];
        let bases: Vec<Kind> = bases.into_iter().filter(|kind| self.rounds(*kind).is_some()).collect();
        let ratio_of = self.headings.iter().position(|heading| heading.ends_with("/s")).unwrap_or_default();
        let mut heading = vec!["server".to_owned()];
        heading.extend(self.headings.iter().map(|heading| (*heading).to_owned()));
        heading.extend(bases.iter().map(|base| format!("{} x {}", self.headings[ratio_of], base.name())));
        let mut rows = vec![heading];
        for (kind, rounds) in &self.results {
            let mut row = vec![kind.name().to_owned()];
            for column in 0..self.headings.len() {
                row.push(number(stats::median(rounds.iter().map(|figures| figures[column]).collect())));
            }
            for base in &bases {
                let pairs = rounds.iter().zip(self.rounds(*base).into_iter().flatten());
                let ratios: Vec<f64> =
                    pairs.map(|(mine, theirs)| mine[ratio_of] / theirs[ratio_of]).collect();
                let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
                let high = ratios.iter().copied().fold(0.0, f64::max);
                row.push(format!("{} ({}..{})", number(stats::median(ratios)), number(low), number(high)));
            }
            rows.push(row);
        }
        table::markdown(&rows)
    }

    fn rounds(&self, kind: Kind) -> Option<&Vec<Figures>> {
        self.results.iter().find(|(known, _)| *known == kind).map(|(_, rounds)| rounds)
    }
}

fn shown((heading, figure): (&&'static str, &f64)) -> String {
    format!("{heading} {}", number(*figure))
}

/// Returns a figure with three digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let guests = Guests { publishers: 1, subscribers: 0, tls: false };
        let mut comparison =
            Comparison::new(&["messages/s", "KiB"], guests, &[Kind::Mosquitto, Kind::Rumqttd]);
        comparison.results[0].1 = vec![vec![100.0, 1.0], vec![200.0, 1.0], vec![100.0, 1.0]];
        comparison.results[1].1 = vec![vec![300.0, 2.0], vec![400.0, 2.0], vec![500.0, 2.0]];
        let table = comparison.table();
        assert!(table.contains("messages/s x Mosquitto"), "{table}");
        assert!(table.contains("| rumqttd   | 400        | 2.00 | 3.00 (2.00..5.00)"), "{table}");
    }
}
