//! What the gateway takes: memory when nothing happens, for each silent connection, and with a long queue.
//!
//! The bounds are those that the documentation promises; `cargo xtask bench` measures the same beside peers.

use edge_bench::process;
use edge_bench::scenario::{Idle, idle, ingest, payload};
use edge_bench::server::{Durability, Guests, Kind, Server};
use tempfile::TempDir;

const GATEWAY: Kind = Kind::Gateway(Durability::Synced);

fn start(guests: Guests) -> (Server, TempDir) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let server = GATEWAY.start(folder.path(), guests).unwrap_or_else(|error| panic!("{error}"));
    (server, folder)
}

fn idle_connections(count: usize, tls: bool) -> Idle {
    assert!(
        process::raise_file_limit().is_some_and(|limit| limit > 2 * count as u64),
        "too few open files allowed"
    );
    let (server, _folder) = start(Guests { publishers: count, subscribers: 0, tls });
    let logins: Vec<_> = (0..count).map(|number| server.dialect.publisher(number)).collect();
    let client = server.pki.as_ref().map(|pki| &pki.client);
    let shown = idle(&server.target, &logins, client).unwrap_or_else(|error| panic!("{error}"));
    println!("{shown:?}");
    shown
}

#[test]
fn an_idle_gateway_fits_in_12_mib() {
    // Nine tenths of it are pages of the program's own file.
    let shown = idle_connections(1, false);
    assert!(shown.empty_kib < 12 << 10, "{} KiB", shown.empty_kib);
}

#[test]
fn a_silent_connection_takes_4_kib() {
    let shown = idle_connections(2_000, false);
    assert!(shown.kib_each <= 4.0, "{} KiB", shown.kib_each);
}

#[test]
fn a_silent_connection_with_tls_takes_16_kib() {
    let shown = idle_connections(1_000, true);
    assert!(shown.kib_each <= 16.0, "{} KiB", shown.kib_each);
}

#[test]
fn a_long_queue_takes_disk_and_not_memory() {
    let (server, _folder) = start(Guests { publishers: 8, subscribers: 0, tls: false });
    let logins: Vec<_> = (0..8).map(|number| server.dialect.publisher(number)).collect();
    let shown = ingest(&server.target, &logins, 50, &payload(256), 400_000, None)
        .unwrap_or_else(|error| panic!("{error}"));
    println!("{shown:?}");
    assert!(shown.peak_kib < 64_000_000 / 1024, "{} KiB at most", shown.peak_kib);
}
