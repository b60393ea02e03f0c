//! Explanations as text.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use super::{Explanation, Node, NodeValue, Outcome, RouteExplanation};

const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[31m";
const DIM: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";

impl Explanation {
    /// The explanation in lines; with `colours` for a terminal.
    #[must_use]
    pub fn text(&self, colours: bool) -> String {
        let mut out = String::new();
        let places: Vec<String> =
            self.deliveries.iter().map(|(endpoint, route)| format!("{endpoint} by {route}")).collect();
        let places = if places.is_empty() { "nowhere".into() } else { format!("to {}", places.join(", ")) };
        line(&mut out, 0, &format!("message from {} goes {places}", visible(&self.source)));
        for route in &self.routes {
            route.write(&mut out, colours);
        }
        out
    }
}

impl RouteExplanation {
    fn write(&self, out: &mut String, colours: bool) {
        let (word, colour, reason) = match &self.outcome {
            Outcome::Delivers => ("yes", GREEN, format!("to {}", self.endpoint)),
            Outcome::Overruled { by } => ("yes", GREEN, format!("to {}, but '{by}' decides", self.endpoint)),
            Outcome::OtherSource { wanted } => {
                ("no", DIM, format!("the source does not begin with {wanted}"))
            }
            Outcome::ConditionFalse => ("no", RED, "the condition is false".into()),
            Outcome::ConditionUndefined => ("no", RED, "the condition is undefined".into()),
        };
        line(out, 0, &format!("{}: {}, {reason}", visible(&self.name), paint(word, colour, colours)));
        if let Some(condition) = &self.condition {
            condition.write(out, 1, colours);
        }
    }
}

impl Node {
    fn write(&self, out: &mut String, depth: usize, colours: bool) {
        let text = visible(&self.text);
        let value = format!("{}", self.value);
        let colour = match self.value {
            NodeValue::Bool(true) => GREEN,
            NodeValue::Bool(false) | NodeValue::Undefined => RED,
            _ => "",
        };
        let constant = self.parts.is_empty() && self.note.is_none() && text == value;
        let mut shown = if constant { text } else { format!("{text} = {}", paint(&value, colour, colours)) };
        if let Some(note) = &self.note {
            shown.push_str(&paint(&format!("  ({note})"), DIM, colours));
        }
        line(out, depth, &shown);
        for part in &self.parts {
            part.write(out, depth + 1, colours);
        }
    }
}

impl fmt::Display for NodeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undefined => f.write_str("undefined"),
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(text) => write!(f, "'{}'", visible(text)),
            Self::Empty => f.write_str("no value"),
        }
    }
}

fn line(out: &mut String, depth: usize, text: &str) {
    let width = depth * 2;
    // Writing to a string does not fail.
    let _ = writeln!(out, "{:width$}{text}", "");
}

fn paint(text: &str, colour: &str, colours: bool) -> String {
    if colours && !colour.is_empty() { format!("{colour}{text}{PLAIN}") } else { text.into() }
}

/// One line without control characters, which could command a terminal.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
