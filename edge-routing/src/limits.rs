//! How large a text may be.

/// Bytes of one route or condition.
///
/// # Source
/// Our choice: a module twin, where the original keeps its routes, holds 32 KiB in all.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Levels of parentheses, function calls, signs and operators inside each other. Chains of `AND` and of `OR` count
/// as one level.
pub const MAX_DEPTH: usize = 128;

/// Literals, names, operators and calls in one condition.
pub const MAX_TERMS: usize = 8192;

/// Routes in one set.
pub const MAX_ROUTES: usize = 1_000_000;

/// Levels of objects and arrays in a body that is looked into; a deeper body counts as unusable.
///
/// # Source
/// The default of the JSON reader that the original uses.
pub const MAX_BODY_DEPTH: usize = 64;
