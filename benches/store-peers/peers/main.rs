//! Durable queues on several engines, all with the same group commit; ratios to a bare log of the same run.
//!
//! ```text
//! peers [append waiting | append window | drain | open | amplification | memory]
//!       [--rounds N] [--records N] [--engines NAME,NAME] [--dir DIR]
//! ```
//!
//! Each measurement runs in a process of its own, so that CPU, bytes and memory are its own; the engines take turns.

mod args;
mod cost;
mod engines;
mod group;
mod load;
mod report;
mod scenario;

use std::process::{Command, ExitCode};

use args::Args;
use report::Results;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let result = Args::read(std::env::args().skip(1)).and_then(|args| match &args.child {
        Some(engine) => scenario::run(&args, engine),
        None => all(&args),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs what is asked for, engine by engine, round by round.
fn all(args: &Args) -> Fallible<()> {
    for scenario in scenario::ALL.iter().filter(|scenario| args.wants(scenario.name)) {
        let engines: Vec<&str> =
            scenario.engines.iter().copied().filter(|engine| args.wants_engine(engine)).collect();
        let records = args.records.unwrap_or(scenario.records);
        let mut results = Results::default();
        for round in 0..args.rounds.unwrap_or(scenario.rounds) {
            // Whoever is first in one round is last in another.
            for at in 0..engines.len() {
                let engine = engines[(at + round) % engines.len()];
                results.add(engine, &child(args, scenario.name, engine, records)?)?;
            }
        }
        println!("\n{}: {records} records; {}", scenario.name, scenario.about);
        results.print(&engines, scenario.columns);
    }
    Ok(())
}

fn child(args: &Args, scenario: &str, engine: &str, records: u64) -> Fallible<String> {
    let dir = tempfile::Builder::new().prefix("store-peers-").tempdir_in(&args.dir)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(scenario.split(' ')).args(["--child", engine, "--records", &records.to_string()]);
    let output = command.arg("--dir").arg(dir.path()).output()?;
    if !output.status.success() {
        let problem = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{scenario} on {engine}: {problem}").into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
