//! Files stay short enough to be read in one go.

use super::Finding;
use super::tree::Tree;

const MAX_LINES: usize = 500;

/// Finds Rust files that are too long.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let rust = tree.files.iter().filter(|file| file.is_rust());
    rust.filter_map(|file| {
        let lines = file.text.lines().count();
        (lines > MAX_LINES)
            .then(|| Finding::new(&file.path, 0, format!("{lines} lines, more than {MAX_LINES}")))
    })
    .collect()
}

/// Says how long files are.
pub(super) fn report(tree: &Tree) -> String {
    let mut lines: Vec<usize> =
        tree.files.iter().filter(|file| file.is_product()).map(|file| file.text.lines().count()).collect();
    lines.sort_unstable();
    let median = lines.get(lines.len() / 2).copied().unwrap_or_default();
    let longest = lines.last().copied().unwrap_or_default();
    format!(
        "{} product files, {} lines; median {median}, longest {longest}",
        lines.len(),
        lines.iter().sum::<usize>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        let long = "x\n".repeat(MAX_LINES + 1);
        let tree = Tree::of(&[("edge-a/src/a.rs", &long), ("edge-a/src/b.rs", &long[2..])]);
        let findings = check(&tree);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].path, "edge-a/src/a.rs");
    }
}
