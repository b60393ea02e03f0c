//! One metric with its series, bounded in number.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// A counter that can be kept and added to without a lookup.
pub(crate) type Handle = Arc<AtomicU64>;

/// A counter metric with labels.
#[derive(Debug)]
pub(crate) struct Family {
    name: &'static str,
    help: &'static str,
    most: usize,
    series: Mutex<HashMap<String, Handle>>,
}

/// The labels of the series that stands for all that are too many.
const OTHER: &str = "series=\"other\"";

impl Family {
    pub(crate) fn new(name: &'static str, help: &'static str, most: usize) -> Self {
        Self { name, help, most, series: Mutex::default() }
    }

    /// Returns the counter with these labels (as [`label`] writes them), or the common one when there are too many.
    pub(crate) fn handle(&self, labels: &str) -> Handle {
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = series.get(labels) {
            return found.clone();
        }
        let labels = if series.len() < self.most { labels } else { OTHER };
        series.entry(labels.to_owned()).or_default().clone()
    }

    pub(crate) fn add(&self, labels: &str, n: u64) {
        self.handle(labels).fetch_add(n, Relaxed);
    }

    /// Writes the family in Prometheus' text format; `common` are labels for every series.
    pub(crate) fn write(&self, out: &mut String, common: &str) {
        write_head(out, self.name, "counter", self.help);
        for (labels, n) in self.sorted() {
            write_sample(out, self.name, common, &labels, n as f64);
        }
    }

    fn sorted(&self) -> Vec<(String, u64)> {
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<_> = series.iter().map(|(labels, n)| (labels.clone(), n.load(Relaxed))).collect();
        drop(series);
        lines.sort();
        lines
    }
}

/// A sum and a count, which is what a summary without quantiles is.
#[derive(Debug)]
pub(crate) struct Summary {
    name: &'static str,
    help: &'static str,
    scale: f64,
    sum: Family,
    count: Family,
}

impl Summary {
    /// Returns a summary whose sums are kept in whole units of `scale`.
    pub(crate) fn new(name: &'static str, help: &'static str, scale: f64, most: usize) -> Self {
        Self { name, help, scale, sum: Family::new(name, help, most), count: Family::new(name, help, most) }
    }

    /// Returns the counters of sum and count for these labels.
    pub(crate) fn handles(&self, labels: &str) -> (Handle, Handle) {
        (self.sum.handle(labels), self.count.handle(labels))
    }

    pub(crate) fn add(&self, labels: &str, sum: u64, count: u64) {
        self.sum.add(labels, sum);
        self.count.add(labels, count);
    }

    /// Writes the summary in Prometheus' text format.
    pub(crate) fn write(&self, out: &mut String, common: &str) {
        write_head(out, self.name, "summary", self.help);
        for (suffix, family, scale) in [("_sum", &self.sum, self.scale), ("_count", &self.count, 1.0)] {
            for (labels, n) in family.sorted() {
                write_sample(out, &format!("{}{suffix}", self.name), common, &labels, n as f64 * scale);
            }
        }
    }
}

/// Writes the lines that introduce a metric.
pub(crate) fn write_head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _infallible = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

/// Writes one sample.
pub(crate) fn write_sample(out: &mut String, name: &str, common: &str, labels: &str, value: f64) {
    let comma = if common.is_empty() || labels.is_empty() { "" } else { "," };
    let _infallible = writeln!(out, "{name}{{{common}{comma}{labels}}} {value}");
}

/// Writes labels as Prometheus wants them, with values escaped.
pub(crate) fn label(pairs: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(name);
        out.push_str("=\"");
        for c in value.chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                c => out.push(c),
            }
        }
        out.push('"');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_bounded() {
        let family = Family::new("x_total", "A test.", 2);
        for id in ["a", "b", "c", "d"] {
            family.add(&label(&[("id", id)]), 1);
        }
        let mut out = String::new();
        family.write(&mut out, "edge=\"e\"");
        let expected = "# HELP x_total A test.\n# TYPE x_total counter\n\
            x_total{edge=\"e\",id=\"a\"} 1\nx_total{edge=\"e\",id=\"b\"} 1\nx_total{edge=\"e\",series=\"other\"} 2\n";
        assert_eq!(out, expected);
    }

    #[test]
    fn label_values_are_escaped() {
        assert_eq!(label(&[("a", "x\"y\\z\n")]), "a=\"x\\\"y\\\\z\\n\"");
    }
}
