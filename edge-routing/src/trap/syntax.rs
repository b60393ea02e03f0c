//! What to say about tokens that fit nowhere, and about text that nothing reads.

use alloc::format;
use alloc::string::String;

use crate::diagnostic::{Code, Diagnostic};
use crate::lexer;
use crate::span::Span;
use crate::token::{Kind, Token};

/// Text behind a complete condition or sink.
pub(crate) fn ignored_text(text: &str, span: Span, otherwise: &str) -> Diagnostic {
    let ignored = span.slice(text);
    let report = Diagnostic::new(Code::IgnoredText, span, "this is not read: what stands before is complete");
    let first = lexer::lex(ignored).tokens.first().copied();
    match first.and_then(|token| foreign(token.span.slice(ignored), token.kind)) {
        Some(help) => report.with_help(help),
        None => report.with_help(otherwise),
    }
}

/// Words and signs of other languages.
fn foreign(word: &str, kind: Kind) -> Option<String> {
    let is = |known: &str| word.eq_ignore_ascii_case(known);
    Some(if is("in") {
        "there is no IN: write a = 'x' OR a = 'y'".into()
    } else if is("like") {
        "there is no LIKE: use starts_with, ends_with or contains".into()
    } else if is("between") {
        "there is no BETWEEN: write a >= 1 AND a <= 2".into()
    } else if is("is") {
        "there is no IS: write is_defined(name)".into()
    } else if is("nin") {
        "there is no NIN: write a != 'x' AND a != 'y'".into()
    } else if word.starts_with("&&") {
        "the operator is AND".into()
    } else if word.starts_with("||") {
        "|| joins texts and needs a blank on both sides; for either of two write OR".into()
    } else if matches!(kind, Kind::Integer | Kind::Real) && word.starts_with('-') {
        format!("to subtract write - {} with a blank", word.get(1..).unwrap_or(""))
    } else if kind == Kind::Close {
        "there is no ( for this )".into()
    } else {
        return None;
    })
}

/// What to say about the token at `at`, which fits nowhere.
pub(crate) fn syntax_help(text: &str, tokens: &[Token], at: usize, comments: &[Span]) -> Option<String> {
    let token = *tokens.get(at)?;
    let word = token.span.slice(text);
    let before = at.checked_sub(1).and_then(|at| tokens.get(at));
    let swallowed = comments.iter().find(|comment| {
        let start = comment.start();
        start > 0 && text.as_bytes().get(start - 1).is_some_and(|b| !b.is_ascii_whitespace())
    });
    if swallowed.is_some() {
        return Some("the /* of the path begins a comment here; leave the comment out".into());
    }
    match (before.map(|token| token.kind), token.kind) {
        (Some(Kind::Eq | Kind::Ne | Kind::Lt | Kind::Gt), Kind::Eq) => {
            return Some("equality is written with one =".into());
        }
        (Some(Kind::Slash), Kind::Slash) => return Some("comments are written /* … */".into()),
        (Some(Kind::Slash), Kind::SysName) => {
            return Some("a source cannot name a module that begins with $".into());
        }
        (Some(Kind::Slash), Kind::Into | Kind::Where | Kind::Eof) => {
            return Some("a source path does not end in a slash".into());
        }
        (Some(Kind::Slash), kind) if is_reserved(kind) => {
            return Some(format!(
                "'{word}' reads as a word or number of the language and cannot be part of a source"
            ));
        }
        (Some(Kind::From), Kind::Ident | Kind::Star) => return Some("a source begins with a slash".into()),
        _ => {}
    }
    if let Some(help) = foreign(word, token.kind) {
        return Some(help);
    }
    match token.kind {
        Kind::QueryPath => Some("brackets belong to body paths: write $body. before the name".into()),
        Kind::UnterminatedStr => Some("close the string with the quote that opens it".into()),
        Kind::Eof if tokens.iter().any(|token| token.kind == Kind::UnterminatedStr) => {
            Some("a text that begins with a quote is never closed".into())
        }
        Kind::Eof => Some("the text ends here, though something is missing".into()),
        Kind::Select | Kind::From | Kind::Where | Kind::Into => {
            Some(format!("'{word}' is a word of the language and cannot be the name of a property"))
        }
        _ => None,
    }
}

const fn is_reserved(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Select
            | Kind::From
            | Kind::And
            | Kind::Or
            | Kind::Not
            | Kind::True
            | Kind::False
            | Kind::Null
            | Kind::Undefined
            | Kind::Integer
            | Kind::Hex
            | Kind::Real
    )
}
