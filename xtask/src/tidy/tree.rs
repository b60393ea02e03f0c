//! The files of the workspace as the checks see them.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::source;
use crate::step;

/// A text file of the workspace.
#[derive(Debug)]
pub(crate) struct File {
    /// Path from the root, with `/` on every system.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Whether another file declares it as a module for tests.
    declared_test: bool,
}

impl File {
    /// Returns whether this is Rust source.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Returns whether this is source of a crate that users build on.
    pub(crate) fn is_product(&self) -> bool {
        self.is_rust() && self.path.starts_with("edge-") && self.path.contains("/src/")
    }

    /// Returns whether the whole file is there for tests, which includes conformance kits.
    pub(crate) fn is_test(&self) -> bool {
        let parts: Vec<&str> = self.path.split('/').collect();
        let name = parts.last().copied().unwrap_or_default();
        self.declared_test
            || parts.iter().any(|part| matches!(*part, "tests" | "testing" | "benches" | "fuzz"))
            || matches!(name, "tests.rs" | "test.rs" | "testing.rs")
            || name.ends_with("_tests.rs")
    }

    /// Returns the code with comments, strings and test modules blanked, byte for byte in place.
    pub(crate) fn product_code(&self) -> String {
        source::without_tests(&source::mask(&self.text).code)
    }

    /// Returns the file name without its folders.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// All text files of the workspace.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

impl Tree {
    /// Reads the files that git tracks or would track; files that are not text are left out.
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let mut git = Command::new("git");
        git.arg("-C").arg(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let mut files = Vec::new();
        for path in step::output(&mut git)?.split('\0').filter(|path| !path.is_empty()) {
            if let Ok(text) = fs::read_to_string(root.join(path)) {
                files.push(File { path: path.replace('\\', "/"), text, declared_test: false });
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        Ok(Self::with_tests(files))
    }

    /// Marks the files that others declare as modules for tests.
    fn with_tests(mut files: Vec<File>) -> Self {
        let modules: Vec<String> =
            files.iter().filter(|file| file.is_product()).flat_map(test_modules).collect();
        for file in &mut files {
            let module = file.path.trim_end_matches(".rs").trim_end_matches("/mod");
            file.declared_test = modules.iter().any(|test| module == test);
        }
        Self { files }
    }

    /// Returns the text of one file.
    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// Makes a tree of the given files.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).into(),
            text: (*text).into(),
            declared_test: false,
        };
        Self::with_tests(files.iter().map(file).collect())
    }
}

/// Returns the paths, without their ends, of the modules that a file declares for tests.
fn test_modules(file: &File) -> Vec<String> {
    let folder = match file.path.rsplit_once('/') {
        Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder,
        _ => file.path.trim_end_matches(".rs"),
    };
    let code = source::mask(&file.text).code;
    let declared =
        code.split("#[cfg(test)]").skip(1).filter_map(|rest| rest.trim_start().strip_prefix("mod "));
    let names = declared.filter_map(|rest| rest.split_once(';')).map(|(name, _)| name);
    names.filter(|name| !name.contains('{')).map(|name| format!("{folder}/{name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_file_follows_from_its_path() {
        let kind = |path: &str| {
            let file = File { path: path.into(), text: String::new(), declared_test: false };
            (file.is_product(), file.is_test())
        };
        assert_eq!(kind("edge-core/src/lib.rs"), (true, false));
        assert_eq!(kind("edge-core/src/store/tests.rs"), (true, true));
        assert_eq!(kind("edge-core/src/testing/kit.rs"), (true, true));
        assert_eq!(kind("edge-hub/tests/flow.rs"), (false, true));
        assert_eq!(kind("xtask/src/main.rs"), (false, false));
    }

    #[test]
    fn a_module_declared_for_tests_is_one() {
        let tree = Tree::of(&[
            (
                "edge-a/src/log/mod.rs",
                "#[cfg(test)]\nmod golden;\nmod real;\n#[cfg(test)]\nmod inner { mod x; }",
            ),
            ("edge-a/src/log/golden.rs", ""),
            ("edge-a/src/log/real.rs", "#[cfg(test)]\nmod laws;"),
            ("edge-a/src/log/real/laws.rs", ""),
        ]);
        let tests: Vec<bool> = tree.files.iter().map(File::is_test).collect();
        assert_eq!(tests, [false, true, false, true]);
    }

    #[test]
    fn the_workspace_can_be_read() {
        let tree = Tree::read(&crate::root()).unwrap();
        assert!(tree.get("Cargo.toml").is_some_and(|text| text.contains("[workspace]")));
    }
}
