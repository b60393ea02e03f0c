//! Connections that say nothing, too little or nonsense: refused or waited for, and nobody else is affected.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use edge_bench::process::{self, Process};
use edge_e2e::load::{Load, device};
use edge_e2e::site::Site;
use edge_e2e::wait;

const STRANGERS: usize = 2_000;

#[test]
fn strangers_do_not_keep_a_device_from_being_served() {
    assert!(
        process::raise_file_limit().is_some_and(|limit| limit > 2 * STRANGERS as u64),
        "too few open files allowed"
    );
    let login = device();
    let doors = "mqtt_plain = \"IP:1883\"\nmqtt = \"IP:8883\"";
    let site = Site::new(33, 1).listen(doors).tls(None).identity(&login.client_id);
    let site = site.and("[routes]\nall = \"FROM /messages/* INTO $upstream\"\n");
    let gateway = site.start(1883);
    let (plain, tls) = (SocketAddr::from((site.ip, 1883)), SocketAddr::from((site.ip, 8883)));
    // The doors open one after the other.
    wait::until("the door for TLS to open", || TcpStream::connect(tls).ok());
    let process = Process::new(gateway.id());
    let before = process.resident_kib().unwrap();

    let strangers: Vec<TcpStream> = (0..STRANGERS)
        .map(|number| {
            let mut stream = TcpStream::connect(if number % 2 == 0 { plain } else { tls }).unwrap();
            // The first byte of a CONNECT or of a TLS record, and then silence.
            stream.write_all(if number % 2 == 0 { &[0x10] } else { &[0x16] }).unwrap();
            stream
        })
        .collect();
    let load = Load::start(plain, login, 100);
    wait::until("messages to be acknowledged", || (load.so_far().acked.len() > 1_000).then_some(()));
    let grown = process.resident_kib().unwrap().saturating_sub(before);
    assert!(grown < 32 * STRANGERS as u64, "{grown} KiB for {STRANGERS} strangers");
    drop(strangers);

    for address in [plain, tls] {
        for nonsense in
            [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 300], &[0x30, 0xff, 0xff, 0xff, 0xff, 0xff], &[0; 64]]
        {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            // The gateway may have hung up before all is written.
            let _ = stream.write_all(nonsense);
            let mut answer = Vec::new();
            match stream.read_to_end(&mut answer) {
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "after {nonsense:?}")
                }
            }
        }
    }
    let known = load.stop();
    assert_eq!(known.connected, 1, "the device was never disturbed");
    assert_eq!(known.has_arrived(|| site.numbers()), 0, "nothing failed, so nothing was sent twice");
    assert!(gateway.stop().success());
}
