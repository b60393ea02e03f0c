//! The traps of the language: texts that are accepted and do something else than they seem to say.
//!
//! # Source
//! Route language §2 to §8, wherever it says trap, quirk or probed.

use alloc::string::String;
use alloc::vec::Vec;

use crate::ast::Ast;
use crate::diagnostic::Diagnostic;
use crate::parser::RouteSyntax;
use crate::route::CompileOptions;
use crate::token::Token;
use crate::value::Type;

/// What to say about a token that fits nowhere.
pub(crate) fn syntax_help(_text: &str, _before: Option<&Token>, _token: Token) -> Option<String> {
    None
}

/// Traps in a condition that compiled.
pub(crate) fn in_condition(_ast: &Ast, _types: &[Type], _whole: Type, _found: &mut Vec<Diagnostic>) {}

/// Traps in the other parts of a route.
pub(crate) fn in_route(
    _route: &RouteSyntax,
    _text: &str,
    _options: &CompileOptions,
    _found: &mut Vec<Diagnostic>,
) {
}

/// Conditions that do not go with their source.
pub(crate) fn condition_and_source(_ast: &Ast, _route: &RouteSyntax, _found: &mut Vec<Diagnostic>) {}
