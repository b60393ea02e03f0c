//! The disk fills up, and has space again later.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use edge_bench::clock;
use edge_e2e::gateway::{self, Gateway};
use edge_e2e::load::{Load, device};
use edge_e2e::mosquitto::Mosquitto;
use edge_e2e::site::Site;
use edge_e2e::wait;

/// The size of the whole disk.
const DISK_MIB: usize = 48;

/// Starts the gateway with its state on a disk in memory that is its alone, and returns that disk's folder.
///
/// The disk is mounted in a mount namespace of the gateway's own, which wants the administrator or unprivileged user
/// namespaces; nothing has to be taken down afterwards.
fn on_a_small_disk(site: &Site) -> (Gateway, std::path::PathBuf) {
    let state = site.folder().join("state");
    fs::create_dir_all(&state).unwrap();
    let administrator = rustix::process::geteuid().is_root();
    let mut command = Command::new("unshare");
    command.args(if administrator { &["--mount"][..] } else { &["--user", "--map-root-user", "--mount"] });
    let script = format!("mount -t tmpfs -o size={DISK_MIB}m none \"$1\" && exec \"$2\" --config \"$3\"");
    command.args(["sh", "-c", &script, "sh"]).arg(&state).arg(gateway::program()).arg(site.config());
    let gateway = Gateway::run(command, site.folder(), SocketAddr::from((site.ip, 1883)));
    let inside =
        Path::new("/proc").join(gateway.id().to_string()).join("root").join(state.strip_prefix("/").unwrap());
    (gateway, inside)
}

/// Writes until there is no space for another page.
fn fill(path: &Path) {
    let mut ballast = File::create(path).unwrap();
    while ballast.write_all(&[0; 4096]).is_ok() {}
}

#[test]
fn a_full_disk_costs_acknowledgements_and_no_acknowledged_message() {
    let login = device();
    let site = Site::new(32, 1).listen("mqtt_plain = \"IP:1883\"").identity(&login.client_id);
    let upstream = format!(
        "[routes]\nall = \"FROM /messages/* INTO $upstream\"\n[upstream]\ntype = \"mqtt\"\n\
         url = \"mqtt://{}:1884\"\ntopic = \"edge/{{device_id}}/events\"\nclient_id = \"edge1\"\n",
        site.ip
    );
    let site = site.and(&upstream);
    site.write();
    let (gateway, disk) = on_a_small_disk(&site);
    let load = Load::start(SocketAddr::from((site.ip, 1883)), login, 1_000);
    wait::until("messages to be acknowledged", || (load.so_far().acked.len() > 1_000).then_some(()));

    fill(&disk.join("ballast"));
    let stalled = wait::until("acknowledgements to stop", || {
        let before = load.so_far().acked.len();
        clock::pause(Duration::from_secs(1));
        let after = load.so_far().acked.len();
        (before == after).then_some(after)
    });
    fs::remove_file(disk.join("ballast")).unwrap();
    wait::until("service to resume by itself", || (load.so_far().acked.len() > stalled + 100).then_some(()));

    let broker = Mosquitto::start(site.folder(), site.ip, 1884);
    let listener = broker.listen();
    let known = load.stop();
    let twice = known.has_arrived(|| listener.numbers());
    println!("{twice} arrived more than once");
    assert!(gateway.stop().success());
}
