//! Rules of this workspace that no compiler knows. Each is a function from the files to findings, so that a test can
//! show it a file that breaks the rule.

mod clocks;
mod docs;
mod layering;
mod leftovers;
mod lengths;
mod manifests;
mod readme;
mod signatures;
mod source;
pub(crate) mod tree;
mod unwraps;
mod wording;

use std::fmt;
use std::path::Path;

use tree::Tree;

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// Counted from 1; 0 where the finding is about the file as a whole.
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: impl Into<String>, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.into(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

type Rule = (&'static str, fn(&Tree) -> Vec<Finding>);

/// The rules that need nothing but the files.
const RULES: &[Rule] = &[
    ("lengths", lengths::check),
    ("docs", docs::check),
    ("leftovers", leftovers::check),
    ("clocks", clocks::check),
    ("unwraps", unwraps::check),
    ("signatures", signatures::check),
    ("manifests", manifests::check),
    ("readme", readme::check),
    ("wording", wording::check),
];

/// Checks every rule and prints what breaks them.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root)?;
    let mut count = 0;
    let layering = ("layering", layering::check(root, &tree)?);
    let rest = RULES.iter().map(|(name, rule)| (*name, rule(&tree)));
    for (name, findings) in std::iter::once(layering).chain(rest) {
        println!(
            "{name}: {}",
            if findings.is_empty() { "ok".to_owned() } else { findings.len().to_string() }
        );
        for finding in &findings {
            println!("    {finding}");
        }
        count += findings.len();
    }
    println!("{}\n{}", lengths::report(&tree), unwraps::report(&tree));
    if count == 0 { Ok(()) } else { Err(format!("{count} places break a rule")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks this workspace itself against one rule.
    fn holds(name: &str) {
        let tree = Tree::read(&crate::root()).unwrap();
        let (_, rule) = RULES.iter().find(|(known, _)| *known == name).unwrap();
        let findings: Vec<String> = rule(&tree).iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{name}:\n{}", findings.join("\n"));
    }

    #[test]
    fn no_file_is_too_long() {
        holds("lengths");
    }

    #[test]
    fn docs_have_their_sections() {
        holds("docs");
    }

    #[test]
    fn nothing_is_left_over() {
        holds("leftovers");
    }

    #[test]
    fn clocks_and_spawning_keep_to_their_files() {
        holds("clocks");
    }

    #[test]
    fn nothing_unwraps_without_a_reason() {
        holds("unwraps");
    }

    #[test]
    fn public_signatures_are_our_own() {
        holds("signatures");
    }

    #[test]
    fn versions_live_in_one_place() {
        holds("manifests");
    }

    #[test]
    fn the_readme_shows_what_the_files_hold() {
        holds("readme");
    }

    #[test]
    fn texts_speak_to_users() {
        holds("wording");
    }

    #[test]
    fn layers_depend_downwards_only() {
        let root = crate::root();
        let tree = Tree::read(&root).unwrap();
        let findings: Vec<String> =
            layering::check(&root, &tree).unwrap().iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    }
}
