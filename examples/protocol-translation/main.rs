//! One message in by AMQP, MQTT and HTTP, and out by each of them: what it says, and who sent it, stays the same.
//!
//! ```text
//! cargo run --release --example protocol-translation
//! ```
//!
//! Three devices send, each by a protocol of its own. Every message goes to a module that speaks AMQP, to one that speaks
//! MQTT, and on to an HTTP server; each is compared with what was sent. An operator then sends to a device by AMQP, which
//! takes the message by HTTP. It needs no configuration, listens on free ports of the loopback address, prints what
//! happened, and ends.
//!
//! | file | what is in it |
//! |---|---|
//! | `stage` | the gateway, its identities and its doors |
//! | `senders` | devices and an operator |
//! | `receivers` | modules, and a device that asks for its messages |
//! | `collector` | an HTTP server that takes what the gateway passes on |
//! | `heard` | what arrived, compared with what was sent |
//!
//! `PROTOCOLS.md` beside the manifest of `edge-transport` has the whole table of what stands where in each protocol.

mod collector;
mod heard;
mod receivers;
mod senders;
mod stage;

use std::error::Error;

use edge_transport::Stop;

use crate::collector::Collector;
use crate::heard::reading;
use crate::receivers::{Panel, Screen};
use crate::stage::{Doors, Stage};

type Fallible<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible<()> {
    let told = run(|line| println!("{line}")).await?;
    println!("\n{told} messages arrived, each as it was sent.");
    Ok(())
}

/// Runs the gateway and everybody around it; returns how many messages arrived.
async fn run(mut say: impl FnMut(&str)) -> Fallible<usize> {
    let collector = Collector::start().await?;
    let Stage { hub, doors } = stage::build(collector.address()).await?;
    let (stopper, stop) = Stop::pair();
    let play = async {
        let done = play(&doors, collector, &mut say).await;
        stopper.stop();
        done
    };
    let (report, told) = tokio::join!(hub.run(stop), play);
    let (report, told) = (report?, told?);
    say(&format!("\n{}", report.ledger.total));
    Ok(told)
}

async fn play(doors: &Doors, mut collector: Collector, say: &mut impl FnMut(&str)) -> Fallible<usize> {
    let (mut panel, mut screen) = (Panel::open(doors).await?, Screen::open(doors).await?);
    let mut told = 0;
    for (device, protocol) in [("press-1", "AMQP"), ("press-2", "MQTT"), ("press-3", "HTTP")] {
        let sent = reading(&format!("{device}/1"));
        match protocol {
            "AMQP" => senders::by_amqp(doors, device, &sent).await?,
            "MQTT" => senders::by_mqtt(doors, device, &sent).await?,
            _ => senders::by_http(doors, device, &sent).await?,
        }
        say(&format!("{device} sends by {protocol}"));
        let arrived = [
            ("AMQP", panel.next().await?),
            ("MQTT", screen.next().await?),
            ("HTTP", collector.next().await?),
        ];
        for (protocol, heard) in arrived {
            heard.is_from(device)?.says(&sent)?;
            say(&format!("    out by {protocol}: {heard}"));
            told += 1;
        }
    }
    let sent = reading("order/1");
    senders::to_device_by_amqp(doors, "press-3", &sent).await?;
    say("an operator sends to press-3 by AMQP");
    let heard = receivers::for_device_by_http(doors, "press-3").await?;
    heard.says(&sent)?;
    say(&format!("    out by HTTP: {heard}"));
    Ok(told + 1)
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn every_protocol_says_what_was_said() {
        let mut lines = Vec::new();
        assert_eq!(super::run(|line| lines.push(line.to_owned())).await.unwrap(), 10);
        for protocol in ["AMQP", "MQTT", "HTTP"] {
            let out = lines.iter().filter(|line| line.starts_with(&format!("    out by {protocol}"))).count();
            assert_eq!(out, if protocol == "HTTP" { 4 } else { 3 }, "{lines:#?}");
        }
    }
}
