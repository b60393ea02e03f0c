//! What the checks need to know of `Cargo.toml` files, read line by line.

use crate::tidy::tree::Tree;

/// One `key = value` line of a manifest with the table it stands in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) table: &'a str,
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
    pub(crate) line: usize,
}

/// Returns the entries of a manifest, in order; values that span lines keep their first line only.
pub(crate) fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut table = "";
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = name.trim_matches(['[', ']']);
        } else if let Some((key, value)) = line.split_once('=')
            && !line.starts_with('#')
        {
            found.push(Entry { table, key: key.trim(), value: value.trim(), line: index + 1 });
        }
    }
    found
}

/// Returns the folders that the root manifest names as members.
pub(crate) fn members(tree: &Tree) -> Vec<String> {
    let Some(root) = tree.get("Cargo.toml") else { return Vec::new() };
    let Some((_, rest)) = root.split_once("members = [") else { return Vec::new() };
    let list = rest.split(']').next().unwrap_or_default();
    list.split(',')
        .map(|name| name.trim().trim_matches('"'))
        .filter(|name| !name.is_empty())
        .map(Into::into)
        .collect()
}

/// Returns the features that a test run turns on, as `package/feature`: all but `default` and those left out.
pub(crate) fn features(tree: &Tree, left_out: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for member in members(tree) {
        let Some(text) = tree.get(&format!("{member}/Cargo.toml")) else { continue };
        let entries = entries(text);
        let name = entries.iter().find(|entry| entry.table == "package" && entry.key == "name");
        let Some(name) = name.map(|entry| entry.value.trim_matches('"')) else { continue };
        for entry in entries.iter().filter(|entry| entry.table == "features") {
            if entry.key != "default" && !left_out.contains(&entry.key) && !entry.key.starts_with('"') {
                all.push(format!("{name}/{}", entry.key));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_their_features() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace]\nmembers = [\"a\",\n  \"b/c\"]\n"),
            (
                "a/Cargo.toml",
                "[package]\nname = \"edge-a\"\n[features]\ndefault = [\"x\"]\nx = []\npeers = []\n",
            ),
            ("b/c/Cargo.toml", "[package]\nname = \"edge-c\"\n# y = 1\n[dependencies]\nz = \"1\"\n"),
        ]);
        assert_eq!(members(&tree), ["a", "b/c"]);
        assert_eq!(features(&tree, &["peers"]), ["edge-a/x"]);
    }
}
