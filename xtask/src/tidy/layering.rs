//! Crates depend downwards only, and the pure ones stay pure.

use std::path::Path;
use std::process::Command;

use super::Finding;
use super::tree::Tree;
use crate::{manifest, step};

/// Crates of one layer, which never depend on each other.
const SIBLINGS: &[&str] =
    &["edge-routing", "edge-store", "edge-transport", "edge-twin", "edge-ml", "edge-stream"];
/// Siblings that plug in as endpoints: the hub does without them.
const PLUGGED: &[&str] = &["edge-ml", "edge-stream"];
/// The one step sideways: the store keeps twins, whose documents and contract are those of `edge-twin`.
const SIDEWAYS: (&str, &str) = ("edge-store", "edge-twin");
/// Crates above the siblings, which those and `edge-core` never depend on.
const ABOVE: &[&str] = &["edge-hub", "edge-agent", "edge-fleet"];
/// Crates that do no input or output and start nothing.
const PURE: &[&str] = &["edge-core", "edge-routing", "edge-twin"];
/// The crate that runs without any runtime when its default features are off.
const SYNCHRONOUS: &str = "edge-routing";
const IMPURE_FEATURES: &[&str] = &["net", "fs", "rt", "rt-multi-thread", "time", "process", "signal", "full"];

/// A package that a crate is built with, and the features it is built with.
type Package<'a> = (&'a str, Vec<&'a str>);

/// Finds dependencies that go sideways or upwards, and runtimes in pure crates.
pub(super) fn check(root: &Path, tree: &Tree) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for member in manifest::members(tree).iter().filter(|member| member.starts_with("edge-")) {
        findings.extend(findings_of(member, &packages(&dependencies(root, member, &[])?)));
    }
    // With its defaults it knows the messages of `edge-core`, which brings tokio's channels; by itself it needs none.
    let alone = dependencies(root, SYNCHRONOUS, &["--no-default-features"])?;
    findings.extend(runtime_of(SYNCHRONOUS, &packages(&alone)));
    Ok(findings)
}

fn dependencies(root: &Path, member: &str, features: &[&str]) -> Result<String, String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root).args(["tree", "--package", member, "--edges", "normal", "--prefix", "none"]);
    cargo.args(["--format", "{p}|{f}", "--no-dedupe"]).args(features);
    step::output(&mut cargo)
}

/// Reads what `cargo tree` prints in the format above.
fn packages(text: &str) -> Vec<Package<'_>> {
    let mut packages: Vec<Package<'_>> = text
        .lines()
        .filter_map(|line| line.split_once('|'))
        .map(|(package, features)| {
            let name = package.split(' ').next().unwrap_or_default();
            (name, features.split(',').map(str::trim).filter(|name| !name.is_empty()).collect())
        })
        .collect();
    packages.sort();
    packages.dedup();
    packages
}

fn findings_of(member: &str, packages: &[Package<'_>]) -> Vec<Finding> {
    let path = format!("{member}/Cargo.toml");
    let mut findings = Vec::new();
    for (name, features) in packages.iter().filter(|(name, _)| *name != member) {
        let layered = SIBLINGS.contains(&member) || member == "edge-core";
        let sideways = SIBLINGS.contains(&member) && SIBLINGS.contains(name) && (member, *name) != SIDEWAYS;
        let upwards = layered && ABOVE.contains(name) || member == "edge-core" && SIBLINGS.contains(name);
        if sideways || upwards {
            findings.push(Finding::new(&path, 0, format!("depends on `{name}`, which is not below it")));
        }
        if member == "edge-hub" && PLUGGED.contains(name) {
            findings.push(Finding::new(
                &path,
                0,
                format!("depends on `{name}`, which plugs in as an endpoint"),
            ));
        }
        if *name == "tokio" && PURE.contains(&member) {
            for feature in features.iter().filter(|feature| IMPURE_FEATURES.contains(feature)) {
                findings.push(Finding::new(&path, 0, format!("is built with tokio's `{feature}`")));
            }
        }
    }
    findings
}

fn runtime_of(member: &str, packages: &[Package<'_>]) -> Option<Finding> {
    let found = packages.iter().any(|(name, _)| *name == "tokio");
    found.then(|| {
        Finding::new(format!("{member}/Cargo.toml"), 0, "needs `tokio` by itself: routing is synchronous")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(member: &str, text: &str) -> usize {
        findings_of(member, &packages(text)).len()
    }

    #[test]
    fn siblings_and_upper_layers_are_found() {
        assert_eq!(found("edge-store", "edge-store v0.1.0 (/a)|\nedge-routing v0.1.0 (/b)|default\n"), 1);
        assert_eq!(found("edge-core", "edge-store v0.1.0|\nedge-hub v0.1.0|\n"), 2);
        assert_eq!(found("edge-hub", "edge-store v0.1.0|\nedge-routing v0.1.0|\nedge-ml v0.1.0|\n"), 1);
        assert_eq!(found("edge-twin", "edge-core v0.1.0|\n"), 0);
    }

    #[test]
    fn runtimes_in_pure_crates_are_found() {
        assert_eq!(found("edge-core", "tokio v1.48.0|sync\n"), 0);
        assert_eq!(found("edge-core", "tokio v1.48.0|default,rt,sync\n"), 1);
        assert_eq!(found("edge-routing", "tokio v1.48.0|sync\n"), 0);
        assert!(runtime_of("edge-routing", &packages("tokio v1.48.0|sync\n")).is_some());
        assert!(runtime_of("edge-routing", &packages("libm v0.2.1|\n")).is_none());
        assert_eq!(found("edge-transport", "tokio v1.48.0|net,rt,time\n"), 0);
    }
}
