//! The interpreter that has the packages.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Runs Python, and returns what it printed.
pub(crate) fn run(arguments: &[&str]) -> String {
    let python =
        env::var_os("EDGE_ML_PYTHON").expect("EDGE_ML_PYTHON is an interpreter with onnxruntime and onnx");
    let output = Command::new(python).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} ended with {}: {said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the library inside the package of onnxruntime.
pub(crate) fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    const ASK: &str = "import importlib.metadata as m; \
         print(next(f.locate() for f in m.files('onnxruntime') if f.name.startswith(('libonnxruntime.', 'onnxruntime.dll')) and 'capi' in str(f)))";
    LIBRARY.get_or_init(|| run(&["-c", ASK]).trim().into())
}
