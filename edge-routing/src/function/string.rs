//! Functions on text.

use bumpalo::Bump;
use bumpalo::collections::String as BumpString;

use super::{Builtin, Example, Function, Param, Signature};
use crate::text;
use crate::value::{Type, Value};

const ONE: &[Signature] = &[Signature { params: &[Param::String], more: false }];
const TWO: &[Signature] = &[Signature { params: &[Param::String, Param::String], more: false }];

macro_rules! string {
    ($name:literal, $builtin:ident, $signatures:expr, $result:ident, $about:literal,
     $($condition:literal => $outcome:literal),+) => {
        Function {
            name: $name,
            about: $about,
            signatures: $signatures,
            result: Type::$result,
            examples: &[$(Example { condition: $condition, result: $outcome }),+],
            builtin: Builtin::$builtin,
        }
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    string!("concat", Concat, &[Signature { params: &[Param::String, Param::String], more: true }], String,
        "The texts one behind the other; `||` does the same.",
        "concat('a', 'b', 'c') = 'abc'" => "true", "'a' || 'b' = 'ab'" => "true",
        "concat('a') = 'a'" => "error", "concat('a', missing) = 'a'" => "undefined"),
    string!("length", Length, ONE, Number, "How many UTF-16 code units the text has.",
        "length('häuser') = 6" => "true", "length('') = 0" => "true"),
    string!("lower", Lower, ONE, String, "The text in lower case.", "lower('ÄB') = 'äb'" => "true"),
    string!("upper", Upper, ONE, String, "The text in upper case.", "upper('aß') = 'Aß'" => "true"),
    string!("substring", Substring, &[
        Signature { params: &[Param::String, Param::Number], more: false },
        Signature { params: &[Param::String, Param::Number, Param::Number], more: false },
    ], String, "The text from a place, counted from 0, to the end or for so many code units.",
        "substring('hello', 1) = 'ello'" => "true", "substring('hello', 1, 3) = 'ell'" => "true",
        "substring('hello', 5) = ''" => "true", "substring('hello', 5, 0) = ''" => "undefined",
        "substring('hello', 2, 9) = 'llo'" => "undefined"),
    string!("index_of", IndexOf, TWO, Number, "Where the second text begins in the first, -1 when it does not.",
        "index_of('hello', 'l') = 2" => "true", "index_of('hello', 'x') = -1" => "true"),
    string!("starts_with", StartsWith, TWO, Bool, "Whether the first text begins with the second.",
        "starts_with('hello', 'he')" => "true", "starts_with('hello', 'He')" => "false"),
    string!("ends_with", EndsWith, TWO, Bool, "Whether the first text ends with the second.",
        "ends_with('hello', 'lo')" => "true", "ends_with(missing, 'lo')" => "undefined"),
    string!("contains", Contains, TWO, Bool, "Whether the second text is somewhere in the first.",
        "contains('hello', 'ell')" => "true", "contains('hello', '')" => "true"),
];

pub(super) fn concat<'m>(args: &[Value<'m>], bump: &'m Bump) -> Value<'m> {
    let mut out = BumpString::new_in(bump);
    for arg in args {
        match arg {
            Value::Str(text) => out.push_str(text),
            // A property without a value counts as no text here, and only here.
            Value::NullStr => {}
            _ => return Value::Undefined,
        }
    }
    Value::Str(out.into_bump_str())
}

pub(super) fn one<'m>(builtin: Builtin, arg: Value<'m>, bump: &'m Bump) -> Value<'m> {
    let Some(text) = arg.as_str() else { return Value::Undefined };
    match builtin {
        Builtin::Length => Value::Number(text::length(text) as f64),
        Builtin::Lower => Value::Str(text::lower(text, bump)),
        _ => Value::Str(text::upper(text, bump)),
    }
}

pub(super) fn two(builtin: Builtin, text: Value<'_>, part: Value<'_>) -> Value<'static> {
    let (Some(text), Some(part)) = (text.as_str(), part.as_str()) else { return Value::Undefined };
    match builtin {
        Builtin::IndexOf => Value::Number(text::index_of(text, part).map_or(-1.0, |index| index as f64)),
        Builtin::StartsWith => Value::Bool(text.starts_with(part)),
        Builtin::EndsWith => Value::Bool(text.ends_with(part)),
        _ => Value::Bool(text.contains(part)),
    }
}

pub(super) fn substring<'m>(
    text: Value<'m>,
    start: Value<'m>,
    count: Option<Value<'m>>,
    bump: &'m Bump,
) -> Value<'m> {
    let (Some(text), Some(start)) = (text.as_str(), start.as_number()) else { return Value::Undefined };
    let length = text::length(text);
    // NaN fails every comparison, so all that is cast below is within the text.
    let (start, count) = match count {
        None if start >= 0.0 && start <= length as f64 => (start as usize, length - start as usize),
        Some(Value::Number(count))
            if start >= 0.0 && start < length as f64 && count >= 0.0 && count <= length as f64 - start =>
        {
            (start as usize, count as usize)
        }
        _ => return Value::Undefined,
    };
    Value::Str(text::substring(text, start, count, bump))
}
