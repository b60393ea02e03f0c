//! Function calls.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::path::path_error;
use super::{Checker, Typed};
use crate::ast::NodeId;
use crate::body::{check_path, read_path};
use crate::diagnostic::{Code, Diagnostic, closest};
use crate::function::{Builtin, Function, TWIN_PREFIXES};
use crate::program::{Expr, ExprId, Leaf};
use crate::span::Span;
use crate::value::Type;

/// Functions that people expect, and what there is instead.
const ABSENT: [(&str, &str); 9] = [
    ("round", "there is no rounding; floor(x + 0.5) does the same"),
    ("is_array", "arrays cannot be tested for; compare an item, as in $body.items[0]"),
    ("is_object", "objects cannot be tested for; compare a member of it"),
    ("is_primitive", "use is_string, is_number or is_bool"),
    ("is_nan", "a number that is none is undefined: use is_defined"),
    ("as_string", "numbers cannot be made text; compare numbers with as_number"),
    ("to_number", "the function is as_number"),
    ("now", "conditions cannot see the time"),
    ("substr", "the function is substring(text, start, length)"),
];

impl Checker<'_> {
    pub(super) fn call(&mut self, name: &str, args: &[NodeId], raw: &str, token: Span) -> Typed {
        let Some(function) = Function::named(name) else { return self.unknown_function(name, token) };
        if function.builtin == Builtin::TwinChangeIncludes {
            return self.twin_change_includes(name, raw, token);
        }
        let typed: Vec<Typed> = args.iter().map(|&arg| self.visit(arg)).collect();
        let types: Vec<Type> = typed.iter().map(|(ty, _)| *ty).collect();
        let exprs: Vec<ExprId> = typed.iter().map(|(_, expr)| *expr).collect();
        if !function.accepts(&types) {
            return self.invalid_arguments(name, function, &types, token);
        }
        let first = typed.first().copied().unwrap_or((Type::Undefined, 0));
        // What a test of a static type tells is known now; the original decides it by overload.
        match (function.builtin, first.0) {
            (Builtin::AsNumber, Type::Number) => return first,
            (Builtin::IsBool, Type::String | Type::Number | Type::Null | Type::Undefined)
            | (Builtin::IsNumber, Type::String | Type::Bool | Type::Null | Type::Undefined)
            | (Builtin::IsString, Type::Number | Type::Bool | Type::Null | Type::Undefined)
            | (Builtin::IsNull, Type::Number | Type::Bool | Type::Undefined)
            | (Builtin::IsDefined, Type::Undefined) => return self.bool(false),
            (Builtin::IsNull | Builtin::IsDefined, Type::Null) => return self.bool(true),
            (Builtin::IsNull, Type::Dynamic) => return self.emit(Builtin::IsPresent, &exprs, Type::Bool),
            _ => {}
        }
        self.emit(function.builtin, &exprs, function.result())
    }

    pub(super) fn emit(&mut self, builtin: Builtin, args: &[ExprId], ty: Type) -> Typed {
        let args = self.builder.list(args);
        (ty, self.builder.expr(Expr::Call { builtin, args }))
    }

    fn unknown_function(&mut self, name: &str, token: Span) -> Typed {
        let mut error =
            Diagnostic::new(Code::UnknownFunction, token, format!("Invalid built-in function '{name}'"));
        if let Some((_, help)) = ABSENT.iter().find(|(absent, _)| absent.eq_ignore_ascii_case(name)) {
            error = error.with_help(*help);
        } else if let Some(known) = closest(name, Function::all().map(Function::name)) {
            error = error.with_help(format!("did you mean '{known}'?"));
        }
        self.fail(error)
    }

    fn invalid_arguments(&mut self, name: &str, function: &Function, types: &[Type], token: Span) -> Typed {
        let given: Vec<String> = types.iter().map(|ty| format!("{ty}")).collect();
        let message =
            format!("Invalid arguments to built-in function '{name}': {name}({})", given.join(", "));
        self.fail(
            Diagnostic::new(Code::InvalidArguments, token, message).with_help(format!("write {function}")),
        )
    }

    fn twin_change_includes(&mut self, name: &str, path: &str, token: Span) -> Typed {
        let problem = if path.is_empty() {
            Some("twin_change_includes argument cannot be empty".into())
        } else if let Err(at) = check_path(path) {
            Some(path_error(path, at))
        } else if !TWIN_PREFIXES.iter().any(|prefix| has_prefix(path, prefix)) {
            let prefixes: Vec<String> = TWIN_PREFIXES.iter().map(|prefix| format!("'{prefix}'")).collect();
            Some(format!("'{path}' is not supported. Supported prefixes: {}.", prefixes.join(", ")))
        } else {
            None
        };
        if let Some(detail) = problem {
            let message =
                format!("Invalid arguments to built-in function '{name}': {name}(string). Error: {detail}");
            let help = "write the path without quotes: twin_change_includes(properties.reported.name)";
            return self.fail(Diagnostic::new(Code::InvalidArguments, token, message).with_help(help));
        }
        let body = self.builder.body(read_path(path));
        let leaf = self.builder.leaf(Leaf::Body(body));
        (Type::Bool, self.builder.expr(Expr::Includes(leaf)))
    }
}

fn has_prefix(path: &str, prefix: &str) -> bool {
    path.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}
