//! Documentation has the sections that its readers rely on, and its examples run.

use super::Finding;
use super::source::{item_end, line_of, mask};
use super::tree::{File, Tree};

/// Finds public asynchronous functions that do not say what cancelling them does, and examples that are not compiled.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        if file.is_rust() || file.path.ends_with(".md") {
            findings.extend(ignored_examples(file));
        }
        // Nobody drops a case of a conformance kit half way.
        if file.is_product() && !file.is_test() {
            findings.extend(silent_about_cancelling(file));
        }
    }
    findings
}

fn ignored_examples(file: &File) -> Vec<Finding> {
    let fence = |line: &str| {
        let line = line.trim_start().trim_start_matches(['/', '!']).trim_start();
        line.strip_prefix("```").is_some_and(|info| info.split(',').any(|word| word.trim() == "ignore"))
    };
    let lines = file.text.lines().enumerate().filter(|(_, line)| fence(line));
    lines.map(|(index, _)| Finding::new(&file.path, index + 1, "an example that is not compiled")).collect()
}

fn silent_about_cancelling(file: &File) -> Vec<Finding> {
    let code = super::source::without_tests(&mask(&file.text).code);
    let texts: Vec<&str> = file.text.lines().collect();
    let traits = public_traits(&code);
    let mut offset = 0;
    let mut findings = Vec::new();
    for line in code.split_inclusive('\n') {
        let begin = offset;
        offset += line.len();
        let text = line.trim_start();
        let in_trait = traits.iter().any(|(from, to)| (*from..*to).contains(&begin));
        let public = text.starts_with("pub fn ") || text.starts_with("pub async fn ");
        if !public && !(in_trait && (text.starts_with("fn ") || text.starts_with("async fn "))) {
            continue;
        }
        let signature = code[begin..].split(['{', ';']).next().unwrap_or_default();
        let returns = signature.split_once("->").map_or("", |(_, returned)| returned);
        let is_async = signature.contains("async fn ")
            || returns.contains("impl Future")
            || returns.contains("BoxFuture");
        let at = line_of(&code, begin);
        if is_async && !docs_above(&texts, at).contains("# Cancel safety") {
            findings.push(Finding::new(&file.path, at, "a public async function without `# Cancel safety`"));
        }
    }
    findings
}

fn public_traits(code: &str) -> Vec<(usize, usize)> {
    code.match_indices("pub trait ").map(|(begin, _)| (begin, item_end(code, begin))).collect()
}

/// Returns the documentation above a line, which may stand behind attributes.
fn docs_above(texts: &[&str], line: usize) -> String {
    let above = texts[..line - 1].iter().rev().map(|text| text.trim_start());
    let mut docs = Vec::new();
    let goes_on =
        |text: &&str| text.starts_with("///") || !(text.is_empty() || text.ends_with(['}', ';', '{']));
    for text in above.take_while(goes_on) {
        if text.starts_with("///") {
            docs.push(text);
        }
    }
    docs.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<usize> {
        check(&Tree::of(&[("edge-a/src/a.rs", text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn an_async_function_says_what_cancelling_does() {
        assert_eq!(found("/// Waits.\npub async fn a() {}"), [2]);
        assert_eq!(
            found("/// Waits.\n///\n/// # Cancel safety\n/// Safe.\n#[must_use]\npub async fn a() {}"),
            [0; 0]
        );
        assert_eq!(found("/// # Cancel safety\n/// Safe.\n///\n/// let a = 1;\npub async fn a() {}"), [0; 0]);
        assert_eq!(found("/// # Cancel safety\npub async fn a() {}\n\npub async fn b() {}"), [4]);
        assert_eq!(found("async fn private() {}\npub(crate) async fn inner() {}"), [0; 0]);
    }

    #[test]
    fn so_does_a_trait_and_whatever_returns_a_future() {
        assert_eq!(found("pub trait A {\n    async fn a(&self);\n}\ntrait B { async fn b(); }"), [2]);
        assert_eq!(found("pub fn a(\n  x: u8,\n) -> impl Future<Output = ()> {}"), [1]);
    }

    #[test]
    fn every_example_is_compiled() {
        assert_eq!(found("//! ```no_run\n//! ```\n/// ```ignore\n/// ```"), [3]);
    }
}
