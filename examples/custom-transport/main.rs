//! A transport of your own: an endpoint that sends lines of JSON over TCP, held to the contract by the conformance kit.
//!
//! ```text
//! cargo run --example custom-transport            # messages through a hub; the far side goes away in the middle
//! cargo test -p edge-examples --example custom-transport      # run the kit
//! ```
//!
//! # What to implement
//! `edge_core::Endpoint`, and nothing else: an id, how much it wants at a time, and `send`. The hub reads the queues,
//! drops what has expired, tries again with backoff, and gives up on what is refused for good. What `send` owes it:
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
//! # How to run the kit
//! Implement `EndpointHarness` (see `kit.rs`): open an endpoint whose far side takes everything, and say what it has
//! taken. A far side that can refuse, be cut off, or withhold its answers lets the kit check more; `far.rs` has one. What
//! a harness cannot do is not checked, and the test says so.

mod endpoint;
mod far;
#[cfg(test)]
mod kit;
mod line;

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use edge_core::{Backoff, EndpointId};
use edge_hub::{Hub, Outgoing};
use edge_transport::Stop;

use crate::endpoint::LineEndpoint;
use crate::far::FarSide;

const MESSAGES: usize = 30;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let far = FarSide::start().await?;
    println!("the far side listens on {}", far.address());
    let endpoint = LineEndpoint::new(EndpointId::upstream(), far.address(), Duration::from_secs(5));
    let step = Duration::from_millis(20);
    let hub = Hub::builder("edge1".parse()?)
        .route("all", "FROM /messages/* INTO $upstream")
        .endpoint(Arc::new(endpoint))
        .backoff(Backoff::new(step, step, Duration::from_secs(1)))
        .build()?;
    let sensor = hub.client("edge1/sensor".parse()?)?;
    let (stopper, stop) = Stop::pair();
    let work = async {
        for number in 0..MESSAGES {
            if number == 10 {
                far.wait_for_taken(|taken| !taken.is_empty()).await;
                far.cut();
                println!("the far side is gone; messages wait");
            }
            if number == 20 {
                far.restore();
                println!("the far side is back");
            }
            sensor.send(Outgoing::json(format!(r#"{{"reading": {number}}}"#))).await?;
        }
        far.wait_for_taken(|taken| taken.iter().collect::<BTreeSet<_>>().len() == MESSAGES).await;
        stopper.stop();
        Ok::<_, Box<dyn Error>>(())
    };
    let (report, done) = tokio::join!(hub.run(stop), work);
    done?;
    let (report, taken) = (report?, far.taken());
    println!("{} messages arrived, {} of them twice", MESSAGES, taken.len() - MESSAGES);
    println!("{}", report.ledger.total);
    Ok(())
}
