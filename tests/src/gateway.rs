//! The built gateway in a process of its own.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// A running gateway; dropping it ends it at once, and shows its log when a test fails.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    log: PathBuf,
}

impl Gateway {
    /// Starts it with a configuration, and waits until it listens.
    ///
    /// # Panics
    /// When it is not built, or ends instead.
    #[must_use]
    pub fn start(config: &Path, folder: &Path, address: SocketAddr) -> Self {
        let mut command = Command::new(program());
        command.arg("--config").arg(config);
        Self::run(command, folder, address)
    }

    /// Runs a command that ends up as the gateway, and waits until that listens.
    ///
    /// # Panics
    /// When it ends instead.
    #[must_use]
    pub fn run(mut command: Command, folder: &Path, address: SocketAddr) -> Self {
        let path = folder.join("gateway.log");
        let log =
            OpenOptions::new().create(true).append(true).open(&path).expect("the folder can be written to");
        let errors = log.try_clone().expect("a file can be shared");
        command.current_dir(folder).stdin(Stdio::null()).stdout(log).stderr(errors);
        let child =
            command.spawn().unwrap_or_else(|error| panic!("{command:?} could not be started: {error}"));
        let mut gateway = Self { child, log: path };
        wait::until("the gateway to listen", || {
            if let Ok(Some(status)) = gateway.child.try_wait() {
                panic!("the gateway ended with {status}");
            }
            TcpStream::connect(address).ok()
        });
        gateway
    }

    /// Returns the process's number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a lost process would.
    ///
    /// # Panics
    /// When it had ended by itself.
    pub fn kill(mut self) {
        assert_eq!(self.child.try_wait().ok().flatten(), None, "the gateway had ended by itself");
        self.child.kill().expect("a running process can be ended");
        self.child.wait().expect("a process that was ended can be waited for");
    }

    /// Asks it to read its configuration again; what comes of it is to be waited for.
    ///
    /// # Panics
    /// When it has ended.
    pub fn reload(&self) {
        self.signal(Signal::HUP);
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process has a number");
        kill_process(id, signal).expect("a running process can be signalled");
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    /// When it does not end within a minute.
    #[must_use]
    pub fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        wait::until("the gateway to end", || self.child.try_wait().ok().flatten())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already, which is no mistake.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "---- the gateway's last words\n{}",
                lines[lines.len().saturating_sub(40)..].join("\n")
            );
        }
    }
}

/// Returns the built gateway.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn program() -> PathBuf {
    if let Some(path) = env::var_os("EDGE_GATEWAY") {
        return path.into();
    }
    let me = env::current_exe().expect("a program knows where it is");
    let profile = me.ancestors().nth(2).expect("tests are built into a profile's folder");
    let name = format!("examples/gateway{}", env::consts::EXE_SUFFIX);
    let path = profile.join(name);
    assert!(File::open(&path).is_ok(), "{} is missing: run cargo build --example gateway", path.display());
    path
}
