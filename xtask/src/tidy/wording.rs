//! Texts speak to the users of this project: not about the machine it was made on, nor about how work is organised.

use super::Finding;
use super::tree::Tree;

/// Parts of paths that mean something on one machine only, kept apart so that this file does not find itself.
const PATHS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("../sha", "red"), concat!("/tmp/", "target-"), concat!("/ro", "ot/")];

/// Finds paths of one machine and references to numbered pieces of work.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| !file.path.ends_with(".lock")) {
        for (index, line) in file.text.lines().enumerate() {
            for path in PATHS.iter().filter(|path| line.contains(**path)) {
                findings.push(Finding::new(
                    &file.path,
                    index + 1,
                    format!("a path of one machine: `{path}`"),
                ));
            }
            if names_a_piece_of_work(line) {
                findings.push(Finding::new(&file.path, index + 1, "a numbered piece of work"));
            }
        }
    }
    findings
}

fn names_a_piece_of_work(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.match_indices("issue").any(|(at, word)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].strip_prefix(' ').map(|rest| rest.trim_start_matches('#'));
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            && after.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        check(&Tree::of(&[("README.md", text)])).len()
    }

    #[test]
    fn machines_and_work_are_not_named() {
        assert_eq!(found(&format!("see {}main", PATHS[0])), 1);
        assert_eq!(found(concat!("as iss", "ue 12 asks\nand (Iss", "ue #3)")), 2);
        assert_eq!(found("issued 2 tokens, reissue 5, an issue with two parts"), 0);
    }
}
