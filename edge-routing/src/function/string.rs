//! Functions on text.

use bumpalo::collections::String as BumpString;

use super::{Builtin, Example, Function, Param, Signature};
use crate::maker::Maker;
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

/// One text of the pieces, in their order.
pub(crate) fn join<'m>(pieces: &[&'m str], maker: &mut Maker<'m>) -> Value<'m> {
    let bytes = pieces.iter().fold(0_usize, |sum, piece| sum.saturating_add(piece.len()));
    if !maker.make(bytes) {
        return Value::Undefined;
    }
    let mut out = BumpString::with_capacity_in(bytes, maker.bump());
    pieces.iter().for_each(|piece| out.push_str(piece));
    Value::Str(out.into_bump_str())
}

pub(super) fn one<'m>(builtin: Builtin, arg: Value<'m>, maker: &mut Maker<'m>) -> Value<'m> {
    let Some(text) = arg.as_str() else { return Value::Undefined };
    match builtin {
        Builtin::Length => Value::Number(text::length(text) as f64),
        _ if !maker.make(text.len()) => Value::Undefined,
        Builtin::Lower => Value::Str(text::lower(text, maker.bump())),
        _ => Value::Str(text::upper(text, maker.bump())),
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
    maker: &mut Maker<'m>,
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
    // Of text in ASCII a part is a part; of other text it is made, with up to three bytes for a code unit.
    let bytes = if text.is_ascii() { 0 } else { count.saturating_mul(3).min(text.len()) };
    if !maker.make(bytes) {
        return Value::Undefined;
    }
    Value::Str(text::substring(text, start, count, maker.bump()))
}
