//! The real peers that the product is tested against: device SDKs and brokers, installed by name.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install;
use crate::step::{Outcome, execute, output};

/// The device SDK that the tests drive, from PyPI.
const AZURE_SDK: &str = "azure-iot-device==2.14.0";

/// Where the installed peers are.
#[derive(Debug)]
pub(crate) struct Peers {
    mosquitto: PathBuf,
    python: PathBuf,
}

impl Peers {
    /// Installs what is missing.
    pub(crate) fn install(root: &Path) -> Result<Self, String> {
        let mosquitto = install::program("mosquitto", "mosquitto")?;
        let python = python(&install::target(root).join("peers").join("python"))?;
        Ok(Self { mosquitto, python })
    }

    /// Tells a command where the peers are, by the variables that the tests read.
    pub(crate) fn describe(&self, command: &mut Command) {
        command.env("EDGE_MOSQUITTO", &self.mosquitto).env("EDGE_PYTHON", &self.python);
    }
}

/// Returns the interpreter of a virtual environment that has the SDK.
fn python(venv: &Path) -> Result<PathBuf, String> {
    let inside =
        if cfg!(windows) { venv.join("Scripts").join("python.exe") } else { venv.join("bin").join("python") };
    if !has_sdk(&inside) {
        let system = match install::find("python3").or_else(|| install::find("python")) {
            Some(found) => found,
            None => install::program("python3", "python3")?,
        };
        make_venv(&system, venv)?;
        let mut pip = Command::new(&inside);
        execute(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", AZURE_SDK]))?;
        if !has_sdk(&inside) {
            return Err(format!("{AZURE_SDK} was installed and cannot be imported by {}", inside.display()));
        }
    }
    Ok(inside)
}

fn make_venv(python: &Path, venv: &Path) -> Outcome {
    let make = || execute(Command::new(python).args(["-m", "venv", "--clear"]).arg(venv));
    if make().is_ok() {
        return Ok(());
    }
    // Debian keeps the part that makes environments in a package of its own.
    install::debian("python3-venv")?;
    make()
}

fn has_sdk(python: &Path) -> bool {
    let version = AZURE_SDK.split("==").nth(1).unwrap_or_default();
    let ask = "import azure.iot.device, importlib.metadata as m; print(m.version('azure-iot-device'))";
    output(Command::new(python).args(["-c", ask])).is_ok_and(|said| said.trim() == version)
}
