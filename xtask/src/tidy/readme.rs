//! The README shows files as they are, and names every crate.

use super::Finding;
use super::tree::Tree;
use crate::manifest;

const MARK: &str = "<!-- from: ";

/// Finds code blocks that differ from the file they say they show, and crates that the README's table leaves out.
///
/// A block follows a line `<!-- from: path -->`; the file's leading `//!` lines are not shown.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(readme) = tree.get("README.md") else {
        return vec![Finding::new("README.md", 0, "does not exist")];
    };
    let mut findings = Vec::new();
    for member in manifest::members(tree).iter().filter(|member| member.starts_with("edge-")) {
        let row = |line: &str| line.starts_with('|') && line.contains(&format!("`{member}`"));
        if !readme.lines().any(row) {
            findings.push(Finding::new("README.md", 0, format!("the table of crates leaves out `{member}`")));
        }
    }
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let Some(path) = line.trim().strip_prefix(MARK).and_then(|rest| rest.strip_suffix("-->")) else {
                continue;
            };
            let path = path.trim();
            let shown = block(&lines[index + 1..]);
            match (tree.get(path), shown) {
                (None, _) => {
                    findings.push(Finding::new(&file.path, index + 1, format!("`{path}` does not exist")))
                }
                (_, None) => findings.push(Finding::new(&file.path, index + 1, "no code block follows")),
                (Some(text), Some(shown)) if body(text) != shown => {
                    findings.push(Finding::new(
                        &file.path,
                        index + 1,
                        format!("the block differs from `{path}`"),
                    ));
                }
                _ => {}
            }
        }
    }
    findings
}

/// Returns the code block that begins on the first line that is not empty.
fn block(lines: &[&str]) -> Option<String> {
    let mut lines = lines.iter().skip_while(|line| line.trim().is_empty());
    lines.next()?.strip_prefix("```")?;
    Some(lines.take_while(|line| !line.starts_with("```")).copied().collect::<Vec<_>>().join("\n"))
}

fn body(text: &str) -> String {
    let lines: Vec<&str> = text.lines().skip_while(|line| line.starts_with("//!")).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(readme: &str) -> usize {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace]\nmembers = [\"edge-a\", \"xtask\"]\n"),
            ("README.md", readme),
            ("examples/a.rs", "//! Docs.\n\nfn main() {}\n"),
        ]);
        check(&tree).len()
    }

    #[test]
    fn blocks_equal_their_files() {
        let table = "| `edge-a` | a crate |\n";
        assert_eq!(found(&format!("{table}<!-- from: examples/a.rs -->\n```rust\nfn main() {{}}\n```\n")), 0);
        assert_eq!(
            found(&format!("{table}<!-- from: examples/a.rs -->\n```rust\nfn main() {{ }}\n```\n")),
            1
        );
        assert_eq!(found(&format!("{table}<!-- from: examples/b.rs -->\n```rust\nfn main() {{}}\n```\n")), 1);
        assert_eq!(found(&format!("{table}<!-- from: examples/a.rs -->\ntext\n")), 1);
    }

    #[test]
    fn every_crate_is_named() {
        assert_eq!(found("`edge-a` outside a table\n"), 1);
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}
