//! The real peers that the product is tested against: device SDKs and brokers, installed by name.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install;
use crate::step::{Outcome, execute, output};

/// The device SDK and the service SDK that the tests drive, from PyPI, with what the latter needs and does not name.
const AZURE_SDKS: [&str; 3] = ["azure-iot-device==2.14.0", "azure-iot-hub==2.7.0", "six"];

/// The device SDK for Node with all its transports, and the service SDK, from npm.
const NODE_SDKS: [&str; 5] = [
    "azure-iot-device@1.18.4",
    "azure-iot-device-amqp@1.14.4",
    "azure-iot-device-http@1.14.4",
    "azure-iot-device-mqtt@1.16.4",
    "azure-iothub@1.16.6",
];

/// Installs what is missing, and prints the variables by which tests find it.
pub(crate) fn run(root: &Path) -> Outcome {
    for (name, path) in Peers::install(root)?.variables() {
        println!("{name}={}", path.display());
    }
    Ok(())
}

/// Where the installed peers are.
#[derive(Debug)]
pub(crate) struct Peers {
    mosquitto: PathBuf,
    python: PathBuf,
    node_modules: PathBuf,
}

impl Peers {
    /// Installs what is missing.
    pub(crate) fn install(root: &Path) -> Result<Self, String> {
        let mosquitto = install::program("mosquitto", "mosquitto")?;
        let peers = install::target(root).join("peers");
        let python = python(&peers.join("python"))?;
        let node_modules = node(&peers.join("node"))?;
        proton()?;
        rabbitmq()?;
        Ok(Self { mosquitto, python, node_modules })
    }

    /// Tells a command where the peers are, by the variables that the tests read.
    pub(crate) fn describe(&self, command: &mut Command) {
        command.envs(self.variables());
    }

    fn variables(&self) -> [(&'static str, &Path); 3] {
        [
            ("EDGE_MOSQUITTO", &self.mosquitto),
            ("EDGE_PYTHON", &self.python),
            ("NODE_PATH", &self.node_modules),
        ]
    }
}

/// Returns the interpreter of a virtual environment that has the SDK.
fn python(venv: &Path) -> Result<PathBuf, String> {
    let inside = interpreter(venv);
    if !has_sdk(&inside) {
        make_venv(&system_python()?, venv)?;
        let mut pip = Command::new(&inside);
        execute(
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(AZURE_SDKS),
        )?;
        if !has_sdk(&inside) {
            let sdks = AZURE_SDKS.join(" ");
            return Err(format!("{sdks} were installed and cannot be imported by {}", inside.display()));
        }
    }
    Ok(inside)
}

/// Returns where the interpreter of a virtual environment is.
pub(crate) fn interpreter(venv: &Path) -> PathBuf {
    if cfg!(windows) { venv.join("Scripts").join("python.exe") } else { venv.join("bin").join("python") }
}

/// Returns the system's interpreter.
pub(crate) fn system_python() -> Result<PathBuf, String> {
    let found = install::find("python3").or_else(|| install::find("python"));
    found.map_or_else(|| install::program("python3", "python3"), Ok)
}

/// Makes a virtual environment in place of what is there.
pub(crate) fn make_venv(python: &Path, venv: &Path) -> Outcome {
    let make = || execute(Command::new(python).args(["-m", "venv", "--clear"]).arg(venv));
    if make().is_ok() {
        return Ok(());
    }
    // Debian keeps the part that makes environments in a package of its own.
    install::debian("python3-venv")?;
    make()
}

fn has_sdk(python: &Path) -> bool {
    let ask = "import azure.iot.device, azure.iot.hub, importlib.metadata as m; \
               print(*(f'{name}=={m.version(name)}' for name in ('azure-iot-device', 'azure-iot-hub')))";
    let wanted = AZURE_SDKS.get(..2).unwrap_or_default().join(" ");
    output(Command::new(python).args(["-c", ask])).is_ok_and(|said| said.trim() == wanted)
}

/// Returns the folder of modules that has the SDK for Node.
fn node(folder: &Path) -> Result<PathBuf, String> {
    install::program("node", "nodejs")?;
    let modules = folder.join("node_modules");
    let is_there = |sdk: &str| sdk.rsplit_once('@').is_some_and(|(name, _)| modules.join(name).is_dir());
    if !NODE_SDKS.into_iter().all(is_there) {
        let npm = install::program("npm", "npm")?;
        std::fs::create_dir_all(folder).map_err(|e| format!("{} cannot be made: {e}", folder.display()))?;
        let quietly = ["install", "--no-audit", "--no-fund", "--loglevel=error", "--no-package-lock"];
        execute(Command::new(npm).arg("--prefix").arg(folder).args(quietly).args(NODE_SDKS))?;
    }
    Ok(modules)
}

/// Installs Qpid Proton for the system's Python, an AMQP client of other makers.
fn proton() -> Outcome {
    let is_there = || output(Command::new("/usr/bin/python3").args(["-c", "import proton"])).is_ok();
    if is_there() { Ok(()) } else { install::debian("python3-qpid-proton") }
}

/// Installs RabbitMQ with its plugin for AMQP 1.0; the tests run a node of their own.
pub(crate) fn rabbitmq() -> Outcome {
    if Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server").is_file() {
        return Ok(());
    }
    install::debian("rabbitmq-server")
}
