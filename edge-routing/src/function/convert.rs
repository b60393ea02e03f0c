//! Conversion, and tests of what a value is.

use super::{Builtin, Example, Function, Param, Signature};
use crate::number;
use crate::value::{Type, Value};

const ANY: &[Signature] = &[Signature { params: &[Param::Any], more: false }];

macro_rules! test {
    ($name:literal, $builtin:ident, $about:literal, $($condition:literal => $result:literal),+) => {
        Function {
            name: $name,
            about: $about,
            signatures: ANY,
            result: Type::Bool,
            examples: &[$(Example { condition: $condition, result: $result }),+],
            builtin: Builtin::$builtin,
        }
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "as_number",
        about: "The number that a text reads as, undefined when it reads as none.",
        signatures: &[
            Signature { params: &[Param::String], more: false },
            Signature { params: &[Param::Number], more: false },
        ],
        result: Type::Number,
        examples: &[
            Example { condition: "as_number('1,250.5') = 1250.5", result: "true" },
            Example { condition: "as_number('(5)') = -5", result: "true" },
            Example { condition: "as_number('0x10') = 16", result: "undefined" },
            Example { condition: "as_number(3) = 3", result: "true" },
            Example { condition: "as_number(true) = 1", result: "error" },
        ],
        builtin: Builtin::AsNumber,
    },
    test!("is_bool", IsBool, "Whether the value is true or false.",
        "is_bool(1 = 1)" => "true", "is_bool('true')" => "false", "is_bool('a' = missing)" => "undefined"),
    test!("is_defined", IsDefined, "Whether there is a value; a property without one counts as defined.",
        "is_defined(missing)" => "false", "is_defined('')" => "true", "is_defined(as_number('x'))" => "false"),
    test!("is_null", IsNull, "Whether the value is null. Of a body value it tells presence, not null.",
        "is_null(null)" => "true", "is_null(missing)" => "false", "is_null(3)" => "false"),
    test!("is_number", IsNumber, "Whether the value is a finite number.",
        "is_number(3)" => "true", "is_number(1 / 0)" => "false", "is_number('3')" => "false"),
    test!("is_string", IsString, "Whether the value is text.",
        "is_string('3')" => "true", "is_string(3)" => "false", "is_string(missing)" => "false"),
];

pub(super) fn as_number(arg: Value<'_>) -> Value<'static> {
    match arg {
        Value::Str(text) => number::parse(text).map_or(Value::Undefined, Value::number),
        Value::Number(value) => Value::number(value),
        _ => Value::Undefined,
    }
}

pub(super) fn test(builtin: Builtin, arg: Value<'_>) -> Value<'static> {
    Value::Bool(match builtin {
        Builtin::IsBool => match arg {
            Value::Undefined => return Value::Undefined,
            other => matches!(other, Value::Bool(_)),
        },
        Builtin::IsDefined => arg != Value::Undefined,
        Builtin::IsNumber => matches!(arg, Value::Number(value) if value.is_finite()),
        Builtin::IsString => matches!(arg, Value::Str(_)),
        _ => arg == Value::NullStr,
    })
}

/// What `is_null` tells of a body value: true for all that is there, null included.
pub(super) const fn is_present(arg: Value<'_>) -> Value<'static> {
    match arg {
        Value::Undefined => Value::Undefined,
        Value::Missing => Value::Bool(false),
        _ => Value::Bool(true),
    }
}
