//! This project's gateway, as its example program runs it.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::dialect::{Dialect, GATEWAY_DEVICE, HUB, publisher_id, shared_key, subscriber_id};
use super::{Durability, Guests, build_folder};
use crate::tls::Pki;

/// Writes a configuration and returns the command that runs it.
pub(super) fn command(
    folder: &Path,
    address: SocketAddr,
    guests: Guests,
    pki: Option<&Pki>,
    durability: Durability,
    dialect: Dialect,
) -> Result<Command, Box<dyn Error>> {
    let config = folder.join("gateway.toml");
    fs::write(&config, configuration(folder, address, guests, pki, durability, dialect)?)?;
    let mut command = Command::new(program()?);
    command.arg("--config").arg(config);
    Ok(command)
}

/// Returns the built example: the one that is named, or the one of the profile that this program was built in.
fn program() -> Result<PathBuf, Box<dyn Error>> {
    if let Some(named) = env::var_os("EDGE_GATEWAY") {
        return Ok(named.into());
    }
    let name = format!("examples/gateway{}", env::consts::EXE_SUFFIX);
    let mut places: Vec<PathBuf> =
        build_folder()?.ancestors().take(2).map(|folder| folder.join(&name)).collect();
    places.retain(|path| path.is_file());
    places.pop().ok_or_else(|| format!("{name} is not built: cargo build --release --example gateway").into())
}

fn configuration(
    folder: &Path,
    address: SocketAddr,
    guests: Guests,
    pki: Option<&Pki>,
    durability: Durability,
    dialect: Dialect,
) -> Result<String, Box<dyn Error>> {
    let durability = match durability {
        Durability::Synced => "synced",
        Durability::Written => "written",
        Durability::Memory => "memory",
    };
    let listener = match (dialect, pki) {
        (Dialect::Amqp, _) => "amqp",
        (Dialect::Http, _) => "https",
        (_, Some(_)) => "mqtt",
        (_, None) => "mqtt_plain",
    };
    let mut text = format!(
        "hub_name = \"{HUB}\"\nhostname = \"localhost\"\ndevice_id = \"{GATEWAY_DEVICE}\"\nstate_dir = {:?}\n\n\
         [listen]\n{listener} = \"{address}\"\n",
        folder.join("state").display().to_string(),
    );
    if let Some(pki) = pki {
        let path = |path: &Path| format!("{:?}", path.display().to_string());
        write!(
            text,
            "\n[tls]\ncertificate = {}\nprivate_key = {}\n",
            path(&pki.certificate),
            path(&pki.key)
        )?;
    }
    for number in 0..guests.publishers {
        identity(&mut text, &publisher_id(number), None);
    }
    let modules = guests.subscribers.max(1);
    for number in 0..modules {
        identity(&mut text, GATEWAY_DEVICE, Some(&subscriber_id(number)));
    }
    text.push_str("\n[routes]\n");
    for module in (0..modules).map(subscriber_id) {
        writeln!(
            text,
            "{module} = 'FROM /messages/* INTO BrokeredEndpoint(\"/modules/{module}/inputs/in\")'"
        )?;
    }
    write!(text, "\n[store_and_forward]\ndurability = \"{durability}\"\nmax_bytes = \"16GiB\"\n")?;
    Ok(text)
}

fn identity(text: &mut String, device: &str, module: Option<&str>) {
    let module = module.map(|module| format!("module_id = \"{module}\"\n")).unwrap_or_default();
    let key = shared_key();
    text.push_str(&format!(
        "\n[[identities]]\ndevice_id = \"{device}\"\n{module}\
         auth = {{ type = \"sas\", primary_key = \"{key}\", secondary_key = \"{key}\" }}\n"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_has_a_route_for_each_receiver() {
        let guests = Guests { publishers: 2, subscribers: 3, tls: false };
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let text =
            configuration(Path::new("state"), address, guests, None, Durability::Synced, Dialect::IotHub)
                .unwrap();
        assert_eq!(text.matches("[[identities]]").count(), 5);
        assert!(
            text.contains("sink2 = 'FROM /messages/* INTO BrokeredEndpoint(\"/modules/sink2/inputs/in\")'"),
            "{text}"
        );
    }
}
