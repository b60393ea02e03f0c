//! Expressions, by precedence climbing.
//!
//! # Source
//! Route language §4; the ways in which broken conditions are taken apart follow the original's error productions, so
//! that the same texts give the same errors.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::{Failure, Parser, failure, literal};
use crate::ast::{ArithOp, Ast, BinaryOp, CompareOp, Literal, LogicOp, NodeId, NodeKind, UnaryOp};
use crate::diagnostic::Code;
use crate::limits::MAX_DEPTH;
use crate::span::Span;
use crate::token::{Kind, Token};

/// Level of a character of no token between two expressions: it binds weakest.
const STRAY: u8 = 0;
const COALESCE: u8 = 1;
const OR: u8 = 2;
const AND: u8 = 3;
const EQUALITY: u8 = 4;
const ORDER: u8 = 5;
const SUM: u8 = 6;
const PRODUCT: u8 = 7;
/// Above all operators between operands: what a sign before an operand takes.
const OPERAND: u8 = 8;

enum Between {
    Binary(BinaryOp),
    Logic(LogicOp),
    Stray,
}

impl Parser<'_> {
    /// A condition up to where it is complete. Alone, the rest is noted as ignored; in a route the caller goes on.
    pub(super) fn condition(&mut self, alone: bool) -> Result<Ast, Failure> {
        let root = if alone && self.peek().kind == Kind::Eof { None } else { Some(self.expression(STRAY)?) };
        let rest = self.peek();
        let ignored = (alone && rest.kind != Kind::Eof)
            .then(|| Span::new(rest.span.start(), self.text.trim_end().len().max(rest.span.end())));
        Ok(Ast { text: self.text.into(), nodes: core::mem::take(&mut self.nodes), root, ignored })
    }

    fn expression(&mut self, least: u8) -> Result<NodeId, Failure> {
        let mut left = self.primary()?;
        while let Some((level, between)) = between(self.peek().kind).filter(|(level, _)| *level >= least) {
            let sign = self.next();
            left = match between {
                Between::Logic(op) => self.chain(op, level, left, sign)?,
                Between::Binary(op) => {
                    let right = self.expression(level + 1)?;
                    let span = self.span_of(left).to(self.span_of(right));
                    let below = self.depth_of(left).max(self.depth_of(right));
                    self.push(NodeKind::Binary(op, left, right), span, sign.span, below)?
                }
                Between::Stray => {
                    let right = self.expression(STRAY + 1)?;
                    let span = self.span_of(left).to(self.span_of(right));
                    self.push(NodeKind::BadSymbol, span, sign.span, 0)?
                }
            };
        }
        Ok(left)
    }

    fn chain(&mut self, op: LogicOp, level: u8, first: NodeId, sign: Token) -> Result<NodeId, Failure> {
        let mut items = vec![first];
        let mut signs = vec![sign.span];
        loop {
            items.push(self.expression(level + 1)?);
            match between(self.peek().kind) {
                Some((_, Between::Logic(next))) if next == op => signs.push(self.next().span),
                _ => break,
            }
        }
        let span = items.iter().map(|&id| self.span_of(id)).reduce(Span::to).unwrap_or_default();
        let below = items.iter().map(|&id| self.depth_of(id)).max().unwrap_or(0);
        let token = signs.last().copied().unwrap_or(span);
        self.push(NodeKind::Logic { op, items, signs }, span, token, below)
    }

    fn primary(&mut self) -> Result<NodeId, Failure> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = alloc::format!("nested more than {MAX_DEPTH} levels deep");
            return Err(failure(Code::TooDeep, self.peek().span, message));
        }
        let result = self.operand();
        self.depth -= 1;
        result
    }

    fn operand(&mut self) -> Result<NodeId, Failure> {
        let token = self.peek();
        if let Some(value) = self.literal(token) {
            self.next();
            return self.push(NodeKind::Literal(value), token.span, token.span, 0);
        }
        let name: Box<str> = self.slice(token.span).into();
        match token.kind {
            Kind::Ident if self.ahead(1).kind == Kind::Open => self.call(name),
            Kind::Ident => {
                self.next();
                self.push(NodeKind::Property(name), token.span, token.span, 0)
            }
            Kind::SysName => {
                self.next();
                self.push(NodeKind::SysName(name), token.span, token.span, 0)
            }
            Kind::OpenBrace => {
                self.next();
                let inner = self.expect(Kind::SysName)?;
                let close = self.expect(Kind::CloseBrace)?;
                let name = self.slice(inner.span).into();
                self.push(NodeKind::Escaped(name), token.span.to(close.span), inner.span, 0)
            }
            Kind::Minus => self.signed(UnaryOp::Negate),
            Kind::Not => self.signed(UnaryOp::Not),
            Kind::Open => self.group(),
            Kind::Unknown => self.stray(),
            _ => Err(self.unexpected()),
        }
    }

    fn literal(&self, token: Token) -> Option<Literal> {
        let text = self.slice(token.span);
        Some(match token.kind {
            Kind::True => Literal::Bool(true),
            Kind::False => Literal::Bool(false),
            Kind::Null => Literal::Null,
            Kind::Undefined => Literal::Undefined,
            Kind::Integer | Kind::Real => {
                literal::parse_decimal(text).map_or(Literal::BadNumber, Literal::Number)
            }
            Kind::Hex => literal::parse_hex(text).map_or(Literal::BadNumber, Literal::Number),
            Kind::Str => Literal::Str(literal::unquote(text)),
            Kind::UnterminatedStr => Literal::OpenStr(literal::unescape(text.get(1..).unwrap_or("")).into()),
            _ => return None,
        })
    }

    fn signed(&mut self, op: UnaryOp) -> Result<NodeId, Failure> {
        let sign = self.next();
        let inner = self.expression(OPERAND)?;
        let span = sign.span.to(self.span_of(inner));
        self.push(NodeKind::Unary(op, inner), span, sign.span, self.depth_of(inner))
    }

    fn group(&mut self) -> Result<NodeId, Failure> {
        let paren = self.next();
        self.open += 1;
        let inner = self.expression(STRAY);
        self.open -= 1;
        let inner = inner?;
        if self.peek().kind != Kind::Close {
            let span = paren.span.to(self.span_of(inner));
            return self.push(NodeKind::MissingClose, span, paren.span, 0);
        }
        let close = self.next();
        let span = paren.span.to(close.span);
        if let Some(extra) = self.extra_close(span) {
            return extra;
        }
        self.push(NodeKind::Group(inner), span, paren.span, self.depth_of(inner))
    }

    fn call(&mut self, name: Box<str>) -> Result<NodeId, Failure> {
        let function = self.next();
        self.next();
        let first = self.at;
        self.open += 1;
        let args = self.arguments();
        self.open -= 1;
        let args = args?;
        let raw = self.joined(first).into();
        let close = self.expect(Kind::Close)?;
        let span = function.span.to(close.span);
        if let Some(extra) = self.extra_close(span) {
            return extra;
        }
        let below = args.iter().map(|&id| self.depth_of(id)).max().unwrap_or(0);
        self.push(NodeKind::Call { name, args, raw }, span, function.span, below)
    }

    fn arguments(&mut self) -> Result<Vec<NodeId>, Failure> {
        let mut args = Vec::new();
        if self.peek().kind == Kind::Close {
            return Ok(args);
        }
        args.push(self.expression(STRAY)?);
        while self.peek().kind == Kind::Comma {
            self.next();
            args.push(self.expression(STRAY)?);
        }
        Ok(args)
    }

    /// A `)` too many behind a group or a call; inside other parentheses it closes those.
    fn extra_close(&mut self, before: Span) -> Option<Result<NodeId, Failure>> {
        if self.open > 0 || self.peek().kind != Kind::Close {
            return None;
        }
        let extra = self.next();
        Some(self.push(NodeKind::ExtraClose, before.to(extra.span), extra.span, 0))
    }

    fn stray(&mut self) -> Result<NodeId, Failure> {
        let symbol = self.next();
        let mut span = symbol.span;
        if self.starts_expression() {
            let inner = self.expression(COALESCE)?;
            span = span.to(self.span_of(inner));
        }
        self.push(NodeKind::BadSymbol, span, symbol.span, 0)
    }

    fn starts_expression(&self) -> bool {
        let token = self.peek();
        self.literal(token).is_some()
            || matches!(
                token.kind,
                Kind::Ident
                    | Kind::SysName
                    | Kind::OpenBrace
                    | Kind::Minus
                    | Kind::Not
                    | Kind::Open
                    | Kind::Unknown
            )
    }
}

