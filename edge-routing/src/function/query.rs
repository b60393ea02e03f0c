//! Functions that look into the body by a path.

use super::{Builtin, Example, Function, Param, Signature};
use crate::value::Type;

pub(super) const FUNCTIONS: &[Function] = &[Function {
    name: "twin_change_includes",
    about: "Whether a twin change has something at a path under properties.reported, properties.desired or tags.",
    signatures: &[Signature { params: &[Param::Path], more: false }],
    result: Type::Bool,
    examples: &[
        Example { condition: "twin_change_includes(properties.reported.a)", result: "undefined" },
        Example { condition: "twin_change_includes(reported.a)", result: "error" },
        Example { condition: "twin_change_includes()", result: "error" },
    ],
    builtin: Builtin::TwinChangeIncludes,
}];

/// How a path of `twin_change_includes` must begin.
pub(crate) const TWIN_PREFIXES: [&str; 3] = ["properties.reported.", "properties.desired.", "tags."];
