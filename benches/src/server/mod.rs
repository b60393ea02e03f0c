//! The servers that are compared, each started in a process and a folder of its own.

mod dialect;
mod gateway;
mod others;
mod rabbit;

use std::error::Error;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

pub use dialect::{Dialect, shared_key};

use crate::clock;
use crate::process::Process;
use crate::scenario::Target;
use crate::tls::Pki;

/// A server that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "programs of this package match all of them")]
pub enum Kind {
    /// This project's gateway, with the durability it acknowledges at.
    Gateway(Durability),
    /// Mosquitto 2, all in memory.
    Mosquitto,
    /// rumqttd, all in memory.
    Rumqttd,
    /// The lower bound: parse, append, synchronise, answer.
    NullDurable,
    /// The lower bound without synchronisation.
    NullWritten,
    /// The gateway with its log synchronised, over AMQP and TLS.
    GatewayAmqp,
    /// The gateway with its log synchronised, over HTTPS.
    GatewayHttps,
    /// nginx, which answers every request with 204 over HTTPS.
    Nginx,
    /// RabbitMQ with its plugin for AMQP 1.0, over TLS, with a durable queue.
    RabbitMq,
}

/// When the gateway acknowledges a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "programs of this package match all of them")]
pub enum Durability {
    /// Once it survives a loss of power.
    Synced,
    /// Once it survives the end of the process.
    Written,
    /// Once it is in memory.
    Memory,
}

/// Who will connect.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "programs of this package fill it in")]
pub struct Guests {
    /// How many devices publish.
    pub publishers: usize,
    /// How many modules receive every message; with none, messages are stored for a module that never comes.
    pub subscribers: usize,
    /// Whether they use TLS.
    pub tls: bool,
}

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// What it needs beside it.
    companion: Option<Child>,
    /// Where and who it is.
    pub target: Target,
    /// How its clients introduce themselves.
    pub dialect: Dialect,
    /// Its certificate, where it was to use TLS.
    pub pki: Option<Pki>,
}

impl Kind {
    /// Returns its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway(Durability::Synced) => "gateway, synced",
            Self::Gateway(Durability::Written) => "gateway, written",
            Self::Gateway(Durability::Memory) => "gateway, memory",
            Self::Mosquitto => "Mosquitto",
            Self::Rumqttd => "rumqttd",
            Self::NullDurable => "limit, synced",
            Self::NullWritten => "limit, written",
            Self::GatewayAmqp => "gateway, AMQP",
            Self::GatewayHttps => "gateway, HTTPS",
            Self::Nginx => "nginx",
            Self::RabbitMq => "RabbitMQ, AMQP",
        }
    }

    /// Starts it in an empty folder and waits until it accepts connections.
    ///
    /// # Errors
    /// When its program is missing, or it does not listen within two minutes.
    pub fn start(self, folder: &Path, guests: Guests) -> Result<Server, Box<dyn Error>> {
        let address = free_address()?;
        let pki = guests.tls.then(|| Pki::make(folder)).transpose()?;
        let mut companion = None;
        let (mut command, dialect) = match self {
            Self::Gateway(durability) => {
                let dialect = Dialect::IotHub;
                (gateway::command(folder, address, guests, pki.as_ref(), durability, dialect)?, dialect)
            }
            Self::GatewayAmqp | Self::GatewayHttps => {
                let dialect = if self == Self::GatewayAmqp { Dialect::Amqp } else { Dialect::Http };
                let synced = Durability::Synced;
                (gateway::command(folder, address, guests, pki.as_ref(), synced, dialect)?, dialect)
            }
            Self::Nginx => {
                let pki = pki.as_ref().ok_or("nginx is measured over TLS")?;
                (others::nginx(folder, address, pki)?, Dialect::Http)
            }
            Self::RabbitMq => {
                let pki = pki.as_ref().ok_or("RabbitMQ is measured over TLS")?;
                let (command, names) = rabbit::command(folder, address, pki)?;
                companion = Some(names);
                (command, Dialect::Broker)
            }
            Self::Mosquitto => (others::mosquitto(folder, address, pki.as_ref())?, Dialect::Plain),
            Self::Rumqttd => (others::rumqttd(folder, address)?, Dialect::Plain),
            Self::NullDurable => (others::null_durable(folder, address, true)?, Dialect::Plain),
            Self::NullWritten => (others::null_durable(folder, address, false)?, Dialect::Plain),
        };
        let log = File::create(folder.join("server.log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let shown = format!("{command:?}");
        let child = command.spawn().map_err(|error| format!("{shown} could not be started: {error}"));
        let child = match child {
            Ok(child) => child,
            Err(reason) => {
                end(companion.as_mut());
                return Err(reason.into());
            }
        };
        let target = Target { address, process: Some(Process::new(child.id())) };
        let mut server = Server { child, companion, target, dialect, pki };
        server.wait_until_it_listens(folder)?;
        Ok(server)
    }
}

impl Server {
    fn wait_until_it_listens(&mut self, folder: &Path) -> Result<(), Box<dyn Error>> {
        let until = clock::now() + Duration::from_secs(120);
        while TcpStream::connect(self.target.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                let log = std::fs::read_to_string(folder.join("server.log")).unwrap_or_default();
                return Err(format!("the server ended with {status}: {}", log.trim()).into());
            }
            if clock::now() > until {
                return Err("the server does not listen".into());
            }
            clock::pause(Duration::from_millis(20));
        }
        // The connection that was tried has to be gone before memory is looked at.
        clock::pause(Duration::from_millis(500));
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(Some(&mut self.child));
        end(self.companion.as_mut());
    }
}

fn end(child: Option<&mut Child>) {
    let Some(child) = child else { return };
    // Ending a process that has ended already is no mistake.
    let _ = child.kill();
    let _ = child.wait();
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Returns the folder of this program's siblings, where cargo puts what it builds in the same profile.
fn build_folder() -> io::Result<PathBuf> {
    let me = std::env::current_exe()?;
    me.parent().map(Into::into).ok_or_else(|| io::Error::other("this program is in no folder"))
}
