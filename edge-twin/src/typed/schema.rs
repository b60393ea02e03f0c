//! JSON Schema, draft 2020-12.

use std::fmt::Display;
use std::ops::{Bound, RangeBounds};

use crate::{Map, Value};

/// Returns a schema of a type with further keywords.
pub(super) fn schema_of<const N: usize>(name: &str, keywords: [(&str, Value); N]) -> Value {
    let mut schema = Map::from([("type".into(), Value::from(name))]);
    schema.extend(keywords.map(|(keyword, value)| (keyword.into(), value)));
    Value::Object(schema)
}

/// Returns the schema of an object with these properties; others are allowed, for twins keep what they do not know.
#[must_use]
pub fn object_schema(description: &str, properties: Map) -> Value {
    let schema = schema_of("object", [("properties", properties.into())]);
    described_schema(schema, description, None)
}

/// Adds a description and a default.
#[must_use]
pub fn described_schema(mut schema: Value, description: &str, default: Option<Value>) -> Value {
    if let Value::Object(keywords) = &mut schema {
        if !description.is_empty() {
            keywords.insert("description".into(), description.into());
        }
        if let Some(default) = default {
            keywords.insert("default".into(), default);
        }
    }
    schema
}

/// Adds the bounds of a range.
#[must_use]
pub fn bounded_schema<T: Display>(mut schema: Value, range: &impl RangeBounds<T>) -> Value {
    let bounds = [
        ("minimum", "exclusiveMinimum", range.start_bound()),
        ("maximum", "exclusiveMaximum", range.end_bound()),
    ];
    if let Value::Object(keywords) = &mut schema {
        for (included, excluded, bound) in bounds {
            let (keyword, number) = match bound {
                Bound::Included(number) => (included, number),
                Bound::Excluded(number) => (excluded, number),
                Bound::Unbounded => continue,
            };
            if let Ok(number) = Value::parse(number.to_string().as_bytes()) {
                keywords.insert(keyword.into(), number);
            }
        }
    }
    schema
}
