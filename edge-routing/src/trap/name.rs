//! Names that are not what they look like.

use alloc::format;

use super::SYSTEM_PROPERTIES;
use crate::body::{Path, read_path};
use crate::check::body_path;
use crate::diagnostic::{Code, Diagnostic, closest};
use crate::span::Span;

/// A trap in the name of an application property.
pub(super) fn property(name: &str, span: Span) -> Option<Diagnostic> {
    for keyword in ["true", "false", "null", "undefined"] {
        if name.eq_ignore_ascii_case(keyword) {
            let message =
                format!("'{name}' is a property of that name, because {keyword} is written in small letters");
            return Some(
                Diagnostic::new(Code::UpperCaseKeyword, span, message).with_help(format!("write {keyword}")),
            );
        }
    }
    let report = |message: &str| Diagnostic::new(Code::GluedOperator, span, format!("'{name}' {message}"));
    let one_name = "is one name, not an operation";
    if name.starts_with('\'') {
        return Some(
            report("is a name, because text follows the closing quote").with_help(glued_string_help(name)),
        );
    }
    if let Some(bare) = name.strip_suffix('!') {
        return Some(report(one_name).with_help(format!("write {bare} != with a blank before !=")));
    }
    if let Some(sign) = ["||", "&&"].into_iter().find(|sign| name.contains(sign)) {
        let word = if sign == "&&" { "AND" } else { sign };
        return Some(report(one_name).with_help(format!("write {word} with a blank on both sides")));
    }
    let digits = name.trim_start_matches(['-', '+']);
    if digits.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(report("is a name, not a number").with_help("write a number as -12, 1.5, 2e3 or 0xFF"));
    }
    let sign = name.chars().find(|c| matches!(c, '+' | '-' | '*' | '%' | '!' | '|' | '&'))?;
    let parted = match name.split_once(sign) {
        Some(("", right)) => format!("{sign} {right}"),
        Some((left, right)) => format!("{left} {sign} {right}"),
        None => return None,
    };
    Some(report(one_name).with_help(format!("to calculate write {parted}, with as_number around properties")))
}

fn glued_string_help(name: &str) -> &'static str {
    if name.contains("||") {
        "write || with a blank on both sides"
    } else {
        r"put a blank behind the closing quote; a quote inside a text is written \'"
    }
}

/// A trap in `$name`.
pub(super) fn system(name: &str, span: Span) -> Option<Diagnostic> {
    if let Some(path) = body_path(name) {
        return body(path, span);
    }
    let bare = name.get(1..).unwrap_or("");
    if bare.eq_ignore_ascii_case("body") {
        let report = Diagnostic::new(
            Code::BareBody,
            span,
            "$body without a path is a system property that does not exist",
        );
        return Some(report.with_help("name a member of the body, as in $body.machine.status"));
    }
    let twin = bare.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("twin"));
    if twin && bare.get(4..).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '['])) {
        let report = Diagnostic::new(
            Code::TwinInCondition,
            span,
            format!("'{name}' is always undefined: the edge has no twins in conditions"),
        );
        return Some(report.with_help("let the device send the value as a property of its messages"));
    }
    if bare.contains(['[', ']']) {
        let report = Diagnostic::new(
            Code::Brackets,
            span,
            format!("'{name}' is always undefined: brackets belong to $body paths"),
        );
        return Some(report.with_help(format!("write $body.{bare}")));
    }
    if SYSTEM_PROPERTIES.iter().any(|known| known.eq_ignore_ascii_case(bare)) {
        return None;
    }
    let report =
        Diagnostic::new(Code::UnknownSystemProperty, span, format!("there is no system property '{bare}'"));
    Some(match closest(bare, SYSTEM_PROPERTIES) {
        Some(known) => report.with_help(format!("did you mean ${known}?")),
        None => report.with_help(format!("an application property is written {bare}, without the sign")),
    })
}

fn body(path: &str, span: Span) -> Option<Diagnostic> {
    let path = read_path(path);
    let message = if path == Path::Never {
        "the path is accepted but never finds anything"
    } else if path.has_wildcard() {
        "a * in a path has a value only when exactly one member is there"
    } else {
        return None;
    };
    let help = "a path is names parted by dots, each with an index in brackets if it is an array: $body.items[0].name";
    Some(Diagnostic::new(Code::StrangeBodyPath, span, message).with_help(help))
}
