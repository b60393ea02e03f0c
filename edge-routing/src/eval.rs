//! Evaluation of compiled expressions against one message.

use alloc::vec::Vec;

use bumpalo::Bump;

use crate::ast::{ArithOp, LogicOp};
use crate::body::{self, BodyValue, Extract, Tree};
use crate::fields::Fields;
use crate::function::{self, Builtin};
use crate::maker::Maker;
use crate::plan::Test;
use crate::program::{BodyRef, Expr, ExprId, Leaf, LeafId, List, Program};
use crate::value::{Truth, Value, compare};

/// Bytes that are kept for the next message; what a large message took is given back.
const KEPT_BYTES: usize = 16 * 1024;

/// Buffers of an evaluation, used again for the next message.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    bump: Bump,
    extract: Extract<'static>,
    memo: Memo<'static>,
}

/// Values that are already known: those of leaves, and those of expressions that several routes share.
#[derive(Debug, Default)]
struct Memo<'m> {
    places: Vec<u32>,
    /// The owner of the place, the bytes that were made for the value, and the value.
    known: Vec<(u32, u32, Value<'m>)>,
}

/// What is known of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body<'m> {
    Unread,
    /// No JSON object, or not declared to be one.
    Unusable,
    Read(&'m str),
}

/// One message being evaluated.
#[derive(Debug)]
pub(crate) struct Eval<'m, F: ?Sized> {
    program: &'m Program,
    fields: &'m F,
    maker: Maker<'m>,
    body: Body<'m>,
    /// The whole body, once a path with a wildcard has needed it.
    tree: Option<Tree<'m>>,
    extract: Extract<'m>,
    memo: Memo<'m>,
}

impl Scratch {
    /// Runs `work` on a message and keeps the buffers.
    pub(crate) fn with<'p, F: Fields + ?Sized, T>(
        &mut self,
        program: &'p Program,
        fields: &'p F,
        work: impl for<'m> FnOnce(&mut Eval<'m, F>) -> T,
    ) -> T {
        let mut eval = Eval {
            program,
            fields,
            maker: Maker::new(&self.bump),
            body: Body::Unread,
            tree: None,
            extract: core::mem::take(&mut self.extract),
            memo: core::mem::take(&mut self.memo),
        };
        eval.memo.reset(program.places());
        let result = work(&mut eval);
        let Eval { extract, memo, .. } = eval;
        self.extract = extract.recycle(program.trie().slots());
        self.memo = memo.recycle();
        self.bump.reset();
        if self.bump.allocated_bytes() > KEPT_BYTES {
            self.bump = Bump::new();
        }
        result
    }
}

impl<'m> Memo<'m> {
    fn reset(&mut self, places: usize) {
        self.known.clear();
        if self.places.len() < places {
            self.places.resize(places, 0);
        }
    }

    /// The same buffers for a message of another lifetime; collecting an emptied list keeps its room.
    fn recycle<'n>(mut self) -> Memo<'n> {
        self.known.clear();
        let known = self.known.into_iter().map(|_| (0, 0, Value::Undefined)).collect();
        Memo { places: self.places, known }
    }

    /// A value that is known, and the bytes that were made for it.
    fn value(&self, owner: u32) -> Option<(Value<'m>, usize)> {
        let place = *self.places.get(owner as usize)?;
        let known = self.known.get(place as usize).filter(|(known, ..)| *known == owner);
        known.map(|(_, made, value)| (*value, *made as usize))
    }

    fn put(&mut self, owner: u32, made: usize, value: Value<'m>) {
        if let Some(place) = self.places.get_mut(owner as usize) {
            *place = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
            self.known.push((owner, u32::try_from(made).unwrap_or(u32::MAX), value));
        }
    }
}

impl<'m, F: Fields + ?Sized> Eval<'m, F> {
    /// The truth of a whole condition.
    pub(crate) fn truth(&mut self, root: ExprId) -> Truth {
        self.maker.begin();
        let truth = self.value(root).truth();
        if self.maker.is_over() { Truth::Undefined } else { truth }
    }

    /// Whether all tests of a plan hold.
    pub(crate) fn all_hold(&mut self, tests: &[Test]) -> bool {
        self.maker.begin();
        tests.iter().all(|test| self.holds(test)) && !self.maker.is_over()
    }

    /// Counts what is made from here on as if a condition began.
    pub(crate) const fn begin(&mut self) {
        self.maker.begin();
    }

    /// Whether more was made than a condition may make.
    pub(crate) const fn is_over(&self) -> bool {
        self.maker.is_over()
    }

    /// Whether so many texts are held that the evaluation had better go on in another one.
    pub(crate) const fn is_full(&self) -> bool {
        self.maker.is_full()
    }

