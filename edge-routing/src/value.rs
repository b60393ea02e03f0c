//! Values at run time, static types, and comparison.

use core::cmp::Ordering;
use core::fmt;

use crate::ast::CompareOp;
use crate::text;

/// A value while a condition is evaluated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'m> {
    Undefined,
    /// A body path that leads nowhere: null, but told apart by `is_null` and `twin_change_includes`.
    Missing,
    Null,
    Bool(bool),
    /// From arithmetic on body values it may be NaN, which then counts as defined.
    Number(f64),
    Str(&'m str),
    /// A property that is present without a value.
    NullStr,
}

/// What the checker knows of an expression.
///
/// # Source
/// Route language §7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Type {
    /// Text: properties and what text functions give.
    String,
    /// A number.
    Number,
    /// A truth value.
    Bool,
    /// The literal `null`.
    Null,
    /// The literal `undefined`, and expressions that failed to compile.
    Undefined,
    /// A body value, whose type shows only at run time; errors call it `unknown`.
    Dynamic,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Null => "null",
            Self::Undefined => "undefined",
            Self::Dynamic => "unknown",
        })
    }
}

/// The outcome of a condition: only `True` routes a message.
///
/// # Examples
/// ```
/// use edge_routing::{Condition, Sample, Truth};
/// let condition = Condition::compile("as_number(temp) > 30").unwrap();
/// let hot = Sample::new("/messages").with_property("temp", Some("31"));
/// assert_eq!(condition.evaluate(&hot), Truth::True);
/// assert_eq!(condition.evaluate(&Sample::new("/messages")), Truth::Undefined);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "three-valued logic has three values")]
pub enum Truth {
    /// The message is routed.
    True,
    /// The message is not routed. A null condition counts as this.
    False,
    /// The message is not routed: something the condition needs is missing or of another type.
    Undefined,
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::True => "true",
            Self::False => "false",
            Self::Undefined => "undefined",
        })
    }
}

impl<'m> Value<'m> {
    /// What a whole condition of this value amounts to.
    pub(crate) const fn truth(self) -> Truth {
        match self {
            Self::Bool(true) => Truth::True,
            Self::Bool(false) => Truth::False,
            _ => Truth::Undefined,
        }
    }

    /// A number as static arithmetic knows it, where NaN is undefined.
    pub(crate) const fn number(value: f64) -> Self {
        if value.is_nan() { Self::Undefined } else { Self::Number(value) }
    }

    pub(crate) fn text(value: Option<&'m str>) -> Self {
        value.map_or(Self::NullStr, Self::Str)
    }

    /// The number in a slot for numbers.
    pub(crate) const fn as_number(self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(value),
            _ => None,
        }
    }

    /// The text in a slot for strings; a property without a value does not count.
    pub(crate) const fn as_str(self) -> Option<&'m str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    const fn is_undefined(self) -> bool {
        matches!(self, Self::Undefined)
    }

    /// Order of the types when a body value meets one of another type.
    const fn rank(self) -> u8 {
        match self {
            Self::Undefined => 0,
            Self::Bool(_) => 1,
            Self::Number(_) => 2,
            Self::Str(_) | Self::NullStr => 3,
            Self::Null | Self::Missing => 4,
        }
    }
}

/// Compares two values of one static type, or, where one of them comes from the body (`dynamic`), of any.
///
/// # Source
/// Route language §8.
pub(crate) fn compare(op: CompareOp, a: Value<'_>, b: Value<'_>, dynamic: bool) -> Value<'static> {
    if a.is_undefined() || b.is_undefined() {
        return Value::Undefined;
    }
    if !dynamic && (a == Value::NullStr || b == Value::NullStr) {
        return Value::Undefined;
    }
    Value::Bool(op.holds(order(a, b)))
}

fn order(a: Value<'_>, b: Value<'_>) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(&b),
        (Value::Number(a), Value::Number(b)) => {
            a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
        }
        (Value::Str(a), Value::Str(b)) => text::compare(a, b),
        (Value::NullStr, Value::Str(_)) => Ordering::Less,
        (Value::Str(_), Value::NullStr) => Ordering::Greater,
        _ => a.rank().cmp(&b.rank()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_an_order() {
        let ascending = [
            Value::Bool(true),
            Value::Number(f64::NAN),
            Value::Number(1e9),
            Value::NullStr,
            Value::Str(""),
            Value::Null,
        ];
        for pair in ascending.windows(2) {
            assert_eq!(compare(CompareOp::Lt, pair[0], pair[1], true), Value::Bool(true), "{pair:?}");
        }
        assert_eq!(compare(CompareOp::Eq, Value::Null, Value::Missing, true), Value::Bool(true));
        assert_eq!(compare(CompareOp::Eq, Value::Undefined, Value::Null, true), Value::Undefined);
        assert_eq!(compare(CompareOp::Eq, Value::NullStr, Value::NullStr, false), Value::Undefined);
    }
}
