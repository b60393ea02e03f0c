//! Servers of other projects, and the lower bound.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build_folder;
use crate::tls::Pki;

/// Returns the command for Mosquitto, with nothing on disk and no limit in the way.
pub(super) fn mosquitto(
    folder: &Path,
    address: SocketAddr,
    pki: Option<&Pki>,
) -> Result<Command, Box<dyn Error>> {
    let mut text = format!("listener {} {}\n", address.port(), address.ip());
    if let Some(pki) = pki {
        text.push_str(&format!("certfile {}\nkeyfile {}\n", pki.certificate.display(), pki.key.display()));
    }
    // Started by the administrator it would otherwise become a user that cannot read its certificate.
    text.push_str("user root\n");
    text.push_str("allow_anonymous true\npersistence false\nset_tcp_nodelay true\n");
    text.push_str("max_inflight_messages 0\nmax_queued_messages 0\nlog_type error\n");
    let config = folder.join("mosquitto.conf");
    fs::write(&config, text)?;
    let mut command = Command::new(find("EDGE_MOSQUITTO", "mosquitto")?);
    command.arg("-c").arg(config);
    Ok(command)
}

/// Returns the command for rumqttd.
pub(super) fn rumqttd(folder: &Path, address: SocketAddr) -> Result<Command, Box<dyn Error>> {
    let text = format!(
        "id = 0\n[router]\nid = 0\nmax_connections = 20000\nmax_outgoing_packet_count = 200\n\
         max_segment_size = 104857600\nmax_segment_count = 10\n\
         [v4.1]\nname = \"v4\"\nlisten = \"{address}\"\nnext_connection_delay_ms = 1\n\
         [v4.1.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = 262144\nmax_inflight_count = 200\n\
         dynamic_filters = true\n",
    );
    let config = folder.join("rumqttd.toml");
    fs::write(&config, text)?;
    let mut command = Command::new(find("EDGE_RUMQTTD", "rumqttd")?);
    command.arg("-c").arg(config);
    Ok(command)
}

/// Returns the command for the lower bound.
pub(super) fn nginx(folder: &Path, address: SocketAddr, pki: &Pki) -> Result<Command, Box<dyn Error>> {
    let (certificate, key) = (pki.certificate.display(), pki.key.display());
    // One process, so that its CPU time is all there is.
    let text = format!(
        "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\naccess_log off;\nkeepalive_requests 1000000000;\nclient_body_temp_path {folder}/body;\n\
         proxy_temp_path {folder}/proxy;\nfastcgi_temp_path {folder}/fastcgi;\nuwsgi_temp_path {folder}/uwsgi;\n\
         scgi_temp_path {folder}/scgi;\n\
         server {{\nlisten {address} ssl;\nssl_certificate {certificate};\nssl_certificate_key {key};\n\
         location / {{ return 204; }}\n}}\n}}\n",
        folder = folder.display(),
    );
    let config = folder.join("nginx.conf");
    fs::write(&config, text)?;
    let mut command = Command::new(find("EDGE_NGINX", "nginx")?);
    command.arg("-c").arg(config);
    Ok(command)
}

pub(super) fn null_durable(
    folder: &Path,
    address: SocketAddr,
    sync: bool,
) -> Result<Command, Box<dyn Error>> {
    let mut command =
        Command::new(build_folder()?.join(format!("null-durable{}", std::env::consts::EXE_SUFFIX)));
    command.args(["--listen", &address.to_string(), "--file"]).arg(folder.join("log"));
    if !sync {
        command.arg("--no-sync");
    }
    Ok(command)
}

fn find(variable: &str, name: &str) -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let servers = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let found = std::env::split_paths(&path)
        .chain(servers)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.ok_or_else(|| format!("{name} is not installed; {variable} can name it"))
}
