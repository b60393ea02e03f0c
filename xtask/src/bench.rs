//! Measurements of the gateway beside its peers.

use std::path::Path;
use std::process::Command;

use crate::step::{Outcome, execute};
use crate::{install, peers};

/// The other broker in Rust, which is built only when asked for.
const RUMQTTD: &str = "0.20.0";

/// Builds what a measurement needs, installs its peers, and runs it.
pub(crate) fn run(root: &Path, load: &str, options: &[&str]) -> Outcome {
    let chosen = options.iter().position(|option| *option == "--only").and_then(|at| options.get(at + 1));
    let takes_part = |name: &str| chosen.is_none_or(|names| names.split(',').any(|chosen| chosen == name));
    let mut cargo = Command::new(env!("CARGO"));
    execute(cargo.current_dir(root).args(["build", "--release", "--package", "edge-bench", "--bins"]))?;
    if ["gateway", "written", "memory", "gateway-amqp", "gateway-https"].into_iter().any(takes_part) {
        let mut cargo = Command::new(env!("CARGO"));
        execute(cargo.current_dir(root).args(["build", "--release", "--example", "gateway"]))?;
    }
    let target = install::target(root);
    let program = target.join("release").join(format!("compare{}", std::env::consts::EXE_SUFFIX));
    let mut compare = Command::new(program);
    compare.current_dir(root).arg(load).args(options);
    if load == "https" && takes_part("nginx") {
        compare.env("EDGE_NGINX", install::program("nginx", "nginx-light")?);
    }
    if load == "amqp" && takes_part("rabbitmq") {
        peers::rabbitmq()?;
    }
    if takes_part("mosquitto") && !["memory", "amqp", "https", "idle-amqp"].contains(&load) {
        compare.env("EDGE_MOSQUITTO", install::program("mosquitto", "mosquitto")?);
    }
    if options.contains(&"--with-rumqttd") || chosen.is_some_and(|names| names.contains("rumqttd")) {
        let folder = target.join("peers").join("rumqttd");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            // Its own lock file names releases that this compiler no longer builds.
            .args(["install", "rumqttd", "--quiet", "--version", RUMQTTD, "--root"])
            .arg(&folder);
        execute(&mut cargo)?;
        compare.env("EDGE_RUMQTTD", folder.join("bin").join("rumqttd"));
    }
    execute(&mut compare)
}
