//! Puts a load on any MQTT 3.1.1 server and prints what it showed.
//!
//! `loadgen ingest|latency|fanout|idle --connect ADDRESS [--pid N] [--hub] [--clients N] [--window N] [--payload BYTES]
//! [--messages N]`; `--hub` speaks as the devices of Azure IoT Hub do, with the identities that `compare` configures.

use std::error::Error;
use std::net::SocketAddr;

use edge_bench::args::Args;
use edge_bench::process::{self, Process};
use edge_bench::scenario::{self, Target};
use edge_bench::server::Dialect;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = Args::of_this_program();
    let load = args.command().ok_or("name a load: ingest, latency, fanout or idle")?;
    let address: SocketAddr = args.option("--connect")?.ok_or("--connect wants an address")?;
    let target = Target { address, process: args.option("--pid")?.map(Process::new) };
    let dialect = if args.switch("--hub") { Dialect::IotHub } else { Dialect::Plain };
    let clients: Option<usize> = args.option("--clients")?;
    let window = args.option("--window")?.unwrap_or(100);
    let body = scenario::payload(args.option("--payload")?.unwrap_or(256));
    let messages: Option<u64> = args.option("--messages")?;
    args.finish()?;
    let _ = process::raise_file_limit();
    let publishers = |count: usize| (0..count).map(|number| dialect.publisher(number)).collect::<Vec<_>>();
    match load.as_str() {
        "ingest" => {
            let logins = publishers(clients.unwrap_or(32));
            println!(
                "{:#?}",
                scenario::ingest(&target, &logins, window, &body, messages.unwrap_or(200_000), None)?
            );
        }
        "latency" => {
            let (publisher, subscriber) = (dialect.publisher(0), dialect.subscriber(0));
            let shown =
                scenario::latency(&target, &publisher, &subscriber, &body, messages.unwrap_or(10_000))?;
            println!("{shown:#?}");
        }
        "fanout" => {
            let subscribers: Vec<_> =
                (0..clients.unwrap_or(100)).map(|number| dialect.subscriber(number)).collect();
            let (publisher, count) = (dialect.publisher(0), messages.unwrap_or(5_000));
            println!("{:#?}", scenario::fanout(&target, &publisher, &subscribers, 20, &body, count)?);
        }
        "idle" => println!("{:#?}", scenario::idle(&target, &publishers(clients.unwrap_or(1_000)), None)?),
        other => return Err(format!("no load is called {other}").into()),
    }
    Ok(())
}
