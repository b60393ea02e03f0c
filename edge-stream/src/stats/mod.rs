//! What is kept of the values in a window, and what is computed of them in the end.

mod big;
mod exact;
mod group;
#[cfg(test)]
mod laws;

pub(crate) use exact::{Exact, Scaled};
pub(crate) use group::{Group, Needs, Rules, Stats};

use serde::{Deserialize, Serialize};

/// What is computed of a window's values.
///
/// | function | value | none when |
/// |---|---|---|
/// | `count()` | how many events | |
/// | `count(f)` | how many events have a value at `f` | |
/// | `sum(f)` | the exact sum, rounded once | beyond a double |
/// | `avg(f)` | the exact sum, divided: at most 1 unit in the last place off | there is no value |
/// | `min(f)`, `max(f)` | | there is no value |
/// | `stddev(f)` | of a sample (n − 1), at most 2 units in the last place off | fewer than 2 values |
/// | `stddevp(f)` | of the whole (n), as exact | there is no value |
/// | `percentile(f, p)` | exact, between neighbours by straight line | no value, or more values than are kept |
///
/// # Source
/// Percentiles as Hyndman and Fan's type 7, which is NumPy's and Excel's default. The standard deviations are named
/// as in SQL and in Azure Stream Analytics (`STDEV`, `STDEVP`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Function {
    /// How many.
    Count,
    /// The sum.
    Sum,
    /// The mean.
    Avg,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The standard deviation of a sample.
    StdDev,
    /// The standard deviation of the whole.
    StdDevP,
    /// The percentile, from 0 to 100.
    Percentile(
        /// Which.
        f64,
    ),
}

impl Function {
    /// Returns what has to be kept of the values.
    pub(crate) fn needs(self) -> Needs {
        Needs {
            sum: matches!(self, Self::Sum | Self::Avg | Self::StdDev | Self::StdDevP),
            squares: matches!(self, Self::StdDev | Self::StdDevP),
            extremes: matches!(self, Self::Min | Self::Max),
            values: matches!(self, Self::Percentile(_)),
        }
    }

    /// Returns the value; `None` when there is none. The values must be sorted.
    pub(crate) fn of(self, stats: &Stats) -> Option<f64> {
        let count = stats.count;
        match self {
            Self::Count => Some(count as f64),
            Self::Sum => Some(stats.sum.scaled().value()).filter(|sum| sum.is_finite()),
            _ if count == 0 => None,
            Self::Avg => {
                let sum = stats.sum.scaled();
                Some(Scaled { mantissa: sum.mantissa / count as f64, ..sum }.value())
            }
            Self::Min => Some(stats.min),
            Self::Max => Some(stats.max),
            Self::StdDev if count < 2 => None,
            Self::StdDev => root(stats, count as f64 * (count - 1) as f64),
            Self::StdDevP => root(stats, count as f64 * count as f64),
            Self::Percentile(_) if stats.lost > 0 => None,
            Self::Percentile(percent) => percentile(&stats.values, percent),
        }
    }
}

fn root(stats: &Stats, divisor: f64) -> Option<f64> {
    let spread = stats.squares.spread(&stats.sum, stats.count);
    let odd = spread.exponent.rem_euclid(2);
    let mantissa = (spread.mantissa * f64::from(1 + odd) / divisor).sqrt();
    Some(Scaled { mantissa, exponent: (spread.exponent - odd) / 2 }.value()).filter(|root| root.is_finite())
}

fn percentile(sorted: &[f64], percent: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = percent / 100.0 * last as f64;
    let below = (place.floor() as usize).min(last);
    let share = place - below as f64;
    let (low, high) = (*sorted.get(below)?, *sorted.get((below + 1).min(last))?);
    Some(if share == 0.0 { low } else { low * (1.0 - share) + high * share })
}
