//! A real broker that the test starts, stops in the middle and starts again.

use std::net::TcpListener as StdListener;
use std::process::Stdio;
use std::time::Duration;

use edge_core::{Endpoint, Outcome};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use super::{batch, tasks};

/// Returns a port that was free a moment ago.
pub fn free_port() -> u16 {
    StdListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Starts a program in a process group of its own, and returns when it has said `ready`.
pub async fn start(mut command: Command, ready: &str) -> Child {
    command.stdout(Stdio::piped()).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?} is installed: {e}"));
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = said.next_line().await.unwrap() {
        println!("{line}");
        if line.contains(ready) {
            tasks::spawn(async move { while said.next_line().await.is_ok_and(|line| line.is_some()) {} });
            return child;
        }
    }
    panic!("{command:?} ended before it said {ready:?}");
}

/// Ends a program and all that it started, in order.
pub async fn stop(mut child: Child) {
    let group = format!("-{}", child.id().expect("it runs"));
    Command::new("kill").args(["-TERM", "--", &group]).status().await.unwrap();
    child.wait().await.unwrap();
}

/// Sends the messages 0 to `count` as the hub's pump would, and says once when half of them are accepted.
pub async fn pump(upstream: &impl Endpoint, count: u64, halfway: oneshot::Sender<()>) {
    let (mut at, mut halfway) = (0, Some(halfway));
    while at < count {
        if at >= count / 2
            && let Some(halfway) = halfway.take()
        {
            halfway.send(()).unwrap();
        }
        match upstream.send(&batch(at..count.min(at + 200))).await {
            Ok(outcomes) => {
                at += outcomes.iter().take_while(|outcome| **outcome == Outcome::Accepted).count() as u64;
            }
            Err(_down) => {
                let _at_latest = tokio::time::timeout(Duration::from_millis(200), upstream.ready()).await;
            }
        }
    }
}

/// Panics unless each of `count` numbers has come, in the order of their first arrival.
pub fn check_firsts(numbers: impl IntoIterator<Item = u64>, count: u64) {
    let mut next = 0;
    for number in numbers {
        assert!(number <= next, "{number} came before {next}");
        next = next.max(number + 1);
    }
    assert_eq!(next, count, "all arrive");
}
