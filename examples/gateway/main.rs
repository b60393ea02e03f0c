//! An edge gateway: devices and modules in by MQTT, AMQP and HTTP, routes, a durable queue, `$upstream` out.
//!
//! Without arguments it makes all that it needs in `./edge-data` and runs; see `--help`.

mod args;
mod config;
#[cfg(feature = "ml")]
mod models;
#[cfg(not(feature = "ml"))]
#[path = "no_models.rs"]
mod models;
mod parts;
mod pki;
mod sensor;
mod signals;
mod start;
mod status;
mod windows;
mod zero;

use std::process::ExitCode;

use args::{Args, Command};
use edge_core::Report;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let done = match args.command {
        Command::Help => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Command::Check(path) => start::check(&path),
        Command::Run(run) => start::run(run),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gateway: {}", Report(&*error));
            ExitCode::FAILURE
        }
    }
}
