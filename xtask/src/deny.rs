//! Licences, banned crates and sources, by cargo-deny.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install;
use crate::step::{self, Outcome, execute};

/// The release that `deny.toml` was written for.
const VERSION: &str = "0.20.2";

/// Checks what needs no database.
pub(crate) fn check(root: &Path) -> Outcome {
    let mut deny = Command::new(tool()?);
    execute(deny.current_dir(root).args(["--all-features", "check", "bans", "licenses", "sources"]))
}

/// Checks known vulnerabilities, for which cargo-deny fetches a database.
pub(crate) fn advisories(root: &Path) -> Outcome {
    let mut deny = Command::new(tool()?);
    execute(deny.current_dir(root).args(["--all-features", "check", "advisories"]))
}

/// Returns the program, building it once per user where it is missing.
fn tool() -> Result<PathBuf, String> {
    let folder = install::cache()?.join(format!("cargo-deny-{VERSION}"));
    let program = folder.join("bin").join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    if let Some(found) = install::find("cargo-deny")
        && step::output(Command::new(&found).arg("--version")).is_ok_and(|said| said.contains(VERSION))
    {
        return Ok(found);
    }
    if !program.is_file() {
        // A debug build takes a fraction of the time, and the checks take seconds either way.
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["install", "cargo-deny", "--locked", "--debug", "--quiet", "--version", VERSION, "--root"])
            .arg(&folder);
        execute(cargo.env_remove("CARGO_TARGET_DIR"))?;
    }
    Ok(program)
}
