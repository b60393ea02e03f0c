//! An edge gateway: devices and modules in by MQTT, AMQP and HTTP, routes, a durable queue, `$upstream` out.
//!
//! Without arguments it makes all that it needs in `./edge-data` and runs; see `--help`.
//!
//! # Models
//! With `--features ml` it runs models: `cargo run --release --example gateway --features ml -- --config gateway.toml`. Each
//! is a module of the gateway's, whose twin says which version is to serve and shows how that goes:
//!
//! ```toml
//! [routes]
//! in  = "FROM /messages/* WHERE NOT IS_DEFINED($connectionModuleId) INTO BrokeredEndpoint(\"/modules/anomaly/inputs/in\")"
//! out = "FROM /messages/modules/anomaly/outputs/results INTO $upstream"
//!
//! [[models]]
//! name = "anomaly"                  # of the module; no client connects as it
//! file = "anomaly.onnx"             # or: url = "https://…", sha256 = "…"; neither: the twin's first wish is waited for
//! version = "1"                     # left out: the beginning of the checksum
//! golden = "anomaly.golden.json"    # inputs with outputs that a version must give before it serves
//! on_error = "dead-letter"          # or "pass": it leaves as it came; "drop": it is counted
//! workers = 1                       # threads of each version
//! batch = 16                        # messages that share a run at most,
//! batch_wait_ms = 0                 # and how long a run waits for them
//! max_memory = "256 MiB"            # a version that is estimated to need more is refused
//! ca = "models-ca.pem"              # whose certificates a server of files may have; left out: the system's authorities
//! trust = "signers-ca.pem"          # versions must be signed by a certificate of these,
//! trusted_keys = { builds = "BASE64 of an Ed25519 public key" } # or by one of these keys
//! mapping = { message = "extend", inputs = { readings = { window = 32, fields = ["$body.vibration"] } }, outputs = { score = {} } }
//!
//! [models.policy]                   # how a version is tried before it replaces the one that serves
//! shadow = { samples = 100, seconds = 60 }
//! canary = { percent = 10, samples = 100, seconds = 60 }
//! probation = { samples = 100, seconds = 60 }
//! gates = { errorRate = 0.01, p99Ms = 20, divergence = 0.05, drift = 0.25 }
//! ```
//!
//! Another version is asked for in the desired properties of the module `anomaly`:
//! `{ "version": "2", "url": "https://…/2.onnx", "sha256": "…" }`; what they leave out of `mapping` and `policy` is as in the
//! configuration. Without a wish in the twin that of the configuration counts. SIGHUP reads `[[models]]` again.

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
