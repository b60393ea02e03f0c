//! The engines for models beside onnxruntime and the ONNX project's test data.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::{Outcome, execute, output};
use crate::tidy::tree::Tree;
use crate::{install, manifest, peers};

/// The package whose peers are these.
pub(crate) const PACKAGE: &str = "edge-ml";

/// What runs models, and what tells how they must be run, from PyPI.
const ONNX: [&str; 3] = ["onnx==1.23.2", "onnxruntime==1.31.1", "numpy==2.4.6"];
/// Packages that ship models; what they need to run them by themselves is left out.
const MODELS: [&str; 4] =
    ["silero-vad==6.2.3", "rapidocr-onnxruntime==1.4.4", "magika==1.0.3", "nudenet==3.4.2"];

/// Returns the interpreter of a virtual environment that has all of these.
pub(crate) fn python(root: &Path) -> Result<PathBuf, String> {
    let venv = install::target(root).join("peers").join("models");
    let inside = peers::interpreter(&venv);
    if !has_all(&inside) {
        peers::make_venv(&peers::system_python()?, &venv)?;
        let pip = |more: &[&str]| {
            let mut pip = Command::new(&inside);
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
            execute(pip.args(more))
        };
        pip(&ONNX)?;
        pip(&[&["--no-deps"], &MODELS[..]].concat())?;
        if !has_all(&inside) {
            return Err(format!("the packages were installed and {} has them not", inside.display()));
        }
    }
    Ok(inside)
}

fn has_all(python: &Path) -> bool {
    let wanted = [&ONNX[..], &MODELS[..]].concat();
    let names: Vec<_> = wanted.iter().filter_map(|package| package.split_once("==")).collect();
    let names: Vec<_> = names.iter().map(|(name, _)| format!("'{name}'")).collect();
    let ask = format!(
        "import importlib.metadata as m; print(*(f'{{n}}=={{m.version(n)}}' for n in ({})))",
        names.join(",")
    );
    output(Command::new(python).args(["-c", &ask])).is_ok_and(|said| said.trim() == wanted.join(" "))
}

/// Runs the tests beside these peers, with the features that all tests are run with: the engine is then built already.
pub(crate) fn test(mut cargo: Command, tree: &Tree, python: &Path, options: &[&str]) -> Outcome {
    let mut features = manifest::features(tree, &["peers"]);
    features.push(format!("{PACKAGE}/peers"));
    cargo.args(["test", "--workspace", "--features", &features.join(","), "--test", "peers"]);
    execute(cargo.args(options).env("EDGE_ML_PYTHON", python))
}

/// Writes the table of what runs of ONNX.
pub(crate) fn write_table(root: &Path) -> Outcome {
    let python = python(root)?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root).env("EDGE_ML_WRITE_TABLE", "1");
    test(cargo, &Tree::read(root)?, &python, &["table"])
}

/// Measures the engines beside each other, and what stands around them.
pub(crate) fn bench(root: &Path) -> Outcome {
    let python = python(root)?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root).args(["bench", "--package", "edge-bench", "--bench", "models"]);
    execute(cargo.env("EDGE_ML_PYTHON", python))
}
