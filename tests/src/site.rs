//! A folder and a loopback address for one gateway.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use edge_bench::server::shared_key;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::gateway::Gateway;
use crate::pki::Pki;
use crate::wait;

/// The name that clients sign their tokens for.
pub const HUB: &str = "hub.local";
/// The gateway's own device.
pub const GATEWAY_DEVICE: &str = "edge1";

/// Where one gateway lives, through all its restarts.
#[derive(Debug)]
pub struct Site {
    /// The address that is this site's alone.
    pub ip: Ipv4Addr,
    /// Its certificates.
    pub pki: Pki,
    text: String,
    folder: TempDir,
}

impl Site {
    /// Makes a site at 127.0.`third`.`fourth`; each test has its own.
    ///
    /// # Panics
    /// When no folder can be made.
    #[must_use]
    pub fn new(third: u8, fourth: u8) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let ip = Ipv4Addr::new(127, 0, third, fourth);
        let pki = Pki::make(folder.path(), ip);
        Self { ip, pki, text: beginning(ip), folder }
    }

    /// Begins the configuration anew; address, certificates and folder stay.
    #[must_use]
    pub fn rewritten(self) -> Self {
        Self { text: beginning(self.ip), ..self }
    }

    /// Opens doors: lines such as `mqtt = "…"`, with `IP` for this site's address.
    #[must_use]
    pub fn listen(self, doors: &str) -> Self {
        let doors = doors.replace("IP", &self.ip.to_string());
        self.and(&format!("[listen]\n{doors}\n"))
    }

    /// Uses the site's certificate, and knows devices by an authority where one is given.
    #[must_use]
    pub fn tls(self, devices: Option<&Path>) -> Self {
        let mut text = String::from("[tls]\ncertificate = \"server.pem\"\nprivate_key = \"server.key\"\n");
        if let Some(authority) = devices {
            text.push_str(&format!("client_ca = {:?}\n", authority.display().to_string()));
        }
        self.and(&text)
    }

    /// Knows a device, or a module written as `device/module`, by the key of all tests.
    #[must_use]
    pub fn identity(self, name: &str) -> Self {
        let key = shared_key();
        self.identity_with(name, &format!("type = \"sas\", primary_key = \"{key}\""))
    }

    /// Knows an identity by something else.
    #[must_use]
    pub fn identity_with(self, name: &str, auth: &str) -> Self {
        let (device, module) =
            name.split_once('/').map_or((name, None), |(device, module)| (device, Some(module)));
        let mut text = format!("[[identities]]\ndevice_id = \"{device}\"\n");
        if let Some(module) = module {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "module_id = \"{module}\"");
        }
        self.and(&format!("{text}auth = {{ {auth} }}\n"))
    }

    /// Adds any text to the configuration.
    #[must_use]
    pub fn and(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the file that the configuration is in.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder().join("gateway.toml")
    }

    /// Starts the gateway and waits until it listens on this port of the site's address.
    ///
    /// # Panics
    /// When it ends instead.
    #[must_use]
    pub fn start(&self, port: u16) -> Gateway {
        self.write();
        Gateway::start(&self.config(), self.folder(), (self.ip, port).into())
    }

    /// Writes the configuration.
    ///
    /// # Panics
    /// When the folder cannot be written to.
    pub fn write(&self) {
        fs::write(self.config(), &self.text).expect("the folder can be written to");
    }

    /// Puts another text in the place of one in the configuration, and writes it.
    ///
    /// # Panics
    /// When there is no such text, or the folder cannot be written to.
    pub fn rewrite(&mut self, old: &str, new: &str) {
        assert!(self.text.contains(old), "{old} is not in the configuration");
        self.text = self.text.replace(old, new);
        self.write();
    }

    /// Returns a connection string for an identity, with the key of all tests.
    #[must_use]
    pub fn connection_string(&self, name: &str) -> String {
        let (device, module) = name
            .split_once('/')
            .map_or((name, String::new()), |(device, module)| (device, format!("ModuleId={module};")));
        let (key, ip) = (shared_key(), self.ip);
        format!("HostName={HUB};DeviceId={device};{module}SharedAccessKey={key};GatewayHostName={ip}")
    }

    /// Returns the arguments of a script that speaks as this identity.
    #[must_use]
    pub fn script(&self, name: &str) -> Value {
        json!({ "connection_string": self.connection_string(name), "ca": self.pki.ca })
    }

    /// Returns what has arrived at the file upstream, in order, a value a message.
    ///
    /// # Panics
    /// When a line is not whole or not JSON.
    #[must_use]
    pub fn upstream(&self) -> Vec<Value> {
        let text =
            fs::read_to_string(self.folder().join("state").join("upstream.ndjson")).unwrap_or_default();
        // While the gateway runs its last line may be on its way.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")))
            .collect()
    }

    /// Returns the numbers `n` of what has arrived at the file upstream, in order.
    ///
    /// # Panics
    /// When a message has none.
    #[must_use]
    pub fn numbers(&self) -> Vec<u64> {
        let number =
            |line: &Value| line["body"]["n"].as_u64().unwrap_or_else(|| panic!("no number in {line}"));
        self.upstream().iter().map(number).collect()
    }

    /// Waits until so many messages have arrived, and returns them.
    #[must_use]
    pub fn wait_for_upstream(&self, count: usize) -> Vec<Value> {
        wait::until(&format!("{count} messages upstream"), || {
            let arrived = self.upstream();
            (arrived.len() >= count).then_some(arrived)
        })
    }
}

/// Returns what every configuration begins with.
fn beginning(ip: Ipv4Addr) -> String {
    format!(
        "hub_name = \"{HUB}\"\nhostname = \"{ip}\"\ndevice_id = \"{GATEWAY_DEVICE}\"\nstate_dir = \"state\"\n"
    )
}
