//! RabbitMQ with its plugin for AMQP 1.0, as a node of its own.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::free_address;
use crate::tls::Pki;

/// Where Debian keeps it; the command of this name in the path wants to be another user.
const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// Returns the command for RabbitMQ, and the running service of node names that it wants.
pub(super) fn command(
    folder: &Path,
    address: SocketAddr,
    pki: &Pki,
) -> Result<(Command, Child), Box<dyn Error>> {
    let program = std::env::var_os("EDGE_RABBITMQ").map_or_else(|| PathBuf::from(PROGRAM), PathBuf::from);
    let (names, nodes) = (free_address()?.port().to_string(), free_address()?.port().to_string());
    let text = format!(
        "listeners.tcp = none\nlisteners.ssl.default = {address}\nssl_options.certfile = {}\n\
         ssl_options.keyfile = {}\nssl_options.verify = verify_none\n\
         ssl_options.fail_if_no_peer_cert = false\n",
        pki.certificate.display(),
        pki.key.display(),
    );
    let config = folder.join("rabbitmq.conf");
    fs::write(&config, text)?;
    fs::write(folder.join("plugins"), "[rabbitmq_amqp1_0].")?;
    let mut epmd = Command::new("epmd");
    epmd.args(["-d", "-address", "127.0.0.1", "-port", &names]).stdin(Stdio::null());
    let epmd = epmd.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let epmd =
        epmd.map_err(|error| format!("epmd, which comes with rabbitmq-server, cannot run: {error}"))?;
    let mut server = Command::new(program);
    server
        .current_dir(folder)
        .env("HOME", folder)
        .env("ERL_EPMD_PORT", names)
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODENAME", format!("edge{}@localhost", address.port()))
        .env("RABBITMQ_DIST_PORT", nodes)
        .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env("RABBITMQ_CONFIG_FILE", config)
        .env("RABBITMQ_PID_FILE", folder.join("pid"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
        // It becomes the node then, instead of a parent of it: CPU and memory are those of one process.
        .env("RUNNING_UNDER_SYSTEMD", "true");
    Ok((server, epmd))
}
