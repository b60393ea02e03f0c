//! The command line.

use std::fmt;
use std::path::PathBuf;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
An edge gateway: devices and modules in by MQTT, AMQP and HTTP, routes, a durable queue, $upstream out.

Usage: gateway [--state-dir DIR]            run with a configuration made in DIR (./edge-data)
       gateway --config FILE [--state-dir DIR]
       gateway --config FILE --check        say what is wrong with FILE, and exit

  --no-sensor   without --config: do not start the simulated temperature sensor
  --help        print this

Signals: SIGHUP reads the configuration again; SIGTERM and Ctrl-C stop in order.
Environment: EDGE_LOG = error | warn | info | debug | trace (info)
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print the help.
    Help,
    /// Check a configuration.
    Check(PathBuf),
    /// Run the gateway.
    Run(Run),
}

/// How to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// The configuration; one is made where there is none.
    pub(crate) config: Option<PathBuf>,
    /// Where the gateway keeps what must survive.
    pub(crate) state_dir: Option<PathBuf>,
    /// Whether the simulated sensor is left out.
    pub(crate) no_sensor: bool,
}

/// The parsed command line.
#[derive(Debug)]
pub(crate) struct Args {
    /// What to do.
    pub(crate) command: Command,
}

/// What is wrong with a command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ArgsError(String);

impl fmt::Display for ArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gateway: {}\n\n{HELP}", self.0)
    }
}

impl Args {
    /// Parses the arguments after the program's name.
    ///
    /// # Errors
    /// [`ArgsError`] with what to write instead.
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, ArgsError> {
        let mut run = Run::default();
        let mut check = false;
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut path = |what: &str| {
                let next = args.next().filter(|next| !next.starts_with("--"));
                next.map(PathBuf::from).ok_or_else(|| ArgsError(format!("{what} must follow {arg}")))
            };
            match arg.as_str() {
                "--help" | "-h" => return Ok(Self { command: Command::Help }),
                "--config" => run.config = Some(path("a file")?),
                "--state-dir" => run.state_dir = Some(path("a folder")?),
                "--check" => check = true,
                "--no-sensor" => run.no_sensor = true,
                other => return Err(ArgsError(format!("{other} is not known"))),
            }
        }
        match (check, run.config) {
            (true, Some(config)) => Ok(Self { command: Command::Check(config) }),
            (true, None) => Err(ArgsError("--check needs --config FILE".into())),
            (false, config) => Ok(Self { command: Command::Run(Run { config, ..run }) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, ArgsError> {
        Args::parse(line.split_whitespace().map(str::to_owned)).map(|args| args.command)
    }

    #[test]
    fn the_documented_lines_are_understood() {
        assert_eq!(parse(""), Ok(Command::Run(Run::default())));
        assert_eq!(parse("--config a.toml --check"), Ok(Command::Check("a.toml".into())));
        assert_eq!(parse("--help --nonsense"), Ok(Command::Help));
        let run = Run { state_dir: Some("d".into()), ..Run::default() };
        assert_eq!(parse("--state-dir d"), Ok(Command::Run(run)));
    }

    #[test]
    fn mistakes_say_what_to_write() {
        assert!(parse("--check").is_err());
        assert!(parse("--config --check").is_err());
        assert!(parse("--confg x").unwrap_err().to_string().contains("--confg is not known"));
    }
}
