//! Where the model is.

use std::path::PathBuf;
use std::process::Command;

const PACKAGE: &str = "rapidocr-onnxruntime";
const FILE: &str = "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx";

/// Returns the model's file: the one that was named, or the one in the installed package.
pub(crate) fn model(named: Option<PathBuf>) -> Result<PathBuf, String> {
    let found = match named {
        Some(path) => path,
        None => PathBuf::from(installed().ok_or_else(how)?),
    };
    if found.is_file() { Ok(found) } else { Err(format!("there is no file {}", found.display())) }
}

/// Asks Python where it keeps the package's file.
fn installed() -> Option<String> {
    let python = std::env::var_os("EDGE_PYTHON").unwrap_or_else(|| "python3".into());
    let ask =
        format!("import importlib.metadata as m; print(m.distribution('{PACKAGE}').locate_file('{FILE}'))");
    let output = Command::new(python).args(["-c", &ask]).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| path.trim().to_owned())
}

fn how() -> String {
    format!(
        "the model is not here; it ships in a package:\n  \
         python3 -m venv vision && vision/bin/pip install --no-deps {PACKAGE}==1.4.4\n  \
         EDGE_PYTHON=vision/bin/python cargo run --release --features ml --example vision\n\
         or give the path of {FILE} with --model"
    )
}