    /// The value of an expression. It never fails; depth is bounded by the checker's limit on nesting.
    pub(crate) fn value(&mut self, id: ExprId) -> Value<'m> {
        let program = self.program;
        match program.expr(id) {
            Expr::Undefined => Value::Undefined,
            Expr::Null => Value::Null,
            Expr::Bool(value) => Value::Bool(value),
            Expr::Number(bits) => Value::Number(f64::from_bits(bits)),
            Expr::Str(text) => Value::Str(program.string(text)),
            Expr::Leaf(leaf) => self.leaf(leaf),
            Expr::Not(inner) => match self.value(inner) {
                Value::Bool(value) => Value::Bool(!value),
                _ => Value::Undefined,
            },
            Expr::Logic { op, items } => self.logic(op, items),
            Expr::DynamicLogic { op, left, right } => match (self.value(left), self.value(right)) {
                (Value::Bool(left), Value::Bool(right)) => Value::Bool(match op {
                    LogicOp::And => left && right,
                    LogicOp::Or => left || right,
                }),
                _ => Value::Undefined,
            },
            Expr::Compare { op, dynamic, left, right } => {
                let left = self.value(left);
                compare(op, left, self.value(right), dynamic)
            }
            Expr::Arith { op, dynamic, left, right } => self.shared(id, |eval| {
                let left = eval.value(left);
                arith(op, left, eval.value(right), dynamic)
            }),
            Expr::Negate(inner) => {
                self.value(inner).as_number().map_or(Value::Undefined, |x| Value::Number(-x))
            }
            Expr::Coalesce(left, right) => match self.value(left) {
                Value::Undefined => self.value(right),
                defined => defined,
            },
            Expr::Call { builtin, args } => self.shared(id, |eval| eval.call(builtin, args)),
            Expr::Includes(leaf) => self.includes(leaf),
        }
    }

    /// Whether a test of a plan holds.
    fn holds(&mut self, test: &Test) -> bool {
        match *test {
            Test::Number { op, dynamic, left, right } => {
                let place = self.program.place(left);
                let left = match place.and_then(|place| self.memo.value(place)) {
                    Some((value, made)) => {
                        self.maker.reuse(made);
                        value
                    }
                    None => self.value(left),
                };
                if let Value::Number(left) = left
                    && let Some(order) = left.partial_cmp(&right)
                {
                    return op.holds(order);
                }
                compare(op, left, Value::Number(right), dynamic) == Value::Bool(true)
            }
            Test::True(id) => matches!(self.value(id), Value::Bool(true)),
        }
    }

    /// Computes a value, unless it is already known because another route needed it.
    fn shared(&mut self, id: ExprId, compute: impl FnOnce(&mut Self) -> Value<'m>) -> Value<'m> {
        let Some(place) = self.program.place(id) else { return compute(self) };
        if let Some((value, made)) = self.memo.value(place) {
            self.maker.reuse(made);
            return value;
        }
        let before = self.maker.made();
        let value = compute(self);
        // Beyond the limit a value is not what it would be for another condition.
        if !self.maker.is_over() {
            self.memo.put(place, self.maker.made() - before, value);
        }
        value
    }

    /// The message.
    pub(crate) const fn fields(&self) -> &'m F {
        self.fields
    }

    /// Where texts that are made on the way live.
    pub(crate) const fn bump(&self) -> &'m Bump {
        self.maker.bump()
    }

    /// The slot of the body value that was found as number `place`.
    pub(crate) fn found_slot(&self, place: usize) -> Option<u32> {
        self.extract.slot_at(place)
    }

    fn logic(&mut self, op: LogicOp, items: List) -> Value<'m> {
        let decisive = op == LogicOp::Or;
        let mut result = Value::Bool(!decisive);
        for &item in self.program.list(items) {
            match self.value(item) {
                Value::Bool(value) if value == decisive => return Value::Bool(decisive),
                Value::Bool(_) => {}
                _ => result = Value::Undefined,
            }
        }
        result
    }

    fn call(&mut self, builtin: Builtin, args: List) -> Value<'m> {
        if self.maker.is_over() {
            return Value::Undefined;
        }
        if builtin == Builtin::Concat {
            let mut pieces = bumpalo::collections::Vec::new_in(self.bump());
            let whole = self.pieces(args, &mut pieces);
            return if whole { function::join(&pieces, &mut self.maker) } else { Value::Undefined };
        }
        let args = self.program.list(args);
        let mut few = [Value::Undefined; 4];
        if let Some(values) = few.get_mut(..args.len()) {
            for (value, &arg) in values.iter_mut().zip(args) {
                *value = self.value(arg);
            }
            return function::call(builtin, values, &mut self.maker);
        }
        let mut values = bumpalo::collections::Vec::with_capacity_in(args.len(), self.bump());
        for &arg in args {
            values.push(self.value(arg));
        }
        function::call(builtin, &values, &mut self.maker)
    }

    /// The texts that a chain of `||` or `concat` joins, those of chains inside it among them, so that no text is made
    /// on the way. `false` when one of them is none.
    fn pieces(&mut self, args: List, pieces: &mut bumpalo::collections::Vec<'m, &'m str>) -> bool {
        let program = self.program;
        program.list(args).iter().all(|&arg| {
            if let Expr::Call { builtin: Builtin::Concat, args } = program.expr(arg) {
                return self.pieces(args, pieces);
            }
            match self.value(arg) {
                Value::Str(text) => pieces.push(text),
                // A property without a value counts as no text here, and only here.
                Value::NullStr => {}
                _ => return false,
            }
            true
        })
    }

    /// The value of a leaf, taken from the message once.
    pub(crate) fn leaf(&mut self, id: LeafId) -> Value<'m> {
        if let Some((value, _)) = self.memo.value(id) {
            return value;
        }
        let fields = self.fields;
        let value = match self.program.leaf(id) {
            None => Value::Undefined,
            Some(Leaf::App(name)) => fields.property(name).map_or(Value::Undefined, Value::text),
            Some(Leaf::System(name)) => fields.system_property(name).map_or(Value::Undefined, Value::text),
            Some(Leaf::AppOrSystem(name)) => fields
                .property(name)
                .or_else(|| fields.system_property(name.get(1..).unwrap_or("")))
                .map_or(Value::Undefined, Value::text),
            Some(Leaf::Body(path)) => self.body_value(*path),
            Some(Leaf::AppOrBody(name, path)) => match fields.property(name) {
                Some(value) => Value::text(value),
                None => self.body_value(*path),
            },
        };
        self.memo.put(id, 0, value);
        value
    }

    fn body_value(&mut self, path: BodyRef) -> Value<'m> {
        match self.body_lookup(path) {
            Err(Unusable) | Ok(Some(BodyValue::Structured)) => Value::Undefined,
            Ok(None) => Value::Missing,
            Ok(Some(BodyValue::Null)) => Value::Null,
            Ok(Some(BodyValue::Bool(value))) => Value::Bool(value),
            Ok(Some(BodyValue::Number(value))) => Value::Number(value),
            Ok(Some(BodyValue::Str(text))) => Value::Str(text),
        }
    }

    fn includes(&mut self, leaf: LeafId) -> Value<'m> {
        let Some(Leaf::Body(path)) = self.program.leaf(leaf) else { return Value::Undefined };
        match self.body_lookup(*path) {
            Err(Unusable) => Value::Undefined,
            Ok(found) => Value::Bool(found.is_some()),
        }
    }

    fn body_lookup(&mut self, path: BodyRef) -> Result<Option<BodyValue<'m>>, Unusable> {
        let text = self.read_body()?;
        match path {
            BodyRef::Slot(slot) => Ok(self.extract.value(slot)),
            BodyRef::Wild(index) => {
                let tree = match self.tree {
                    Some(tree) => tree,
                    None => Tree::read(text, self.bump()).map_err(|_| Unusable)?,
                };
                self.tree = Some(tree);
                Ok(tree.follow(self.program.wild(index)))
            }
            BodyRef::Never => Err(Unusable),
        }
    }

    /// What keeps the body from being looked into, in words.
    pub(crate) fn body_problem(&mut self) -> Option<&'static str> {
        if self.read_body().is_ok() {
            return None;
        }
        Some(if body::declared_encoding(self.fields).is_none() {
            "the message does not declare its body as application/json in utf-8, utf-16 or utf-32"
        } else {
            "the body is not one JSON object"
        })
    }

    /// The program.
    pub(crate) const fn program(&self) -> &'m Program {
        self.program
    }

    /// Reads the body on the first call, for all paths of the program at once.
    pub(crate) fn read_body(&mut self) -> Result<&'m str, Unusable> {
        if self.body == Body::Unread {
            self.body = self.read_body_now().map_or(Body::Unusable, Body::Read);
        }
        match self.body {
            Body::Read(text) => Ok(text),
            _ => Err(Unusable),
        }
    }

    fn read_body_now(&mut self) -> Option<&'m str> {
        let encoding = body::declared_encoding(self.fields)?;
        let text = body::decode(encoding, self.fields.body(), self.bump())?;
        body::extract(text, self.program.trie(), self.bump(), &mut self.extract).ok()?;
        Some(text)
    }
}

/// The body cannot be looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unusable;

fn arith(op: ArithOp, left: Value<'_>, right: Value<'_>, dynamic: bool) -> Value<'static> {
    let (Some(x), Some(y)) = (left.as_number(), right.as_number()) else { return Value::Undefined };
    let result = match op {
        ArithOp::Add => x + y,
        ArithOp::Subtract => x - y,
        ArithOp::Multiply => x * y,
        ArithOp::Divide => x / y,
        ArithOp::Modulo => x % y,
    };
    // A body value that is not a number stays one of the type number, as in the original.
    if dynamic { Value::Number(result) } else { Value::number(result) }
}
