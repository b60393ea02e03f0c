//! Transports of your own: a listener for clients that speak in lines of text, and an endpoint that sends lines of JSON,
//! both held to their contracts by the conformance kits.
//!
//! ```text
//! cargo run --example custom-transport            # a client, a hub, and a far side that goes away in the middle
//! cargo test -p edge-examples --example custom-transport      # run the kits
//! ```
//!
//! # An endpoint: where messages go
//! Implement `edge_core::Endpoint`, here in `endpoint.rs`: an id, how much it wants at a time, and `send`. The hub reads
//! the queues, drops what has expired, tries again with backoff, and gives up on what is refused for good. What `send`
//! owes it:
//!
//! | point | here | without it |
//! |---|---|---|
//! | one outcome for each message, in order | answers carry numbers, `line::answer` | the wrong message is sent again |
//! | `Accepted` only when the far side has answered | one `OK` for each line | a crash of the far side loses messages |
//! | `Err` only when nothing is known to be accepted | `Released` for the rest of a batch | what was accepted is sent again |
//! | the order of the batch | one connection, answers in order | commands are carried out in the wrong order |
//! | it works again after an error, or when dropped | the connection is put back only when it is whole | one lost link, and the endpoint is stuck, or takes old answers for new ones |
//!
//! Several messages are on their way at a time: a link with 50 ms there and back carries 20 messages a second with
//! one, and 160 with eight.
//!
//! # A listener: where clients come in
//! Implement `edge_transport::Listener`, here in `listener.rs`, with `connection.rs` and `command.rs`:
//!
//! | point | here | without it |
//! |---|---|---|
//! | a session before anything else | `greet` returns with one, or not at all | strangers send messages |
//! | acknowledged when the receipt says so | `resolved`, then `OK` | the client forgets what the disk does not have |
//! | nobody sends for another | every line says in whose name, and `message` compares | a stolen sensor speaks for all |
//! | no reading while receipts wait | the guard of the first branch in `run` | a slow disk fills the memory |
//! | settled when taken, released otherwise | `TAKE` settles; dropping a `Delivery` releases it | a message is lost with the connection |
//! | `stop` ends everything | tasks in a set that is shut down | the gateway does not stop |
//! | one client ends nothing for others | each has a task of its own | one mistake stops the plant |
//!
//! # How to run the kits
//! Implement `EndpointHarness` (see `kit.rs`) and `ListenerHarness` (see `listener_kit.rs`): how to get one, and how to act
//! on the other side of it. A far side that can refuse, be cut off, or withhold its answers lets the kit check more;
//! `far.rs` has one. What a harness cannot do is not checked, and the test says so.

mod command;
mod connection;
mod endpoint;
mod far;
#[cfg(test)]
mod kit;
mod line;
mod listener;
#[cfg(test)]
mod listener_kit;
mod secret;

use std::collections::BTreeSet;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use edge_core::{Backoff, EndpointId};
use edge_hub::Hub;
use edge_transport::{Listener, Stop};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::endpoint::LineEndpoint;
use crate::far::FarSide;
use crate::listener::LineListener;
use crate::secret::OneSecret;

const MESSAGES: usize = 30;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let far = FarSide::start().await?;
    let listener = LineListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr().ok_or("the listener has no address")?;
    println!("clients come in at {address}, messages go to {}", far.address());
    let endpoint = LineEndpoint::new(EndpointId::upstream(), far.address(), Duration::from_secs(5));
    let step = Duration::from_millis(20);
    let hub = Hub::builder("edge1".parse()?)
        .route("all", "FROM /messages/* INTO $upstream")
        .authenticator(Arc::new(OneSecret("let-me-in")))
        .listener(Box::new(listener))
        .endpoint(Arc::new(endpoint))
        .backoff(Backoff::new(step, step, Duration::from_secs(1)))
        .build()?;
    let (stopper, stop) = Stop::pair();
    let work = async {
        press(address, &far).await?;
        far.wait_for_taken(|taken| taken.iter().collect::<BTreeSet<_>>().len() == MESSAGES).await;
        stopper.stop();
        Ok::<_, Box<dyn Error>>(())
    };
    let (report, done) = tokio::join!(hub.run(stop), work);
    done?;
    let (report, taken) = (report?, far.taken());
    println!("{MESSAGES} messages arrived, {} of them twice", taken.len() - MESSAGES);
    println!("{}", report.ledger.total);
    Ok(())
}

/// Plays a client: it sends, and waits for each message to be acknowledged, while the far side goes away and comes back.
async fn press(address: SocketAddr, far: &FarSide) -> Result<(), Box<dyn Error>> {
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    stream.write_all(b"HELLO edge1/press let-me-in\n").await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    for number in 0..MESSAGES {
        if number == 10 {
            far.wait_for_taken(|taken| !taken.is_empty()).await;
            far.cut();
            println!("the far side is gone; messages wait, and are acknowledged all the same");
        }
        if number == 20 {
            far.restore();
            println!("the far side is back");
        }
        stream.write_all(format!("SEND edge1/press reading {number}\n").as_bytes()).await?;
        line.clear();
        stream.read_line(&mut line).await?;
        if line.trim_end() != format!("OK {number}") {
            return Err(format!("message {number} was answered with {line:?}").into());
        }
    }
    Ok(())
}
