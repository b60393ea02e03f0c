//! Whole routes.
//!
//! # Source
//! Route language §2.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Failure, Parser};
use crate::ast::Ast;
use crate::span::Span;
use crate::token::Kind;

/// A route as written.
#[derive(Debug)]
pub(crate) struct RouteSyntax {
    /// The source path without blanks and comments.
    pub(crate) source: String,
    pub(crate) source_span: Span,
    /// The condition and where it stands, `None` without `WHERE`.
    pub(crate) condition: Option<(Ast, Span)>,
    pub(crate) sink: SinkSyntax,
    /// Where the sink stands.
    pub(crate) sink_span: Span,
    /// What follows the sink and is not read.
    pub(crate) ignored: Option<Span>,
    pub(crate) comments: Vec<Span>,
}

/// Where a route goes, as written.
#[derive(Debug)]
pub(crate) enum SinkSyntax {
    /// `$upstream`, with the sign.
    System(String),
    /// `BrokeredEndpoint("…")`: the name, and the argument without quotes.
    Function { name: String, argument: String, name_span: Span, argument_span: Span },
}

impl Parser<'_> {
    pub(super) fn route(&mut self) -> Result<RouteSyntax, Failure> {
        if self.peek().kind == Kind::Select {
            self.next();
            self.expect(Kind::Star)?;
        }
        self.expect(Kind::From)?;
        let (source, source_span) = self.path()?;
        let condition = if self.peek().kind == Kind::Where {
            self.next();
            let first = self.at;
            let ast = self.condition(false)?;
            let tokens = self.tokens.get(first..self.at).unwrap_or(&[]);
            let span = tokens.iter().map(|token| token.span).reduce(Span::to).unwrap_or_default();
            Some((ast, span))
        } else {
            None
        };
        self.expect(Kind::Into)?;
        let first = self.peek().span;
        let sink = self.sink()?;
        let last =
            self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(first, |token| token.span);
        let rest = self.peek();
        let ignored = (rest.kind != Kind::Eof)
            .then(|| Span::new(rest.span.start(), self.text.trim_end().len().max(rest.span.end())));
        Ok(RouteSyntax {
            source,
            source_span,
            condition,
            sink,
            sink_span: first.to(last),
            ignored,
            comments: core::mem::take(&mut self.comments),
        })
    }

    fn path(&mut self) -> Result<(String, Span), Failure> {
        let first = self.at;
        let start = self.peek().span;
        let mut end = start;
        self.expect(Kind::Slash)?;
        loop {
            if !matches!(self.peek().kind, Kind::Star | Kind::Ident) {
                return Err(self.unexpected());
            }
            end = end.to(self.next().span);
            if self.peek().kind != Kind::Slash {
                break;
            }
            self.next();
        }
        Ok((self.joined(first), start.to(end)))
    }

    fn sink(&mut self) -> Result<SinkSyntax, Failure> {
        let token = self.peek();
        match token.kind {
            Kind::SysName => {
                self.next();
                Ok(SinkSyntax::System(self.slice(token.span).into()))
            }
            Kind::Ident => {
                self.next();
                self.expect(Kind::Open)?;
                let argument = self.expect(Kind::Str)?;
                self.expect(Kind::Close)?;
                let quoted = self.slice(argument.span);
                Ok(SinkSyntax::Function {
                    name: self.slice(token.span).into(),
                    argument: quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or("").into(),
                    name_span: token.span,
                    argument_span: argument.span,
                })
            }
            _ => Err(self.unexpected()),
        }
    }
}
