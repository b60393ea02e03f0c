//! Text to tokens: the longest match wins, and among equals the earlier rule.
//!
//! # Source
//! Route language §2 and §3. Nothing fails here: a character that begins no token becomes one of its own, which the
//! parser reports.

use alloc::vec::Vec;

use crate::span::Span;
use crate::token::{Kind, Token};

/// The tokens of `text`, ending with [`Kind::Eof`], and the comments that were left out.
#[derive(Debug)]
pub(crate) struct Lexed {
    pub(crate) tokens: Vec<Token>,
    pub(crate) comments: Vec<Span>,
}

/// Cuts `text` into tokens.
pub(crate) fn lex(text: &str) -> Lexed {
    let mut tokens = Vec::new();
    let mut comments = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        if blank > 0 {
            at += blank;
            continue;
        }
        if let Some(length) = comment(rest) {
            comments.push(Span::new(at, at + length));
            at += length;
            continue;
        }
        let (kind, length) = longest(rest);
        tokens.push(Token { kind, span: Span::new(at, at + length) });
        at += length;
    }
    tokens.push(Token { kind: Kind::Eof, span: Span::new(text.len(), text.len()) });
    Lexed { tokens, comments }
}

/// Whether `c` may stand in a name.
pub(crate) const fn is_name_char(c: char) -> bool {
    is_path_char(c) && !matches!(c, '[' | ']')
}

const fn is_path_char(c: char) -> bool {
    !matches!(
        c,
        '(' | ')'
            | '<'
            | '>'
            | '@'
            | ','
            | ';'
            | ':'
            | '\\'
            | '"'
            | '/'
            | '?'
            | '='
            | '{'
            | '}'
            | ' '
            | '\t'
            | '\n'
            | '\r'
    )
}

fn comment(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix("/*")?;
    inner.find("*/").map(|at| at + 4)
}

/// The longest token that `rest` begins with; `rest` is not empty and begins with neither blank nor comment.
fn longest(rest: &str) -> (Kind, usize) {
    let name = run(rest, is_name_char);
    let path = run(rest, is_path_char);
    let mut best = (Kind::Unknown, rest.chars().next().map_or(1, char::len_utf8));
    let mut offer = |kind: Kind, length: usize| {
        if length > best.1 || (length == best.1 && best.0 == Kind::Unknown && length > 0) {
            best = (kind, length);
        }
    };
    // The order of the offers is the order of the rules.
    let word = rest.get(..name).unwrap_or("");
    if let Some(kind) = statement_keyword(word) {
        offer(kind, name);
    }
    let (string, open) = quoted(rest);
    offer(Kind::Str, string);
    offer(Kind::UnterminatedStr, open);
    offer(Kind::Integer, integer(rest));
    offer(Kind::Hex, hex(rest));
    offer(Kind::Real, real(rest));
    if let Some(kind) = word_keyword(word) {
        offer(kind, name);
    }
    if let Some((kind, length)) = symbol(rest) {
        offer(kind, length);
    }
    if rest.starts_with('$') && path > 1 {
        offer(Kind::SysName, path);
    }
    offer(Kind::Ident, name);
    offer(Kind::QueryPath, path);
    best
}

fn run(rest: &str, allowed: fn(char) -> bool) -> usize {
    rest.find(|c| !allowed(c)).unwrap_or(rest.len())
}

fn statement_keyword(word: &str) -> Option<Kind> {
    let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
    Some(match () {
        () if is("select") => Kind::Select,
        () if is("from") => Kind::From,
        () if is("where") => Kind::Where,
        () if is("into") => Kind::Into,
        () => return None,
    })
}

fn word_keyword(word: &str) -> Option<Kind> {
    let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
    Some(match word {
        "true" => Kind::True,
        "false" => Kind::False,
        "null" => Kind::Null,
        "undefined" => Kind::Undefined,
        _ if is("and") => Kind::And,
        _ if is("or") => Kind::Or,
        _ if is("not") => Kind::Not,
        _ => return None,
    })
}

fn symbol(rest: &str) -> Option<(Kind, usize)> {
    const TWO: [(&str, Kind); 6] = [
        ("!=", Kind::Ne),
        ("<>", Kind::Ne),
        ("<=", Kind::Le),
        (">=", Kind::Ge),
        ("||", Kind::Concat),
        ("??", Kind::Coalesce),
    ];
    if let Some((_, kind)) = TWO.iter().find(|(sign, _)| rest.starts_with(sign)) {
        return Some((*kind, 2));
    }
    let kind = match rest.chars().next()? {
        '(' => Kind::Open,
        ')' => Kind::Close,
        ',' => Kind::Comma,
        '+' => Kind::Plus,
        '-' => Kind::Minus,
        '*' => Kind::Star,
        '/' => Kind::Slash,
        '%' => Kind::Percent,
        '=' => Kind::Eq,
        '>' => Kind::Gt,
        '<' => Kind::Lt,
        '{' => Kind::OpenBrace,
        '}' => Kind::CloseBrace,
        _ => return None,
    };
    Some((kind, 1))
}

/// Lengths of the closed and of the open string that `rest` begins with, 0 where there is none.
fn quoted(rest: &str) -> (usize, usize) {
    let Some(quote) = rest.chars().next().filter(|c| matches!(c, '\'' | '"')) else { return (0, 0) };
    let mut at = 1;
    while let Some(tail) = rest.get(at..) {
        let Some(c) = tail.chars().next() else { break };
        if c == quote {
            return (at + 1, at);
        }
        if c == '\\' {
            match escape(tail) {
                Some(length) => at += length,
                None => break,
            }
        } else {
            at += c.len_utf8();
        }
    }
    (0, at)
}

/// Length of the escape that `tail` begins with.
fn escape(tail: &str) -> Option<usize> {
    let bytes = tail.as_bytes();
    match bytes.get(1)? {
        b'"' | b'\'' | b'\\' => Some(2),
        b'u' if bytes.get(2..6)?.iter().all(u8::is_ascii_hexdigit) => Some(6),
        _ => None,
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn integer(rest: &str) -> usize {
    let sign = usize::from(rest.starts_with('-'));
    match digits(rest.get(sign..).unwrap_or("")) {
        0 => 0,
        count => sign + count,
    }
}

fn hex(rest: &str) -> usize {
    let Some(body) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) else { return 0 };
    match body.bytes().take_while(u8::is_ascii_hexdigit).count() {
        0 => 0,
        count => count + 2,
    }
}

fn real(rest: &str) -> usize {
    let sign = usize::from(rest.starts_with('-'));
    let whole = sign + digits(rest.get(sign..).unwrap_or(""));
    let tail = rest.get(whole..).unwrap_or("");
    if let Some(fraction) = tail.strip_prefix('.') {
        let count = digits(fraction);
        if count > 0 {
            let length = whole + 1 + count;
            return length + exponent(rest.get(length..).unwrap_or(""));
        }
    }
    match exponent(tail) {
        0 => 0,
        length => whole + length,
    }
}

fn exponent(text: &str) -> usize {
    if !text.starts_with(['e', 'E']) {
        return 0;
    }
    let sign = usize::from(text.get(1..).is_some_and(|t| t.starts_with(['+', '-'])));
    match digits(text.get(1 + sign..).unwrap_or("")) {
        0 => 0,
        count => 1 + sign + count,
    }
}

#[cfg(test)]
#[path = "lexer_tests.rs"]
mod tests;
