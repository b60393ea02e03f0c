//! One condition on its own.

use alloc::vec::Vec;

use crate::check::{self, Checked};
use crate::diagnostic::{Diagnostic, Diagnostics, limited};
use crate::eval::Scratch;
use crate::fields::Fields;
use crate::parser;
use crate::program::{Builder, ExprId, Program};
use crate::trap;
use crate::value::Truth;

/// A compiled condition: what stands behind `WHERE` in a route.
///
/// # Examples
/// ```
/// use edge_routing::{Condition, Sample, Truth};
/// let condition = Condition::compile("$body.machine.status = 'warning'").unwrap();
/// let message = Sample::new("/messages").with_json(br#"{"machine": {"status": "warning"}}"#);
/// assert_eq!(condition.evaluate(&message), Truth::True);
/// ```
#[derive(Debug)]
pub struct Condition {
    program: Program,
    root: ExprId,
    warnings: Diagnostics,
}

impl Condition {
    /// Compiles a condition that stands alone; what follows a complete expression is ignored, with a warning.
    ///
    /// # Errors
    /// All errors of the text, each with its place.
    pub fn compile(text: &str) -> Result<Self, Diagnostics> {
        let locate = |diagnostic: Diagnostic| diagnostic.in_text(text);
        let ast = match parser::parse_condition(text) {
            Ok(ast) => ast,
            Err(failure) => return Err([locate(*failure)].into_iter().collect()),
        };
        let mut builder = Builder::default();
        let Checked { root, ty, types, errors, .. } = check::check(&ast, &mut builder);
        if !errors.is_empty() {
            return Err(limited(errors).into_iter().map(locate).collect());
        }
        let mut found: Vec<Diagnostic> = Vec::new();
        trap::in_condition(&ast, &types, ty, &mut found);
        let warnings = limited(found).into_iter().map(locate).collect();
        Ok(Self { program: builder.finish(core::iter::once(root)), root, warnings })
    }

    /// Evaluates the condition for a message.
    #[must_use]
    pub fn evaluate<F: Fields + ?Sized>(&self, message: &F) -> Truth {
        Scratch::default().with(&self.program, message, |eval| eval.truth(self.root))
    }

    /// What the text does that it does not seem to say.
    #[must_use]
    pub const fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }
}
