//! Functions on numbers.

use super::{Builtin, Example, Function, Param, Signature};
use crate::number;
use crate::value::{Type, Value};

const ONE: &[Signature] = &[Signature { params: &[Param::Number], more: false }];
const TWO: &[Signature] = &[Signature { params: &[Param::Number, Param::Number], more: false }];

macro_rules! math {
    ($name:literal, $builtin:ident, $signatures:expr, $about:literal, $($condition:literal => $result:literal),+) => {
        Function {
            name: $name,
            about: $about,
            signatures: $signatures,
            result: Type::Number,
            examples: &[$(Example { condition: $condition, result: $result }),+],
            builtin: Builtin::$builtin,
        }
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    math!("abs", Abs, ONE, "The number without its sign.",
        "abs(-3) = 3" => "true", "abs(missing) = 3" => "error", "is_defined(abs(as_number(missing)))" => "false"),
    math!("exp", Exp, ONE, "e to the power of the number.", "exp(0) = 1" => "true"),
    math!("power", Power, TWO, "The first number to the power of the second.",
        "power(2, 10) = 1024" => "true", "power(2) = 2" => "error", "power(-8, 0.5) = 0" => "undefined"),
    math!("square", Square, ONE, "The number times itself.", "square(-3) = 9" => "true"),
    math!("ceiling", Ceiling, ONE, "The smallest whole number that is not below.",
        "ceiling(1.2) = 2" => "true", "ceiling(-1.2) = -1" => "true"),
    math!("floor", Floor, ONE, "The largest whole number that is not above.",
        "floor(1.8) = 1" => "true", "floor(-1.2) = -2" => "true"),
    math!("sign", Sign, ONE, "-1, 0 or 1.", "sign(-7) = -1" => "true", "sign(0) = 0" => "true"),
    math!("sqrt", Sqrt, ONE, "The square root.", "sqrt(9) = 3" => "true", "sqrt(-1) = 0" => "undefined"),
];

pub(super) fn one(builtin: Builtin, arg: Value<'_>) -> Value<'static> {
    let Some(x) = arg.as_number() else { return Value::Undefined };
    Value::number(match builtin {
        Builtin::Abs => x.abs(),
        Builtin::Exp => number::exp(x),
        Builtin::Square => x * x,
        Builtin::Ceiling => number::ceiling(x),
        Builtin::Floor => number::floor(x),
        Builtin::Sqrt => number::sqrt(x),
        _ if x == 0.0 => 0.0,
        _ if x.is_nan() => x,
        _ => x.signum(),
    })
}

pub(super) fn power(base: Value<'_>, exponent: Value<'_>) -> Value<'static> {
    match (base.as_number(), exponent.as_number()) {
        (Some(x), Some(y)) => Value::number(number::power(x, y)),
        _ => Value::Undefined,
    }
}
