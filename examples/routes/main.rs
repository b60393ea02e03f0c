//! Checks, tries out, explains and compares route files, on a desk or in a build.
//!
//! ```text
//! routes check [--strict] [--json] FILE…
//! routes eval --batch FILE.ndjson
//! routes explain [--json] [--route NAME]… FILE MESSAGE.json
//! routes lint [--json] FILE
//! routes diff [--json] [--quiet] OLD NEW RECORDING.ndjson
//! ```
//!
//! A route file is TOML with a table `[routes]`, as in the gateway's configuration, or JSON: the desired properties of
//! `$edgeHub`, or a whole deployment manifest. `-` stands for the standard input.

mod check;
mod diff;
mod eval;
mod explain;
mod file;
mod json;
mod lint;
mod place;
mod toml_file;

use std::io::{self, Write as _};
use std::process::ExitCode;

const USAGE: &str = "\
usage:
  routes check [--strict] [--json] FILE...
  routes eval --batch FILE.ndjson
  routes explain [--json] [--route NAME]... FILE MESSAGE.json
  routes lint [--json] FILE
  routes diff [--json] [--quiet] OLD NEW RECORDING.ndjson

FILE is TOML with a table [routes], or the JSON of $edgeHub or of a deployment; - is the standard input.
exit codes: 0 fine, 1 something was found, 2 the command could not be carried out";

/// How a command ended.
enum End {
    Fine,
    /// Errors were found, or deliveries change.
    Found,
}

/// The words behind the command: flags, and what is not a flag.
struct Words {
    flags: Vec<String>,
    routes: Vec<String>,
    files: Vec<String>,
}

impl Words {
    /// Sorts the words; a flag that is not known is an error.
    fn read(words: impl Iterator<Item = String>, known: &[&str]) -> Result<Self, String> {
        let mut sorted = Self { flags: Vec::new(), routes: Vec::new(), files: Vec::new() };
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            if word == "--route" && known.contains(&"--route") {
                sorted.routes.push(words.next().ok_or("--route needs the name of a route")?);
            } else if word.len() > 1 && word.starts_with('-') {
                if !known.contains(&word.as_str()) {
                    return Err(format!("{word} is not known here"));
                }
                sorted.flags.push(word);
            } else {
                sorted.files.push(word);
            }
        }
        Ok(sorted)
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|known| known == flag)
    }
}

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(End::Fine) => ExitCode::SUCCESS,
        Ok(End::Found) => ExitCode::from(1),
        Err(problem) => {
            // A closed pipe, as with `| head`, is no one's fault.
            if !problem.is_empty() {
                eprintln!("routes: {problem}");
            }
            ExitCode::from(2)
        }
    }
}

fn run(mut words: impl Iterator<Item = String>) -> Result<End, String> {
    let command = words.next().unwrap_or_default();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let end = match command.as_str() {
        "check" => check::run(&Words::read(words, &["--strict", "--json"])?, &mut out),
        "eval" => eval::run(&Words::read(words, &["--batch"])?, &mut out),
        "explain" => explain::run(&Words::read(words, &["--json", "--route"])?, &mut out),
        "lint" => lint::run(&Words::read(words, &["--json"])?, &mut out),
        "diff" => diff::run(&Words::read(words, &["--json", "--quiet"])?, &mut out),
        "help" | "--help" | "-h" => writeln!(out, "{USAGE}").map(|()| End::Fine).map_err(written),
        _ => Err(format!("'{command}' is not a command\n{USAGE}")),
    }?;
    out.flush().map_err(written)?;
    Ok(end)
}

/// Says why output failed.
fn written(error: io::Error) -> String {
    if error.kind() == io::ErrorKind::BrokenPipe { String::new() } else { format!("cannot write: {error}") }
}
