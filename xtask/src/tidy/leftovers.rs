//! Nothing half done stays in the sources.

use super::Finding;
use super::source::{line_of, mask};
use super::tree::Tree;

/// Macros that mark unfinished work, and attributes that switch tests off.
const IN_CODE: &[&str] = &["todo!(", "unimplemented!(", "dbg!(", "#[ignore"];
/// Marks in comments, kept apart so that this file does not find itself.
const IN_COMMENTS: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("HA", "CK:")];

/// Finds unfinished code, debugging aids, tests that are switched off and comments about work to do.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        let masked = mask(&file.text);
        for (layer, marks) in [(&masked.code, IN_CODE), (&masked.comments, IN_COMMENTS)] {
            for mark in marks {
                let places = layer.match_indices(mark);
                findings.extend(
                    places.map(|(at, _)| Finding::new(&file.path, line_of(layer, at), format!("`{mark}`"))),
                );
            }
        }
    }
    for file in tree.files.iter().filter(|file| file.path.ends_with(".toml") || file.path.ends_with(".md")) {
        for mark in IN_COMMENTS {
            let places = file.text.match_indices(mark);
            findings.extend(
                places.map(|(at, _)| Finding::new(&file.path, line_of(&file.text, at), format!("`{mark}`"))),
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<usize> {
        check(&Tree::of(&[("edge-a/src/a.rs", text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn unfinished_code_is_found_in_code_only() {
        assert_eq!(found("fn a() {\n    todo!()\n}"), [2]);
        assert_eq!(found("fn a() {\n    dbg!(1);\n}\n#[test]\n#[ignore = \"slow\"]\nfn b() {}"), [2, 5]);
        assert_eq!(found("// todo!() is banned\nlet a = \"dbg!(\";"), [0; 0]);
    }

    #[test]
    fn plans_are_found_in_comments_and_texts() {
        let mark = IN_COMMENTS[0];
        assert_eq!(found(&format!("// {mark}: more\nlet a = \"{mark}\";")), [1]);
        assert_eq!(check(&Tree::of(&[("README.md", mark)])).len(), 1);
    }
}
