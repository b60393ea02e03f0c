//! Clocks, spawning, sleeping and unbounded queues stay in the few files made for them.
//!
//! Clippy bans the same calls; this check sees code that is configured out on this machine, and sees to it that the
//! right to such a call is given to a file, with a reason, and never to a whole crate.

use super::Finding;
use super::source::{line_of, mask, without_tests};
use super::tree::Tree;

const BANNED: &[&str] = &[
    "Instant::now(",
    "SystemTime::now(",
    "tokio::spawn(",
    "task::spawn(",
    "thread::spawn(",
    "thread::sleep(",
    "time::sleep(",
    "unbounded_channel",
    "std::sync::mpsc::channel",
    "env::set_var(",
    "process::exit(",
];
const MADE_FOR_IT: &[&str] = &["driver.rs", "clock.rs", "tasks.rs"];
const RIGHT: &str = "expect(clippy::disallowed_methods";

/// Finds banned calls outside the files that have a right to them, and rights given without a reason or too widely.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_product() && !file.is_test()) {
        let code = without_tests(&mask(&file.text).code);
        if let Some(at) = code.find(RIGHT) {
            let attribute = code[at..].split(']').next().unwrap_or_default();
            if !attribute.contains("reason") {
                findings.push(Finding::new(
                    &file.path,
                    line_of(&code, at),
                    "a right to banned calls without a reason",
                ));
            }
            if matches!(file.name(), "lib.rs" | "mod.rs") && code[..at].trim_end().ends_with("#![") {
                findings.push(Finding::new(
                    &file.path,
                    line_of(&code, at),
                    "a right to banned calls for a whole module",
                ));
            }
            continue;
        }
        if MADE_FOR_IT.contains(&file.name()) {
            continue;
        }
        for call in BANNED {
            let places = code.match_indices(call);
            findings.extend(places.map(|(at, _)| {
                Finding::new(
                    &file.path,
                    line_of(&code, at),
                    format!("`{call}` outside the files made for it"),
                )
            }));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn a_clock_in_a_core_is_found() {
        let call = "fn a() { let now = Instant::now(); }";
        assert_eq!(found("edge-a/src/session.rs", call), 1);
        assert_eq!(found("edge-a/src/driver.rs", call), 0);
        assert_eq!(found("edge-a/tests/session.rs", call), 0);
        assert_eq!(found("edge-a/src/session.rs", &format!("#[cfg(test)]\nmod tests {{ {call} }}")), 0);
    }

    #[test]
    fn a_right_needs_a_reason_and_a_file() {
        let call = "tokio::spawn(f);";
        assert_eq!(
            found(
                "edge-a/src/worker.rs",
                &format!("#[expect(clippy::disallowed_methods, reason = \"r\")]\n{call}")
            ),
            0
        );
        assert_eq!(
            found("edge-a/src/worker.rs", &format!("#[expect(clippy::disallowed_methods)]\n{call}")),
            1
        );
        assert_eq!(
            found(
                "edge-a/src/lib.rs",
                &format!("#![expect(clippy::disallowed_methods, reason = \"r\")]\n{call}")
            ),
            1
        );
    }
}
