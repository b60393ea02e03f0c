//! `$name`, `{$name}` and `$body.path`.

use alloc::format;
use alloc::string::String;

use super::{Checker, Typed, fold};
use crate::body::{check_path, read_path};
use crate::diagnostic::{Code, Diagnostic};
use crate::program::{BodyRef, Expr, Leaf};
use crate::span::{Location, Span};
use crate::value::Type;

const BODY: &str = "$body.";

impl Checker<'_> {
    /// `$name`: an application property of that name, else the body, else a system property.
    pub(super) fn sys_name(&mut self, name: &str, token: Span) -> Typed {
        let body = match body_path(name) {
            Some(path) => self.body(name, path, token),
            None => None,
        };
        let leaf = if name.contains(['[', ']']) {
            match body {
                Some(body) => Leaf::Body(body),
                None => return self.undefined(),
            }
        } else {
            match body {
                Some(body) => Leaf::AppOrBody(fold(name), body),
                None => Leaf::AppOrSystem(fold(name)),
            }
        };
        self.leaf(leaf, body.is_some())
    }

    /// `{$name}`: the body or a system property, whatever the application properties.
    pub(super) fn escaped(&mut self, name: &str, token: Span) -> Typed {
        if let Some(path) = body_path(name) {
            return match self.body(name, path, token) {
                Some(body) => self.leaf(Leaf::Body(body), true),
                None => self.undefined(),
            };
        }
        if name.contains(['[', ']']) {
            return self.undefined();
        }
        self.leaf(Leaf::System(fold(name.get(1..).unwrap_or(""))), false)
    }

    fn leaf(&mut self, leaf: Leaf, dynamic: bool) -> Typed {
        let leaf = self.builder.leaf(leaf);
        let ty = if dynamic { Type::Dynamic } else { Type::String };
        (ty, self.builder.expr(Expr::Leaf(leaf)))
    }

    fn body(&mut self, name: &str, path: &str, token: Span) -> Option<BodyRef> {
        let report = |detail: String| {
            let message =
                format!("Invalid arguments to built-in function '{name}': {name}(string). Error: {detail}");
            Diagnostic::new(Code::InvalidBodyPath, token, message)
        };
        if path.is_empty() {
            let error = report("$body query cannot be empty".into());
            self.fail(error.with_help("name a member of the body, as in $body.machine.status"));
            return None;
        }
        match check_path(path) {
            Ok(()) => Some(self.builder.body(read_path(path))),
            Err(at) => {
                let error = report(format!("Error in $body query. {}", path_error(path, at)));
                self.fail(error.with_help(
                    "a path is names parted by dots, each with an index in brackets if it is an array: \
                     $body.items[0].name; a name cannot be only digits",
                ));
                None
            }
        }
    }
}

/// The words of the original about a path that does not parse.
pub(super) fn path_error(path: &str, at: Span) -> String {
    let place = Location::of(path, at);
    format!(
        "Message:Syntax error., Location: ({}:{}, {}:{}), Severity:Error",
        place.line, place.column, place.end_line, place.end_column
    )
}

/// The path of a `$body.path`, in any case of `$body`.
pub(crate) fn body_path(name: &str) -> Option<&str> {
    let head = name.get(..BODY.len())?;
    head.eq_ignore_ascii_case(BODY).then(|| name.get(BODY.len()..)).flatten()
}
