//! The built-in functions: names, arguments, results, and examples that run as tests.
//!
//! # Source
//! Route language §9.

mod convert;
mod math;
mod query;
mod string;

use core::fmt;

pub(crate) use query::TWIN_PREFIXES;
pub(crate) use string::join;

use crate::maker::Maker;
use crate::value::{Type, Value};

/// A built-in function.
///
/// # Examples
/// ```
/// use edge_routing::Function;
/// let lower = Function::named("LOWER").unwrap();
/// assert_eq!(lower.to_string(), "lower(string)");
/// assert!(Function::all().any(|function| function.name() == "substring"));
/// ```
#[derive(Debug)]
pub struct Function {
    name: &'static str,
    about: &'static str,
    signatures: &'static [Signature],
    result: Type,
    examples: &'static [Example],
    pub(crate) builtin: Builtin,
}

/// Arguments that a function takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    params: &'static [Param],
    /// Whether any number of further arguments like the last one may follow.
    more: bool,
}

/// What one argument may be. Body values fit anywhere and are checked when a message comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Param {
    /// Text.
    String,
    /// A number.
    Number,
    /// Anything.
    Any,
    /// A path into a twin, written without quotes.
    Path,
}

/// A condition that shows a function at work; all of them run as tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    condition: &'static str,
    result: &'static str,
}

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Builtin {
    Abs,
    Exp,
    Power,
    Square,
    Ceiling,
    Floor,
    Sign,
    Sqrt,
    AsNumber,
    IsBool,
    IsDefined,
    IsNull,
    IsNumber,
    IsString,
    Concat,
    Length,
    Lower,
    Upper,
    Substring,
    IndexOf,
    StartsWith,
    EndsWith,
    Contains,
    TwinChangeIncludes,
    /// `is_null` of a body value, which tells presence.
    IsPresent,
}

const TABLES: [&[Function]; 4] = [math::FUNCTIONS, convert::FUNCTIONS, string::FUNCTIONS, query::FUNCTIONS];

impl Function {
    /// All functions of the language.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        TABLES.into_iter().flatten()
    }

    /// The function of this name, case aside.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().find(|function| function.name.eq_ignore_ascii_case(name))
    }

    /// The name, in lower case.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it does, in one sentence.
    #[must_use]
    pub const fn about(&self) -> &'static str {
        self.about
    }

    /// The ways to call it.
    #[must_use]
    pub const fn signatures(&self) -> &'static [Signature] {
        self.signatures
    }

    /// What it gives, unless it is undefined.
    #[must_use]
    pub const fn result(&self) -> Type {
        self.result
    }

    /// Conditions that show it at work.
    #[must_use]
    pub const fn examples(&self) -> &'static [Example] {
        self.examples
    }

    /// Whether arguments of these types may be given.
    pub(crate) fn accepts(&self, types: &[Type]) -> bool {
        self.signatures.iter().any(|signature| signature.accepts(types))
    }
}

impl Signature {
    /// The arguments, in order.
    #[must_use]
    pub const fn params(&self) -> &'static [Param] {
        self.params
    }

    /// Whether any number of further arguments like the last one may follow.
    #[must_use]
    pub const fn takes_more(&self) -> bool {
        self.more
    }

    fn accepts(&self, types: &[Type]) -> bool {
        let fits = types.len() == self.params.len() || (self.more && types.len() >= self.params.len());
        let last = self.params.last();
        let params = self.params.iter().chain(last.into_iter().cycle());
        fits && types.iter().zip(params).all(|(found, param)| param.accepts(*found))
    }
}

impl Param {
    const fn accepts(self, found: Type) -> bool {
        match self {
            Self::String => matches!(found, Type::String | Type::Dynamic),
            Self::Number => matches!(found, Type::Number | Type::Dynamic),
            Self::Any => true,
            Self::Path => false,
        }
    }
}

impl Example {
    /// The condition.
    #[must_use]
    pub const fn condition(&self) -> &'static str {
        self.condition
    }

    /// `true`, `false`, `undefined` or `error`.
    #[must_use]
    pub const fn result(&self) -> &'static str {
        self.result
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, signature) in self.signatures.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { " or " })?;
            write!(f, "{}(", self.name)?;
            for (index, param) in signature.params.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { ", " })?;
                f.write_str(match param {
                    Param::String => "string",
                    Param::Number => "number",
                    Param::Any => "any",
                    Param::Path => "path",
                })?;
            }
            f.write_str(if signature.more { ", …)" } else { ")" })?;
        }
        Ok(())
    }
}

/// Runs a function on arguments that its checker let through; [`join`] stands for `concat`.
pub(crate) fn call<'m>(builtin: Builtin, args: &[Value<'m>], maker: &mut Maker<'m>) -> Value<'m> {
    let arg = |index: usize| args.get(index).copied().unwrap_or(Value::Undefined);
    match builtin {
        Builtin::Abs
        | Builtin::Exp
        | Builtin::Square
        | Builtin::Ceiling
        | Builtin::Floor
        | Builtin::Sign
        | Builtin::Sqrt => math::one(builtin, arg(0)),
        Builtin::Power => math::power(arg(0), arg(1)),
        Builtin::AsNumber => convert::as_number(arg(0)),
        Builtin::IsBool | Builtin::IsDefined | Builtin::IsNull | Builtin::IsNumber | Builtin::IsString => {
            convert::test(builtin, arg(0))
        }
        Builtin::IsPresent => convert::is_present(arg(0)),
        Builtin::Length | Builtin::Lower | Builtin::Upper => string::one(builtin, arg(0), maker),
        Builtin::Substring => string::substring(arg(0), arg(1), args.get(2).copied(), maker),
        Builtin::IndexOf | Builtin::StartsWith | Builtin::EndsWith | Builtin::Contains => {
            string::two(builtin, arg(0), arg(1))
        }
        Builtin::Concat | Builtin::TwinChangeIncludes => Value::Undefined,
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
