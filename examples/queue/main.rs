//! Looks into the store of a gateway: what waits where, what it is, whether it is whole.
//!
//! ```text
//! queue ls [--json] DIR
//! queue peek [--json] [--from OFFSET] [--count N] DIR QUEUE
//! queue export DIR [QUEUE]
//! queue verify [--json] DIR
//! queue replay-dead-letters [--dry-run] [--time-to-live SECS] DIR [ENDPOINT]
//! ```
//!
//! DIR is the folder of the store, for the gateway example `edge-data/store`. QUEUE is a name that `ls` shows, such as
//! `'$upstream@default'`; the part before the last `@` is enough for all queues of that endpoint.
//!
//! All commands but `replay-dead-letters` change nothing and run beside a gateway that is using the store: they show how
//! things stand when they are started, and take what the gateway delivers meanwhile for delivered, not for lost.
//! `replay-dead-letters` writes, so it needs the store for itself: stop the gateway, replay, start it again.
//!
//! # Examples
//! ```text
//! queue ls edge-data/store
//! queue peek edge-data/store '$dead-letter/$upstream' --count 3
//! queue export edge-data/store '$upstream' > recording.ndjson
//! routes diff old.toml new.toml recording.ndjson
//! queue verify edge-data/store || echo 'something is damaged'
//! queue replay-dead-letters edge-data/store '$upstream'
//! ```

mod export;
mod ls;
mod open;
mod peek;
mod reading;
mod replay;
#[cfg(test)]
mod tests;
mod verify;
mod words;

use std::io::{self, Write};
use std::process::ExitCode;

use edge_core::{Clock as _, SystemClock, Timestamp};

use words::Words;

const USAGE: &str = "\
usage:
  queue ls [--json] DIR
      the queues: how much waits, by route; the segments and their bytes; what was dropped, and why
  queue peek [--json] [--from OFFSET] [--count N] DIR QUEUE
      the oldest messages of a queue, 10 unless told; with --json one object a line
  queue export DIR [QUEUE]
      all messages, or those of one queue, as newline-delimited JSON: the format of the gateway's file upstream, which
      `routes diff` reads; a message that is in several queues stands there once for each
  queue verify [--json] DIR
      reads every byte and checks it
  queue replay-dead-letters [--dry-run] [--time-to-live SECS] DIR [ENDPOINT]
      gives dead letters back to the queues they came from, without the property edge-dead-letter-reason; they expire
      when they would have as dead letters, or so many seconds from now; needs a store that no gateway is using

DIR is the folder of a store, such as edge-data/store. QUEUE is a name that `ls` shows, such as '$upstream@default'; the
part before the @ is enough for all queues of an endpoint. All but replay-dead-letters run beside a gateway.

examples:
  queue ls edge-data/store
  queue peek edge-data/store '$dead-letter/$upstream' --count 3
  queue export edge-data/store '$upstream' > recording.ndjson
  queue replay-dead-letters edge-data/store '$upstream'

exit codes: 0 fine, 1 something is damaged or lost, 2 the command could not be carried out";

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Fine,
    /// Something is damaged.
    Found,
}

fn main() -> ExitCode {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match run(std::env::args().skip(1), SystemClock.wall(), &mut out) {
        Ok(End::Fine) => ExitCode::SUCCESS,
        Ok(End::Found) => ExitCode::from(1),
        Err(problem) => {
            // A closed pipe, as with `| head`, is no one's fault.
            if !problem.is_empty() {
                let _lost = out.flush();
                eprintln!("queue: {problem}");
            }
            ExitCode::from(2)
        }
    }
}

fn run(mut words: impl Iterator<Item = String>, now: Timestamp, out: &mut impl Write) -> Result<End, String> {
    let command = words.next().unwrap_or_default();
    let end = match command.as_str() {
        "ls" => ls::run(&Words::read(words, &["--json"], &[])?, out),
        "peek" => peek::run(&Words::read(words, &["--json"], &["--from", "--count"])?, now, out),
        "export" => export::run(&Words::read(words, &[], &[])?, out),
        "verify" => verify::run(&Words::read(words, &["--json"], &[])?, out),
        "replay-dead-letters" => {
            replay::run(&Words::read(words, &["--dry-run"], &["--time-to-live"])?, now, out)
        }
        "help" | "--help" | "-h" => writeln!(out, "{USAGE}").map(|()| End::Fine).map_err(written),
        "" => Err(format!("a command is needed\n{USAGE}")),
        _ => Err(format!("'{command}' is not a command\n{USAGE}")),
    }?;
    out.flush().map_err(written)?;
    Ok(end)
}

/// Says why output failed.
fn written(error: io::Error) -> String {
    if error.kind() == io::ErrorKind::BrokenPipe { String::new() } else { format!("cannot write: {error}") }
}
