//! Versions, lints and metadata live in the workspace's manifest only.

use super::Finding;
use super::tree::Tree;
use crate::manifest::{self, Entry};

/// Finds members that go their own way, and workspace dependencies without a version.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in manifest::members(tree) {
        let path = format!("{member}/Cargo.toml");
        match tree.get(&path) {
            Some(text) => findings.extend(member_findings(&path, text)),
            None => findings.push(Finding::new("Cargo.toml", 0, format!("member `{member}` does not exist"))),
        }
    }
    let root = manifest::entries(tree.get("Cargo.toml").unwrap_or_default());
    for entry in root.iter().filter(|entry| entry.table == "workspace.dependencies") {
        if entry.value.contains("\"*\"") || !entry.value.contains(|c: char| c.is_ascii_digit()) {
            findings.push(Finding::new("Cargo.toml", entry.line, format!("`{}` has no version", entry.key)));
        }
    }
    findings
}

fn member_findings(path: &str, text: &str) -> Vec<Finding> {
    let entries = manifest::entries(text);
    let has = |table: &str, key: &str| entries.iter().any(|entry| entry.table == table && is(entry, key));
    let mut findings = Vec::new();
    for (table, key) in [
        ("package", "version"),
        ("package", "edition"),
        ("package", "rust-version"),
        ("package", "license"),
        ("lints", ""),
    ] {
        if !has(table, key) {
            let what = format!("[{table}] {key} does not come from the workspace");
            findings.push(Finding::new(path, 0, what.replace("]  does", "] does")));
        }
    }
    for entry in entries.iter().filter(|entry| is_dependency_list(entry.table)) {
        // A crate whose tests turn on its own features names itself.
        let itself = entry.value.contains("path = \".\"") && !entry.value.contains("version");
        if !(entry.key.ends_with(".workspace") || entry.value.contains("workspace = true") || itself) {
            let what = format!("`{}` does not come from the workspace", entry.key);
            findings.push(Finding::new(path, entry.line, what));
        }
    }
    findings
}

/// Tells whether an entry is `key.workspace = true`, or `workspace = true` for no key.
fn is(entry: &Entry<'_>, key: &str) -> bool {
    let wanted = if key.is_empty() { "workspace".to_owned() } else { format!("{key}.workspace") };
    entry.key == wanted && entry.value == "true"
}

fn is_dependency_list(table: &str) -> bool {
    ["dependencies", "dev-dependencies", "build-dependencies"].iter().any(|list| {
        table == *list || table.strip_suffix(list).is_some_and(|rest| rest.starts_with("target."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"a\"\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\n[lints]\nworkspace = true\n";

    fn found(root: &str, member: &str) -> Vec<String> {
        let root = format!("[workspace]\nmembers = [\"a\"]\n[workspace.dependencies]\n{root}");
        let tree = Tree::of(&[("Cargo.toml", &root), ("a/Cargo.toml", member)]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_member_passes() {
        let member = format!(
            "{GOOD}[dependencies]\nx.workspace = true\ny = {{ workspace = true, features = [\"z\"] }}\n"
        );
        assert_eq!(found("x = \"1\"\n", &member), [""; 0]);
    }

    #[test]
    fn versions_elsewhere_are_found() {
        assert_eq!(found("", &format!("{GOOD}[dependencies]\nx = \"1\"\n")).len(), 1);
        assert_eq!(
            found("", &format!("{GOOD}[target.'cfg(unix)'.dependencies]\nx = {{ version = \"1\" }}\n")).len(),
            1
        );
        assert_eq!(found("", &GOOD.replace("version.workspace = true\ne", "version = \"1\"\ne")).len(), 1);
        assert_eq!(found("", &GOOD.replace("[lints]", "[other]")).len(), 1);
        assert_eq!(found("x = \"*\"\n", GOOD).len(), 1);
    }
}