fn between(kind: Kind) -> Option<(u8, Between)> {
    let arith = |op| Between::Binary(BinaryOp::Arith(op));
    let compare = |op| Between::Binary(BinaryOp::Compare(op));
    Some(match kind {
        Kind::Star => (PRODUCT, arith(ArithOp::Multiply)),
        Kind::Slash => (PRODUCT, arith(ArithOp::Divide)),
        Kind::Percent => (PRODUCT, arith(ArithOp::Modulo)),
        Kind::Plus => (SUM, arith(ArithOp::Add)),
        Kind::Minus => (SUM, arith(ArithOp::Subtract)),
        Kind::Concat => (SUM, Between::Binary(BinaryOp::Concat)),
        Kind::Lt => (ORDER, compare(CompareOp::Lt)),
        Kind::Le => (ORDER, compare(CompareOp::Le)),
        Kind::Gt => (ORDER, compare(CompareOp::Gt)),
        Kind::Ge => (ORDER, compare(CompareOp::Ge)),
        Kind::Eq => (EQUALITY, compare(CompareOp::Eq)),
        Kind::Ne => (EQUALITY, compare(CompareOp::Ne)),
        Kind::And => (AND, Between::Logic(LogicOp::And)),
        Kind::Or => (OR, Between::Logic(LogicOp::Or)),
        Kind::Coalesce => (COALESCE, Between::Binary(BinaryOp::Coalesce)),
        Kind::Unknown => (STRAY, Between::Stray),
        _ => return None,
    })
}
