//! Waiting for another process, which tells nobody what it has done.

use std::time::Duration;

use edge_bench::clock;

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer.
///
/// # Panics
/// When there is none for a minute; `what` says what was waited for.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = clock::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(clock::now() < end, "waited in vain for {what}");
        clock::pause(Duration::from_millis(20));
    }
}
