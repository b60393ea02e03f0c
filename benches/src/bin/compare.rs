//! Puts this gateway and its peers under the same load, in turns, and prints a table with ratios.
//!
//! `compare ingest|latency|fanout|idle|idle-tls|memory|amqp|https|idle-amqp [--rounds N] [--only NAME,NAME] [--with-rumqttd] [--messages N]
//! [--clients N] [--window N] [--payload BYTES]`; names are `gateway`, `written`, `memory`, `mosquitto`, `rumqttd`,
//! `limit`, `limit-written`, `gateway-amqp`, `gateway-https`, `nginx` and `rabbitmq`.

use std::error::Error;
use std::time::Duration;

use edge_bench::args::Args;
use edge_bench::comparison::{Comparison, Figures};
use edge_bench::mqtt::Login;
use edge_bench::server::{Durability, Guests, Kind, Server};
use edge_bench::{machine, process, scenario};

/// How large a measurement is to be.
struct Size {
    rounds: usize,
    clients: Option<usize>,
    window: usize,
    body: Vec<u8>,
    messages: Option<u64>,
}

const GATEWAY: Kind = Kind::Gateway(Durability::Synced);

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = Args::of_this_program();
    let load = args
        .command()
        .ok_or("name a load: ingest, latency, fanout, idle, idle-tls, memory, amqp, https or idle-amqp")?;
    let only: Option<String> = args.option("--only")?;
    let with_rumqttd = args.switch("--with-rumqttd");
    let size = Size {
        rounds: args.option("--rounds")?.unwrap_or(5),
        clients: args.option("--clients")?,
        window: args.option("--window")?.unwrap_or(100),
        body: scenario::payload(args.option("--payload")?.unwrap_or(256)),
        messages: args.option("--messages")?,
    };
    args.finish()?;
    let _ = process::raise_file_limit();
    let mut kinds = match &only {
        Some(names) => names.split(',').map(kind).collect::<Result<_, _>>()?,
        None => usual(&load),
    };
    if with_rumqttd {
        kinds.push(Kind::Rumqttd);
    }
    let table = measure(&load, &kinds, &size)?;
    println!("{load}, {} rounds, {} B: {}\n\n{table}", size.rounds, size.body.len(), machine::describe());
    Ok(())
}

fn kind(name: &str) -> Result<Kind, String> {
    Ok(match name {
        "gateway" => GATEWAY,
        "written" => Kind::Gateway(Durability::Written),
        "memory" => Kind::Gateway(Durability::Memory),
        "mosquitto" => Kind::Mosquitto,
        "rumqttd" => Kind::Rumqttd,
        "limit" => Kind::NullDurable,
        "limit-written" => Kind::NullWritten,
        "gateway-amqp" => Kind::GatewayAmqp,
        "gateway-https" => Kind::GatewayHttps,
        "nginx" => Kind::Nginx,
        "rabbitmq" => Kind::RabbitMq,
        other => return Err(format!("no server is called {other}")),
    })
}

fn usual(load: &str) -> Vec<Kind> {
    match load {
        "ingest" => vec![GATEWAY, Kind::Mosquitto, Kind::NullDurable],
        "memory" => vec![GATEWAY],
        "amqp" => vec![GATEWAY, Kind::GatewayAmqp, Kind::RabbitMq],
        "idle-amqp" => vec![GATEWAY, Kind::GatewayAmqp],
        "https" => vec![Kind::GatewayHttps, Kind::Nginx],
        _ => vec![GATEWAY, Kind::Mosquitto],
    }
}

fn measure(load: &str, kinds: &[Kind], size: &Size) -> Result<String, Box<dyn Error>> {
    match load {
        "ingest" => ingest(kinds, size, 1_000_000, false),
        "amqp" => ingest(kinds, size, 500_000, true),
        // A request waits for its answer.
        "https" => ingest(kinds, &Size { window: 1, body: size.body.clone(), ..*size }, 100_000, true),
        "memory" => ingest(kinds, &Size { rounds: 1, body: size.body.clone(), ..*size }, 5_000_000, false),
        "latency" => latency(kinds, size),
        "fanout" => fanout(kinds, size),
        "idle" => idle(kinds, size, false),
        "idle-tls" | "idle-amqp" => idle(kinds, size, true),
        other => Err(format!("no load is called {other}").into()),
    }
}

