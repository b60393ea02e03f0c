//! Tokens to trees.

mod expression;
mod literal;
mod route;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::ast::{Ast, Node, NodeId, NodeKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::lexer;
use crate::limits::{MAX_DEPTH, MAX_TERMS, MAX_TEXT_BYTES};
use crate::span::Span;
use crate::token::{Kind, Token};
use crate::trap;

pub(crate) use route::{RouteSyntax, SinkSyntax};

/// Why parsing stopped; boxed because it is rare and large.
pub(crate) type Failure = Box<Diagnostic>;

/// Parses a condition that stands alone; what follows a complete expression is ignored.
pub(crate) fn parse_condition(text: &str) -> Result<Ast, Failure> {
    let mut parser = Parser::new(text)?;
    parser.condition(true)
}

/// Parses a whole route.
pub(crate) fn parse_route(text: &str) -> Result<RouteSyntax, Failure> {
    if text.trim().is_empty() {
        return Err(failure(Code::EmptySource, Span::new(0, text.len()), "Source cannot be null or empty"));
    }
    let mut parser = Parser::new(text)?;
    parser.route()
}

/// A place in a list of tokens, and the tree built so far.
#[derive(Debug)]
pub(crate) struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    comments: Vec<Span>,
    at: usize,
    nodes: Vec<Node>,
    /// Parentheses open around the current place, of groups and of calls.
    open: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Result<Self, Failure> {
        if text.len() > MAX_TEXT_BYTES {
            let message =
                alloc::format!("the text has {} bytes, at most {MAX_TEXT_BYTES} are allowed", text.len());
            return Err(failure(Code::TextTooLong, Span::new(0, 1), message));
        }
        let lexer::Lexed { tokens, comments } = lexer::lex(text);
        Ok(Self { text, tokens, comments, at: 0, nodes: Vec::new(), open: 0, depth: 0 })
    }

    fn peek(&self) -> Token {
        self.ahead(0)
    }

    fn ahead(&self, by: usize) -> Token {
        let end = Token { kind: Kind::Eof, span: Span::new(self.text.len(), self.text.len()) };
        self.tokens.get(self.at + by).copied().unwrap_or(end)
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.at += usize::from(token.kind != Kind::Eof);
        token
    }

    fn expect(&mut self, kind: Kind) -> Result<Token, Failure> {
        if self.peek().kind == kind { Ok(self.next()) } else { Err(self.unexpected()) }
    }

    /// The original's error for a token that fits nowhere.
    fn unexpected(&self) -> Failure {
        let token = self.peek();
        let mut report = Diagnostic::new(Code::Syntax, token.span, "Syntax error.");
        if let Some(help) = trap::syntax_help(self.text, &self.tokens, self.at, &self.comments) {
            report = report.with_help(help);
        }
        report.into()
    }

    fn slice(&self, span: Span) -> &'t str {
        self.text.get(span.start()..span.end()).unwrap_or("")
    }

    /// The tokens from `first` up to here, joined.
    fn joined(&self, first: usize) -> String {
        let tokens = self.tokens.get(first..self.at).unwrap_or(&[]);
        tokens.iter().map(|token| self.slice(token.span)).collect()
    }

    fn push(&mut self, kind: NodeKind, span: Span, token: Span, below: usize) -> Result<NodeId, Failure> {
        let depth = below + 1;
        if depth > MAX_DEPTH {
            return Err(failure(
                Code::TooDeep,
                token,
                alloc::format!("nested more than {MAX_DEPTH} levels deep"),
            ));
        }
        if self.nodes.len() >= MAX_TERMS {
            return Err(failure(Code::TooManyTerms, token, alloc::format!("more than {MAX_TERMS} terms")));
        }
        self.nodes.push(Node { kind, span, token, depth });
        Ok(self.nodes.len() - 1)
    }

    fn span_of(&self, id: NodeId) -> Span {
        self.nodes.get(id).map_or_else(Span::default, |node| node.span)
    }

    fn depth_of(&self, id: NodeId) -> usize {
        self.nodes.get(id).map_or(0, |node| node.depth)
    }
}

fn failure(code: Code, span: Span, message: impl Into<String>) -> Failure {
    Diagnostic::new(code, span, message).into()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
