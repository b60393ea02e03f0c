//! Compiled conditions: expressions without text, each kept once however often the routes of a set repeat it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use hashbrown::HashMap;

use crate::ast::{ArithOp, CompareOp, LogicOp};
use crate::body::{Path, Segment, Trie};
use crate::function::Builtin;

/// Index of an expression.
pub(crate) type ExprId = u32;
/// Index of a leaf.
pub(crate) type LeafId = u32;

/// An expression; types were checked, so operands are of the types that the variant needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Expr {
    Undefined,
    Null,
    Bool(bool),
    /// The bits of a number.
    Number(u64),
    /// Index into the strings.
    Str(u32),
    Leaf(LeafId),
    Not(ExprId),
    /// `AND` or `OR` of truth values and undefined.
    Logic {
        op: LogicOp,
        items: List,
    },
    /// `AND` or `OR` with a body value on the left: undefined unless both are truth values.
    DynamicLogic {
        op: LogicOp,
        left: ExprId,
        right: ExprId,
    },
    Compare {
        op: CompareOp,
        dynamic: bool,
        left: ExprId,
        right: ExprId,
    },
    Arith {
        op: ArithOp,
        dynamic: bool,
        left: ExprId,
        right: ExprId,
    },
    Negate(ExprId),
    Coalesce(ExprId, ExprId),
    Call {
        builtin: Builtin,
        args: List,
    },
    /// Whether a body has something at the leaf's path.
    Includes(LeafId),
}

/// A range of the lists of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct List {
    start: u32,
    len: u32,
}

/// Something that a condition takes from the message. Names of properties are in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Leaf {
    /// `name`.
    App(Box<str>),
    /// `{$name}`, without the sign.
    System(Box<str>),
    /// `$name`, with the sign: an application property of that name, or else a system property.
    AppOrSystem(Box<str>),
    /// `{$body.path}`.
    Body(BodyRef),
    /// `$body.path`: an application property of that name, or else the body.
    AppOrBody(Box<str>, BodyRef),
}

/// A path into the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum BodyRef {
    /// A slot of the trie.
    Slot(u32),
    /// Index of a path with wildcards.
    Wild(u32),
    /// A path that fails whenever it is followed.
    Never,
}

/// The expressions of one condition or of a whole set.
#[derive(Debug, Default)]
pub(crate) struct Program {
    exprs: Vec<Expr>,
    lists: Vec<ExprId>,
    strings: Vec<Box<str>>,
    leaves: Vec<Leaf>,
    trie: Trie,
    wild: Vec<Vec<Segment>>,
    /// For each expression the place where its value is remembered, if it is used more than once and worth it.
    shared: Vec<Option<NonZeroU32>>,
    places: u32,
}

impl Program {
    pub(crate) fn expr(&self, id: ExprId) -> Expr {
        self.exprs.get(id as usize).copied().unwrap_or(Expr::Undefined)
    }

    pub(crate) fn list(&self, list: List) -> &[ExprId] {
        let start = list.start as usize;
        self.lists.get(start..start + list.len as usize).unwrap_or(&[])
    }

    /// Where the value of an expression is remembered.
    pub(crate) fn place(&self, id: ExprId) -> Option<u32> {
        self.shared.get(id as usize).copied().flatten().map(NonZeroU32::get)
    }

    /// How many places there are: first those of the leaves, then those of shared expressions.
    pub(crate) const fn places(&self) -> usize {
        self.places as usize
    }

    pub(crate) fn string(&self, id: u32) -> &str {
        self.strings.get(id as usize).map_or("", |text| text)
    }

    pub(crate) fn leaf(&self, id: LeafId) -> Option<&Leaf> {
        self.leaves.get(id as usize)
    }

    pub(crate) const fn trie(&self) -> &Trie {
        &self.trie
    }

    pub(crate) fn wild(&self, index: u32) -> &[Segment] {
        self.wild.get(index as usize).map_or(&[], |path| path)
    }

