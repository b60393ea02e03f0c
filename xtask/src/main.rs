//! The commands a developer of this workspace runs.
//!
//! - `cargo xtask test [--quick]` runs every check in order and stops at the first that fails;
//!   `--quick` leaves out what needs other programs (brokers, device SDKs).
//! - `cargo xtask tidy` checks the rules that a compiler does not know.
//! - `cargo xtask peers` installs the programs that tests with real peers need, and says how to name them.
//! - `cargo xtask onnx-table` writes the table of what runs of ONNX.
//! - `cargo xtask bench LOAD` measures the gateway beside its peers; without a load it names them.
//! - `cargo xtask advisories` asks for known vulnerabilities; it needs the network.
//!
//! It depends on nothing but the standard library, so that it builds in seconds.

mod bench;
mod deny;
mod install;
mod manifest;
mod models;
mod peers;
mod step;
mod suite;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str =
    "usage: cargo xtask test [--quick] | tidy | peers | onnx-table | advisories | bench LOAD [OPTION]...";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["test"] => suite::run(suite::Extent::Everything),
        ["test", "--quick"] => suite::run(suite::Extent::Quick),
        ["bench", "models"] => models::bench(&root()),
        ["bench", load, options @ ..] => bench::run(&root(), load, options),
        ["onnx-table"] => models::write_table(&root()),
        ["tidy"] => tidy::run(&root()),
        ["peers"] => peers::run(&root()),
        ["advisories"] => deny::advisories(&root()),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the workspace's root folder.
fn root() -> PathBuf {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.pop();
    path
}
