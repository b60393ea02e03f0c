//! Messages from a model's outputs.

use std::fmt::Write as _;

use edge_core::{Message, MessageBuilder, SystemKey};
use serde::de::IgnoredAny;

use super::{MapError, Mapping, numbers};
use crate::Tensor;

/// What becomes of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Replace,
    Extend,
    Keep,
}

/// One result.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(super) name: String,
    /// Which output of the model.
    pub(super) from: usize,
    pub(super) take: Take,
    pub(super) scale: f64,
    pub(super) offset: f64,
    pub(super) property: bool,
}

/// What is taken of an output.
#[derive(Clone, Debug)]
pub(super) enum Take {
    Value(usize),
    All,
    Max,
    ArgMax(Vec<String>),
    Above(usize, f64),
}

/// Makes the result of a message.
pub(super) fn result(
    mapping: &Mapping,
    message: &Message,
    outputs: &[Tensor],
) -> Result<MessageBuilder, MapError> {
    let mut builder = message.to_builder();
    let mut members = String::new();
    for output in &mapping.outputs {
        let value = output.value(outputs)?;
        if output.property || mapping.body == Body::Keep {
            let text = serde_json::from_str::<String>(&value).unwrap_or(value);
            builder.set_property(&output.name, Some(&text));
        } else {
            let comma = if members.is_empty() { "" } else { "," };
            // Writing to a string does not fail.
            let _ = write!(members, "{comma}{}:{value}", serde_json::Value::from(output.name.as_str()));
        }
    }
    match mapping.body {
        Body::Keep => return Ok(builder),
        Body::Replace => builder.set_body(format!("{{{members}}}").as_bytes()),
        Body::Extend => builder.set_body(extended(message.body(), &members)?.as_bytes()),
    }
    builder.set_system(SystemKey::ContentType, "application/json");
    builder.set_system(SystemKey::ContentEncoding, "utf-8");
    Ok(builder)
}

/// Adds members to a JSON object, whose text stays as it is.
fn extended(body: &[u8], members: &str) -> Result<String, MapError> {
    let text = std::str::from_utf8(body).map_err(|_| MapError::NotAnObject)?.trim();
    let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let inside = inside.ok_or(MapError::NotAnObject)?.trim_end();
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| MapError::NotAnObject)?;
    let comma = if inside.trim().is_empty() || members.is_empty() { "" } else { "," };
    Ok(format!("{{{inside}{comma}{members}}}"))
}

impl Output {
    /// Returns the result as JSON.
    fn value(&self, outputs: &[Tensor]) -> Result<String, MapError> {
        let missing = |wanted| MapError::Output { result: self.name.clone(), wanted };
        let tensor = outputs.get(self.from).ok_or_else(|| missing("tensor"))?;
        if let Some(texts) = tensor.values::<String>() {
            let json = |text: &String| serde_json::Value::from(text.as_str()).to_string();
            return match self.take {
                Take::Value(index) => texts.get(index).map(json).ok_or_else(|| missing("element")),
                Take::All => Ok(format!("[{}]", texts.iter().map(json).collect::<Vec<_>>().join(","))),
                _ => Err(missing("number")),
            };
        }
        let numbers = numbers::numbers(tensor).ok_or_else(|| missing("number"))?;
        let number = |number: &f64| {
            let number = (number + self.offset) * self.scale;
            if !number.is_finite() {
                return Err(MapError::NotFinite { result: self.name.clone() });
            }
            Ok(text(number))
        };
        match &self.take {
            Take::Value(index) => number(numbers.get(*index).ok_or_else(|| missing("element"))?),
            Take::All => {
                Ok(format!("[{}]", numbers.iter().map(number).collect::<Result<Vec<_>, _>>()?.join(",")))
            }
            Take::Above(index, threshold) => {
                let value = *numbers.get(*index).ok_or_else(|| missing("element"))?;
                number(&value)?;
                Ok(((value + self.offset) * self.scale > *threshold).to_string())
            }
            Take::Max => {
                number(largest(&numbers).and_then(|at| numbers.get(at)).ok_or_else(|| missing("element"))?)
            }
            Take::ArgMax(labels) => {
                if numbers.iter().any(|number| number.is_nan()) {
                    return Err(MapError::NotFinite { result: self.name.clone() });
                }
                let at = largest(&numbers).ok_or_else(|| missing("element"))?;
                Ok(labels.get(at).map_or_else(
                    || at.to_string(),
                    |label| serde_json::Value::from(label.as_str()).to_string(),
                ))
            }
        }
    }
}

/// Returns where the largest number is; the first of equal ones.
fn largest(numbers: &[f64]) -> Option<usize> {
    let best = numbers.iter().enumerate().rev().max_by(|(_, a), (_, b)| a.total_cmp(b));
    best.map(|(at, _)| at)
}

fn text(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 9e15 {
        format!("{:.0}", number + 0.0)
    } else {
        serde_json::Value::from(number).to_string()
    }
}
