//! The condition as written: a tree kept in one list, children before parents.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::span::Span;

/// Index of a node in [`Ast::nodes`].
pub(crate) type NodeId = usize;

/// A parsed condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ast {
    /// The text that all spans point into.
    pub(crate) text: Box<str>,
    pub(crate) nodes: Vec<Node>,
    /// `None` for a blank condition.
    pub(crate) root: Option<NodeId>,
    /// What follows the condition and is not read.
    pub(crate) ignored: Option<Span>,
}

/// One expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    /// The whole expression.
    pub(crate) span: Span,
    /// The token that errors about this expression point to.
    pub(crate) token: Span,
    /// Levels below, counting this one.
    pub(crate) depth: usize,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NodeKind {
    Literal(Literal),
    /// An application property.
    Property(Box<str>),
    /// `$name`, with the sign.
    SysName(Box<str>),
    /// `{$name}`: the name with the sign.
    Escaped(Box<str>),
    Group(NodeId),
    Call {
        name: Box<str>,
        args: Vec<NodeId>,
        /// The arguments with blanks and comments taken out, for functions that take a path.
        raw: Box<str>,
    },
    Unary(UnaryOp, NodeId),
    Binary(BinaryOp, NodeId, NodeId),
    /// A chain of `AND` or of `OR`; `signs` holds the place of each operator word.
    Logic {
        op: LogicOp,
        items: Vec<NodeId>,
        signs: Vec<Span>,
    },
    /// A character of no token, alone or between expressions.
    BadSymbol,
    /// `(a))`.
    ExtraClose,
    /// `(a`.
    MissingClose,
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Bool(bool),
    Number(f64),
    /// A number too large to be one, or `e5`.
    BadNumber,
    Str(Box<str>),
    /// A string without its closing quote.
    OpenStr(Box<str>),
    Null,
    Undefined,
}

/// A sign before one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnaryOp {
    Negate,
    Not,
}

/// `AND` or `OR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LogicOp {
    And,
    Or,
}

/// A sign between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Arith(ArithOp),
    Concat,
    Compare(CompareOp),
    Coalesce,
}

/// Arithmetic on numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ArithOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl CompareOp {
    /// Whether the operator holds for operands in this order.
    pub(crate) fn holds(self, order: core::cmp::Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
        }
    }

    /// The operator that holds with the operands swapped.
    pub(crate) const fn swapped(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            same => same,
        }
    }
}

impl Ast {
    /// The node, which exists because ids come only from this tree.
    pub(crate) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// The text at `span`.
    pub(crate) fn text(&self, span: Span) -> &str {
        span.slice(&self.text)
    }

    /// The token that errors about a node point to.
    pub(crate) fn symbol(&self, id: NodeId) -> &str {
        self.node(id).map_or("", |node| self.text(node.token))
    }

    /// The expression inside any parentheses around `id`.
    pub(crate) fn ungrouped(&self, mut id: NodeId) -> NodeId {
        while let Some(NodeKind::Group(inner)) = self.node(id).map(|node| &node.kind) {
            id = *inner;
        }
        id
    }
}
