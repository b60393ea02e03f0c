//! Product code gives a reason wherever it says that something cannot fail.

use super::Finding;
use super::source::line_of;
use super::tree::{File, Tree};

/// Finds `unwrap`, `expect` without a reason and `unreachable!` without a reason, outside tests.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in product(tree) {
        let code = file.product_code();
        for (at, call) in code.match_indices(".unwrap()").chain(code.match_indices("unreachable!()")) {
            findings.push(Finding::new(&file.path, line_of(&code, at), format!("`{call}` without a reason")));
        }
        for (at, _) in expects(&code) {
            if reason(&file.text, at).is_some_and(|reason| reason.split_whitespace().count() < 3) {
                findings.push(Finding::new(
                    &file.path,
                    line_of(&code, at),
                    "`expect` whose text gives no reason",
                ));
            }
        }
    }
    findings
}

/// Says how often product code relies on an invariant instead of handling an error.
pub(super) fn report(tree: &Tree) -> String {
    let (mut count, mut lines) = (0, 0);
    for file in product(tree) {
        let code = file.product_code();
        count += expects(&code).filter(|(at, _)| reason(&file.text, *at).is_some()).count();
        lines += code.lines().filter(|line| !line.trim().is_empty()).count();
    }
    let rate = count as f64 * 1000.0 / lines.max(1) as f64;
    format!("{count} times `expect` in {lines} lines of product code, {rate:.1} in a thousand")
}

fn product(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files.iter().filter(|file| file.is_product() && !file.is_test())
}

fn expects(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.match_indices(".expect(")
}

/// Returns the text given to `expect`, or nothing when this is some other method of that name.
fn reason(text: &str, at: usize) -> Option<&str> {
    let argument = text.get(at + ".expect(".len()..)?.trim_start();
    argument.strip_prefix('"')?.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        check(&Tree::of(&[("edge-a/src/a.rs", text)])).len()
    }

    #[test]
    fn what_cannot_fail_has_a_reason() {
        assert_eq!(found("fn a() { b().unwrap() }"), 1);
        assert_eq!(found("fn a() { b().expect(\"b\") }"), 1);
        assert_eq!(found("fn a() { unreachable!() }"), 1);
        assert_eq!(found("fn a() { b()\n.expect(\n  \"the length was checked above\") }"), 0);
        assert_eq!(found("fn a() { parser.expect(Token::Comma) }"), 0);
        assert_eq!(
            found("/// `.unwrap()`\nfn a() {}\n#[cfg(test)]\nmod tests { fn t() { b().unwrap() } }"),
            0
        );
    }

    #[test]
    fn the_report_counts() {
        let tree = Tree::of(&[("edge-a/src/a.rs", "fn a() {\n    b().expect(\"it was checked\")\n}\n")]);
        assert!(report(&tree).starts_with("1 times `expect` in 3 lines"), "{}", report(&tree));
    }
}
