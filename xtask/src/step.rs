//! Running one step after another, with its time.
#![expect(clippy::disallowed_methods, reason = "steps are timed by the real clock")]

use std::process::Command;
use std::time::{Duration, Instant};

/// The outcome of a step: what went wrong, in one clause.
pub(crate) type Outcome = Result<(), String>;

/// The steps that have been run, with what each took.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<(String, Duration)>,
}

impl Steps {
    /// Runs a step and notes its time; the summary is printed when it fails.
    pub(crate) fn run(&mut self, name: &str, work: impl FnOnce() -> Outcome) -> Outcome {
        println!("\n==> {name}");
        let begin = Instant::now();
        let outcome = work();
        self.done.push((name.to_owned(), begin.elapsed()));
        outcome.map_err(|reason| {
            println!("{}", self.summary(Some(&reason)));
            format!("{name}: {reason}")
        })
    }

    /// Returns the table of steps and times.
    pub(crate) fn summary(&self, failure: Option<&str>) -> String {
        let mut text = String::from("\n---- summary ----\n");
        let last = self.done.len().saturating_sub(1);
        for (index, (name, took)) in self.done.iter().enumerate() {
            let mark = if failure.is_some() && index == last { "FAILED" } else { "ok" };
            text.push_str(&format!("{mark:>6}  {:>7.1} s  {name}\n", took.as_secs_f64()));
        }
        let total: Duration = self.done.iter().map(|(_, took)| *took).sum();
        text.push_str(&format!("        {:>7.1} s  in all", total.as_secs_f64()));
        text
    }
}

/// Runs a program to its end, its output going where ours goes.
pub(crate) fn execute(command: &mut Command) -> Outcome {
    let shown = shown(command);
    println!("    {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{shown}` ended with {status}")),
        Err(error) => Err(format!("`{shown}` could not be started: {error}")),
    }
}

/// Runs a program and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let shown = shown(command);
    let output = command.output().map_err(|error| format!("`{shown}` could not be started: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{shown}` ended with {}: {}", output.status, said.trim()));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{shown}` printed bytes that are not UTF-8"))
}

fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_stops_and_says_which() {
        let mut steps = Steps::default();
        assert_eq!(steps.run("one", || Ok(())), Ok(()));
        assert_eq!(steps.run("two", || Err("broken".into())), Err("two: broken".into()));
        let summary = steps.summary(Some("broken"));
        assert!(summary.contains("    ok ") && summary.contains("FAILED"), "{summary}");
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let error = execute(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(error.contains("no-such-program-here"), "{error}");
    }
}
