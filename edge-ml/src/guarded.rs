//! Calls of engines, whose panics are answers too.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls something of an engine, and returns what it panicked with if it did.
pub(crate) fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    // Whatever the call left half done is thrown away by the callers: nothing of it is looked at again.
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| message(&*panic))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word").to_owned()
}
