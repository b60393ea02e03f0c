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

/// Bytes of text that one condition may make of one message with `||`, `concat`, `upper`, `lower` and `substring`; a
/// condition that makes more is undefined. A chain of `||` counts once, with the text that comes of it.
///
/// # Source
/// Our choice: 64 times the largest message that the original takes. The original has no limit but its memory.
pub const MAX_MADE_BYTES: usize = 16 * 1024 * 1024;

/// Diagnostics of one route or condition, errors first; one more says how many are left out.
///
/// # Source
/// Our choice: more than anyone reads, and few enough that a text of any kind is refused in little memory.
pub const MAX_DIAGNOSTICS: usize = 100;
