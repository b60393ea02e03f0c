//! Scripts in Python and Node that use device and service SDKs.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// How long a script may be silent.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running script; dropping it ends it.
#[derive(Debug)]
pub struct Script {
    name: String,
    child: Child,
    words: Receiver<Value>,
    stdin: ChildStdin,
}

impl Script {
    /// Starts a script of this crate.
    ///
    /// # Panics
    /// When there is no Python with the SDK.
    #[must_use]
    pub fn start(name: &str, arguments: &Value) -> Self {
        let python =
            env::var_os("EDGE_PYTHON").expect("EDGE_PYTHON names a Python that has azure-iot-device");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("py").join(name);
        let mut command = Command::new(python);
        command.arg("-u").arg(path).arg(arguments.to_string()).env("PYTHONDONTWRITEBYTECODE", "1");
        Self::run(name, command)
    }

    /// Starts a script of this crate in Node; `ca` in its arguments is trusted everywhere.
    ///
    /// # Panics
    /// When there is no Node.
    #[must_use]
    pub fn node(name: &str, arguments: &Value) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("js").join(name);
        let mut command = Command::new("node");
        command.arg(path).arg(arguments.to_string());
        command.env("NODE_EXTRA_CA_CERTS", arguments["ca"].as_str().unwrap_or_default());
        Self::run(name, command)
    }

    fn run(name: &str, mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("{command:?} could not be started: {error}"));
        let (stdin, stdout) = child.stdin.take().zip(child.stdout.take()).expect("both were asked for above");
        let (sender, words) = sync_channel(1024);
        let reader = thread::Builder::new().name(name.into());
        let read = move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let word = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(word).is_err() {
                    break;
                }
            }
        };
        reader.spawn(read).expect("a thread can be started");
        Self { name: name.into(), child, words, stdin }
    }

    /// Waits for the next word and returns what was said with it.
    ///
    /// # Panics
    /// When it is another, or none comes.
    pub fn expect(&self, word: &str) -> Value {
        let heard = self.next(word);
        assert_eq!(heard["say"], word, "{} said {heard}", self.name);
        heard
    }

    /// Waits until this word has been said, whatever comes before, and returns what was said with it.
    ///
    /// # Panics
    /// When the script ends first, or falls silent.
    pub fn skip_to(&self, word: &str) -> Value {
        loop {
            let heard = self.next(word);
            if heard["say"] == word {
                return heard;
            }
        }
    }

    /// Waits for the next word, whatever it is, and returns what was said with it.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn hear(&self) -> Value {
        self.next("anything")
    }

    fn next(&self, word: &str) -> Value {
        match self.words.recv_timeout(PATIENCE) {
            Ok(heard) => heard,
            Err(RecvTimeoutError::Timeout) => panic!("{} did not say `{word}` in time", self.name),
            Err(RecvTimeoutError::Disconnected) => panic!("{} ended and did not say `{word}`", self.name),
        }
    }

    /// Tells the script a word.
    ///
    /// # Panics
    /// When it has ended.
    pub fn tell(&mut self, word: &str) {
        writeln!(self.stdin, "{word}").expect("the script listens");
    }

    /// Waits for the end, which must be a good one.
    ///
    /// # Panics
    /// When the script failed.
    pub fn finish(mut self) {
        let status = self.child.wait().expect("a process can be waited for");
        assert!(status.success(), "{} ended with {status}", self.name);
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // It may have ended already, which is no mistake.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
