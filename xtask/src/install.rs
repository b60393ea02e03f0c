//! Programs that checks need and that cargo does not bring.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::step::execute;

/// Returns the path of a program, installing a Debian package first where it is missing.
pub(crate) fn program(name: &str, package: &str) -> Result<PathBuf, String> {
    if let Some(found) = find(name) {
        return Ok(found);
    }
    debian(package)?;
    find(name).ok_or_else(|| format!("the package `{package}` brought no program `{name}`"))
}

/// Installs a Debian package by name.
pub(crate) fn debian(package: &str) -> Result<(), String> {
    let by_hand =
        |reason: &str| format!("`{package}` is needed and {reason}; install it by hand and run this again");
    let Some(apt) = find("apt-get") else { return Err(by_hand("this system has no apt-get")) };
    let install = || {
        let mut command = as_root(&apt);
        command.env("DEBIAN_FRONTEND", "noninteractive").args([
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            package,
        ]);
        execute(command.stdin(Stdio::null()))
    };
    if install().is_ok() {
        return Ok(());
    }
    // A package list that was never fetched or has grown old is the usual reason.
    execute(as_root(&apt).args(["update", "-qq"]).stdin(Stdio::null())).map_err(|error| by_hand(&error))?;
    install().map_err(|error| by_hand(&error))
}

/// Returns a command that runs as the administrator, without asking for a password.
fn as_root(program: &Path) -> Command {
    match find("sudo") {
        Some(sudo) if env::var_os("USER").is_some_and(|user| user != "root") => {
            let mut command = Command::new(sudo);
            command.args(["-n", "--preserve-env=DEBIAN_FRONTEND"]).arg(program);
            command
        }
        _ => Command::new(program),
    }
}

/// Returns where a program is, looking also where servers are installed.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let servers = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&path).chain(servers).map(|folder| folder.join(&file)).find(|path| path.is_file())
}

/// Returns the folder where this user keeps what can be made again.
pub(crate) fn cache() -> Result<PathBuf, String> {
    let from = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    from("XDG_CACHE_HOME")
        .or_else(|| from("LOCALAPPDATA"))
        .or_else(|| from("HOME").map(|home| home.join(".cache")))
        .map(|folder| folder.join("edge-xtask"))
        .ok_or_else(|| "no folder for cached tools: set HOME".into())
}

/// Returns the folder that cargo builds into.
pub(crate) fn target(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_found_and_nonsense_is_not() {
        assert!(find("cargo").is_some());
        assert_eq!(find("no-such-program-here"), None);
    }
}