    /// Calls `each` with the operands of an expression.
    pub(crate) fn operands(&self, id: ExprId, each: &mut dyn FnMut(ExprId)) {
        match self.expr(id) {
            Expr::Not(inner) | Expr::Negate(inner) => each(inner),
            Expr::Logic { items, .. } | Expr::Call { args: items, .. } => {
                self.list(items).iter().for_each(|&item| each(item));
            }
            Expr::DynamicLogic { left, right, .. }
            | Expr::Compare { left, right, .. }
            | Expr::Arith { left, right, .. }
            | Expr::Coalesce(left, right) => {
                each(left);
                each(right);
            }
            Expr::Undefined
            | Expr::Null
            | Expr::Bool(_)
            | Expr::Number(_)
            | Expr::Str(_)
            | Expr::Leaf(_)
            | Expr::Includes(_) => {}
        }
    }
}

/// Builds a [`Program`], giving equal parts equal ids.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    program: Program,
    exprs: HashMap<Expr, ExprId>,
    lists: HashMap<Box<[ExprId]>, List>,
    strings: HashMap<Box<str>, u32>,
    leaves: HashMap<Leaf, LeafId>,
    wild: HashMap<Vec<Segment>, u32>,
    /// The paths of the slots.
    paths: Vec<Vec<Segment>>,
}

fn next(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl Builder {
    pub(crate) fn expr(&mut self, expr: Expr) -> ExprId {
        *self.exprs.entry(expr).or_insert_with(|| {
            self.program.exprs.push(expr);
            next(self.program.exprs.len() - 1)
        })
    }

    /// The number that an expression is, if it is a literal.
    pub(crate) fn constant(&self, id: ExprId) -> Option<f64> {
        match self.program.expr(id) {
            Expr::Number(bits) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    pub(crate) fn number(&mut self, value: f64) -> ExprId {
        self.expr(Expr::Number(value.to_bits()))
    }

    pub(crate) fn str(&mut self, text: &str) -> ExprId {
        let id = match self.strings.get(text) {
            Some(id) => *id,
            None => {
                let id = next(self.program.strings.len());
                self.program.strings.push(text.into());
                self.strings.insert(text.into(), id);
                id
            }
        };
        self.expr(Expr::Str(id))
    }

    pub(crate) fn list(&mut self, items: &[ExprId]) -> List {
        if let Some(list) = self.lists.get(items) {
            return *list;
        }
        let list = List { start: next(self.program.lists.len()), len: next(items.len()) };
        self.program.lists.extend_from_slice(items);
        self.lists.insert(items.into(), list);
        list
    }

    pub(crate) fn leaf(&mut self, leaf: Leaf) -> LeafId {
        if let Some(id) = self.leaves.get(&leaf) {
            return *id;
        }
        let id = next(self.program.leaves.len());
        self.program.leaves.push(leaf.clone());
        self.leaves.insert(leaf, id);
        id
    }

    pub(crate) fn body(&mut self, path: Path) -> BodyRef {
        let wildcard = path.has_wildcard();
        match path {
            Path::Never => BodyRef::Never,
            Path::Plain(segments) if wildcard => {
                let id = next(self.program.wild.len());
                BodyRef::Wild(*self.wild.entry(segments).or_insert_with_key(|segments| {
                    self.program.wild.push(segments.clone());
                    id
                }))
            }
            Path::Plain(segments) => {
                let slot = self.program.trie.insert(&segments);
                if slot as usize == self.paths.len() {
                    self.paths.push(segments);
                }
                BodyRef::Slot(slot)
            }
        }
    }

    /// The paths of the body slots so far.
    pub(crate) fn paths(&self) -> &[Vec<Segment>] {
        &self.paths
    }

    /// The program, in which `roots` are evaluated.
    pub(crate) fn finish(self, roots: impl Iterator<Item = ExprId>) -> Program {
        let mut program = self.program;
        let mut uses: Vec<u32> = alloc::vec![0; program.exprs.len()];
        let mut count = |id: ExprId| {
            if let Some(uses) = uses.get_mut(id as usize) {
                *uses = uses.saturating_add(1);
            }
        };
        roots.for_each(&mut count);
        for id in 0..next(program.exprs.len()) {
            program.operands(id, &mut count);
        }
        // Place 0 is that of a leaf or of none at all, so places of expressions are never 0.
        program.places = next(program.leaves.len()).max(1);
        for (expr, uses) in program.exprs.iter().zip(uses) {
            // Comparing and combining known values costs less than looking them up.
            let worth = matches!(expr, Expr::Arith { .. } | Expr::Call { .. });
            if worth && uses > 1 {
                program.shared.push(NonZeroU32::new(program.places));
                program.places += 1;
            } else {
                program.shared.push(None);
            }
        }
        program
    }
}
