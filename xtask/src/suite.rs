//! Everything that must hold before a change is published, cheapest first.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::step::{Outcome, Steps, execute};
use crate::tidy::tree::Tree;
use crate::{deny, install, manifest, models, peers, root, tidy};

/// How much to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All checks.
    Everything,
    /// All that needs no other programs and no release build.
    Quick,
}

/// The feature of test crates that needs programs from elsewhere.
const PEERS: &str = "peers";
/// The largest that the gateway may become.
const MAX_PROGRAM_BYTES: u64 = 15_000_000;

/// Runs the checks in order, stopping at the first that fails.
pub(crate) fn run(extent: Extent) -> Outcome {
    let root = root();
    let tree = Tree::read(&root)?;
    let features = manifest::features(&tree, &[PEERS]).join(",");
    let with_peers = peer_packages(&tree);
    let mut steps = Steps::default();

    steps.run("format", || execute(cargo(&root).args(["fmt", "--all", "--", "--check"])))?;
    steps.run("tidy", || tidy::run(&root))?;
    steps.run("clippy", || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
        execute(cargo(&root).args(arguments))
    })?;
    // Benches are compiled and run once each here: without `--bench` criterion only tries them.
    steps.run("tests and benches", || {
        execute(cargo(&root).args(["test", "--workspace", "--all-targets", "--features", &features]))
    })?;
    steps.run("doc tests", || {
        execute(cargo(&root).args(["test", "--workspace", "--doc", "--features", &features]))
    })?;
    steps.run("docs", || {
        let mut doc = cargo(&root);
        doc.env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--workspace", "--no-deps", "--all-features"]);
        execute(&mut doc)
    })?;
    steps.run("without default features", || without_default_features(&root, &tree))?;
    steps.run("licences, bans, sources", || deny::check(&root))?;
    if extent == Extent::Everything && !with_peers.is_empty() {
        let release = install::target(&root).join("release").join("examples");
        let gateway = release.join(format!("gateway{}", env::consts::EXE_SUFFIX));
        steps.run("gateway in release", || {
            execute(cargo(&root).args(["build", "--release", "--example", "gateway"]))?;
            is_small(&gateway)
        })?;
        let (mut found, mut python) = (None, None);
        steps.run("install peers", || {
            found = Some(peers::Peers::install(&root)?);
            python = Some(models::python(&root)?);
            Ok(())
        })?;
        if let Some(python) = &python {
            steps.run("models beside onnxruntime", || models::test(cargo(&root), &tree, python, &[]))?;
        }
        // With the features of all tests, so that the engine is not built anew.
        steps.run("gateway with models", || {
            execute(cargo(&root).args([
                "build",
                "--workspace",
                "--example",
                "gateway",
                "--features",
                &features,
            ]))
        })?;
        let with_models = install::target(&root).join("debug").join("examples");
        let with_models = with_models.join(format!("gateway{}", env::consts::EXE_SUFFIX));
        steps.run("tests with real peers", || {
            let mut test = cargo(&root);
            test.arg("test").env("EDGE_GATEWAY", &gateway).env("EDGE_GATEWAY_ML", &with_models);
            for package in &with_peers {
                test.args(["--package", package, "--features", &format!("{package}/{PEERS}")]);
            }
            if let Some(found) = &found {
                found.describe(&mut test);
            }
            execute(&mut test)
        })?;
    }
    println!("{}", steps.summary(None));
    Ok(())
}

/// Checks that a program can be sent to a small machine.
fn is_small(program: &Path) -> Outcome {
    let bytes = fs::metadata(program).map_err(|error| format!("{}: {error}", program.display()))?.len();
    println!("    {} has {bytes} bytes", program.display());
    if bytes <= MAX_PROGRAM_BYTES { Ok(()) } else { Err(format!("more than {MAX_PROGRAM_BYTES} bytes")) }
}

fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root);
    if env::var_os("CI").is_some() {
        // What is built once needs no state for building it again.
        cargo.env("CARGO_INCREMENTAL", "0");
    }
    cargo
}

/// Returns the packages that have tests against real peers, but for those with a step of their own.
fn peer_packages(tree: &Tree) -> Vec<String> {
    let end = format!("/{PEERS}");
    manifest::features(tree, &[])
        .iter()
        .filter_map(|feature| feature.strip_suffix(&end))
        .filter(|package| *package != models::PACKAGE)
        .map(Into::into)
        .collect()
}

/// Checks that each library builds by itself and without its default features.
fn without_default_features(root: &Path, tree: &Tree) -> Outcome {
    for member in manifest::members(tree).iter().filter(|member| member.starts_with("edge-")) {
        execute(cargo(root).args(["check", "--quiet", "--package", member, "--no-default-features"]))?;
    }
    Ok(())
}
