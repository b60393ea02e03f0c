//! Public signatures name no type of a protocol or storage engine: those can be exchanged without breaking a user.

use super::Finding;
use super::source::{item_end, line_of, mask, without_tests};
use super::tree::Tree;

/// The crates whose types stay inside.
const FOREIGN: &[&str] = &[
    "rumqttc",
    "mqttbytes",
    "fe2o3_amqp",
    "fe2o3_amqp_types",
    "serde_amqp",
    "tract_onnx",
    "tract_core",
    "ort",
    "redb",
    "tungstenite",
    "tokio_tungstenite",
    "hyper",
    "axum",
    "x509_parser",
    "rcgen",
    "ring",
];
/// What begins a part of a file that is public as a whole, up to the brace or semicolon that ends it.
const WHOLE: &[&str] = &["pub enum ", "pub trait ", "pub use ", "pub type ", "pub const ", "pub static "];

/// Finds foreign types in what users of a crate see.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_product()) {
        let code = without_tests(&mask(&file.text).code);
        let names = foreign_names(&code);
        for (begin, text) in public_parts(&code) {
            if let Some(name) = names.iter().find(|name| mentions(text, name)) {
                let what = format!("`{name}` in a public signature");
                findings.push(Finding::new(&file.path, line_of(&code, begin), what));
            }
        }
    }
    findings
}

/// Returns the paths and imported names by which this file can name foreign types.
fn foreign_names(code: &str) -> Vec<String> {
    let mut names: Vec<String> = FOREIGN.iter().map(|name| format!("{name}::")).collect();
    for (begin, _) in code.match_indices("use ") {
        let import = code[begin + 4..].split(';').next().unwrap_or_default();
        let root = import.trim_start_matches("::").split(':').next().unwrap_or_default().trim();
        if FOREIGN.contains(&root) {
            let last = import.split([',', '{', '}']).filter_map(|part| part.split([':', ' ']).next_back());
            names.extend(
                last.map(str::trim)
                    .filter(|name| !name.is_empty() && *name != "_" && *name != "*")
                    .map(Into::into),
            );
        }
    }
    names
}

fn public_parts(code: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let mut offset = 0;
    for line in code.split_inclusive('\n') {
        let begin = offset + line.len() - line.trim_start().len();
        offset += line.len();
        let rest = &code[begin..];
        if !rest.starts_with("pub ") {
            continue;
        }
        let end = if WHOLE.iter().any(|start| rest.starts_with(start)) {
            item_end(code, begin) - begin
        } else {
            // A field ends with its line, a function where its body begins, a tuple structure at its semicolon.
            let is_item = ["fn ", "struct "].iter().any(|word| line.contains(word));
            if is_item {
                rest.find(['{', ';']).unwrap_or(rest.len())
            } else {
                rest.find('\n').unwrap_or(rest.len())
            }
        };
        parts.push((begin, &rest[..end]));
    }
    parts
}

fn mentions(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let after = text[at + name.len()..].chars().next();
        !text[..at].ends_with(is_word) && (name.ends_with(':') || !after.is_some_and(is_word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<usize> {
        check(&Tree::of(&[("edge-a/src/a.rs", text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn foreign_types_are_found_where_users_see_them() {
        assert_eq!(found("pub fn a(x: rumqttc::QoS) {}"), [1]);
        assert_eq!(found("pub fn a(\n    x: &redb::Database,\n) {}"), [1]);
        assert_eq!(found("pub enum E {\n    A(#[from] rumqttc::ClientError),\n}"), [1]);
        assert_eq!(found("pub struct S {\n    pub x: redb::Database,\n}"), [2]);
        assert_eq!(found("pub use rumqttc::QoS;"), [1]);
    }

    #[test]
    fn imported_names_count_too() {
        assert_eq!(
            found("use rumqttc::{QoS, Event as Ev};\npub fn a() -> Ev {}\npub fn b(q: QoS) {}"),
            [2, 3]
        );
    }

    #[test]
    fn inside_is_free() {
        assert_eq!(
            found("pub struct S {\n    x: redb::Database,\n}\npub(crate) fn a(x: redb::Key) {}"),
            [0; 0]
        );
        assert_eq!(
            found("pub fn a() {\n    rumqttc::run()\n}\npub fn b(x: string::String, y: QoS) {}"),
            [0; 0]
        );
    }
}
