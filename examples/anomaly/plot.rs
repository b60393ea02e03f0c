//! A picture of a series, of what was flagged, and of what is wrong.

use std::fmt::Write as _;

use crate::{Scored, Span};

const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 360.0;
const STYLE: &str = "text{font:12px sans-serif}.known{fill:#888;fill-opacity:.25}.flagged{fill:#d33;fill-opacity:.3}\
                     polyline{fill:none;stroke-width:.7}.series{stroke:#246}.score{stroke:#d33}line{stroke:#999}";

/// Returns the picture: above the readings, below their scores; grey is what is known to be wrong, red what was flagged.
pub(crate) fn svg(series: &[f64], scores: &[Scored], flagged: &[Span], known: &[Span]) -> String {
    let x = |reading: usize| reading as f64 * WIDTH / series.len().max(1) as f64;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\">\n<style>{STYLE}</style>\n"
    );
    let mut add = |line: String| {
        text += &line;
        text.push('\n');
    };
    for (class, spans) in [("known", known), ("flagged", flagged)] {
        for span in spans {
            let (from, width) = (x(span.from), x(span.to - span.from).max(1.0));
            let title = if span.what.is_empty() { "flagged" } else { &span.what };
            add(format!(
                "<rect class=\"{class}\" x=\"{from:.1}\" y=\"0\" width=\"{width:.1}\" height=\"{HEIGHT}\"><title>{title}</title></rect>"
            ));
        }
    }
    for (place, span) in known.iter().enumerate() {
        // Neighbours stand one below the other, and what is far right ends where its span does.
        let y = 14 + 16 * (place % 2);
        let (at, anchor) =
            if x(span.from) > 0.8 * WIDTH { (x(span.to), "end") } else { (x(span.from), "start") };
        add(format!("<text x=\"{at:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>", span.what));
    }
    add("<text x=\"4\" y=\"78\">vibration</text><text x=\"4\" y=\"314\">score; above the line it is flagged</text>".into());
    // Readings are from -1 to 5; of scores the logarithm is shown, from a hundredth to a thousand.
    let readings =
        series.iter().enumerate().map(|(at, value)| (x(at), 190.0 - value.clamp(-1.0, 5.0) * 28.0));
    add(line("series", readings));
    let below = |score: f64| 320.0 - score.clamp(0.01, 1000.0).log10() * 22.0;
    add(line("score", scores.iter().map(|scored| (x(scored.reading), below(scored.score)))));
    add(format!("<line x1=\"0\" x2=\"{WIDTH}\" y1=\"{0}\" y2=\"{0}\"/>", below(1.0)));
    add("</svg>".into());
    text
}

fn line(class: &str, points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut text = format!("<polyline class=\"{class}\" points=\"");
    for (x, y) in points {
        let _never_fails = write!(text, "{x:.1},{y:.1} ");
    }
    text + "\"/>"
}