fn run(
    headings: &[&'static str],
    guests: Guests,
    kinds: &[Kind],
    rounds: usize,
    mut load: impl FnMut(Kind, &Server) -> Result<Figures, Box<dyn Error>>,
) -> Result<String, Box<dyn Error>> {
    // Beside the programs, and so on the disk that projects are on: a folder in memory would flatter every log.
    let me = std::env::current_exe()?;
    let folder = tempfile::tempdir_in(me.parent().ok_or("this program is in no folder")?)?;
    let mut comparison = Comparison::new(headings, guests, kinds);
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        comparison.round(folder.path(), &mut load)?;
    }
    Ok(comparison.table())
}

fn publishers(server: &Server, count: usize) -> Vec<Login> {
    (0..count).map(|number| server.dialect.publisher(number)).collect()
}

fn ingest(kinds: &[Kind], size: &Size, messages: u64, tls: bool) -> Result<String, Box<dyn Error>> {
    let guests = Guests { publishers: size.clients.unwrap_or(32), subscribers: 0, tls };
    let headings = ["acked/s", "CPU µs/msg", "ack p50 ms", "ack p99 ms", "RSS MiB", "peak MiB"];
    run(&headings, guests, kinds, size.rounds, |kind, server| {
        let logins = publishers(server, guests.publishers);
        let client = server.pki.as_ref().map(|pki| &pki.client);
        // The slow ones get less to do, so that all are busy for seconds.
        let share = match kind {
            Kind::Mosquitto | Kind::Rumqttd => 5,
            Kind::RabbitMq => 20,
            _ => 1,
        };
        let messages = size.messages.unwrap_or(messages / share);
        let shown = scenario::ingest(&server.target, &logins, size.window, &size.body, messages, client)?;
        let (p50, p99) = (millis(shown.ack_p50), millis(shown.ack_p99));
        Ok(vec![shown.rate, shown.cpu_us, p50, p99, mib(shown.resident_kib), mib(shown.peak_kib)])
    })
}

fn latency(kinds: &[Kind], size: &Size) -> Result<String, Box<dyn Error>> {
    let guests = Guests { publishers: 1, subscribers: 1, tls: false };
    let headings = ["round trips/s", "e2e p50 µs", "e2e p99 µs", "ack p50 µs", "ack p99 µs", "CPU µs/msg"];
    run(&headings, guests, kinds, size.rounds, |_, server| {
        let (publisher, subscriber) = (server.dialect.publisher(0), server.dialect.subscriber(0));
        let messages = size.messages.unwrap_or(5_000);
        let shown = scenario::latency(&server.target, &publisher, &subscriber, &size.body, messages)?;
        let micros = |time: Duration| millis(time) * 1e3;
        let e2e = [micros(shown.delivered_p50), micros(shown.delivered_p99)];
        Ok(vec![shown.rate, e2e[0], e2e[1], micros(shown.ack_p50), micros(shown.ack_p99), shown.cpu_us])
    })
}

fn fanout(kinds: &[Kind], size: &Size) -> Result<String, Box<dyn Error>> {
    let guests = Guests { publishers: 1, subscribers: size.clients.unwrap_or(100), tls: false };
    run(&["deliveries/s", "CPU µs/delivery", "peak MiB"], guests, kinds, size.rounds, |_, server| {
        let subscribers: Vec<Login> =
            (0..guests.subscribers).map(|number| server.dialect.subscriber(number)).collect();
        let publisher = server.dialect.publisher(0);
        let messages = size.messages.unwrap_or(3_000);
        let shown = scenario::fanout(&server.target, &publisher, &subscribers, 20, &size.body, messages)?;
        Ok(vec![shown.rate, shown.cpu_us, mib(shown.peak_kib)])
    })
}

fn idle(kinds: &[Kind], size: &Size, tls: bool) -> Result<String, Box<dyn Error>> {
    let guests = Guests { publishers: size.clients.unwrap_or(10_000), subscribers: 0, tls };
    let headings = ["connects/s", "KiB/connection", "CPU µs/connection", "RSS MiB empty"];
    run(&headings, guests, kinds, size.rounds, |_, server| {
        let logins = publishers(server, guests.publishers);
        let client = server.pki.as_ref().map(|pki| &pki.client);
        let shown = scenario::idle(&server.target, &logins, client)?;
        Ok(vec![shown.rate, shown.kib_each, shown.cpu_us, mib(shown.empty_kib)])
    })
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
