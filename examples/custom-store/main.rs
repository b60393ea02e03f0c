//! A store of your own: durable queues on redb, held to the contract by the conformance kit.
//!
//! ```text
//! cargo run --example custom-store            # see it in use: appended, killed, opened again, read, trimmed
//! cargo test -p edge-examples --example custom-store      # run the kit
//! ```
//!
//! # What to implement
//! One trait, `edge_core::MessageStore`; `edge-core` is the only crate of the gateway that it needs. The points of its
//! contract, where this store keeps them, and what breaks without them:
//!
//! | point | here | without it |
//! |---|---|---|
//! | a batch is refused at once or is in its queues | `State::take`, which undoes what it has begun | the ledger counts messages that are nowhere, or loses count of some that are |
//! | all or nothing, after a crash too | one transaction, `commit.rs` | one receiver has a message and another never gets it |
//! | a receipt tells the truth | sent after `commit` has synced, `worker.rs` | the sender forgets a message that the next loss of power takes |
//! | offsets are dense and never used twice | given under one lock, kept in the table `queues` | a reader that was there before skips new messages |
//! | order of the `append` calls | the same lock | commands are carried out in the wrong order |
//! | `trim` survives closing, and never runs ahead | in the same transactions as the entries | messages are lost, or come again after every restart |
//! | a failed sync poisons | `Shared::fail` | what was acknowledged may be gone, and nobody hears of it |
//! | space comes back | the last entry of a message removes it, `let_go` | the disk fills up with what was delivered long ago |
//! | what finds no room is refused, dropped or makes others leave | `room.rs`, in the transaction of the batch | urgent messages are refused while old readings fill the store |
//! | no clock | `expire` is told the time | tests wait for time to pass, and a wrong clock deletes messages |
//! | no call blocks on the disk | calls change memory; a thread writes, `read` uses the blocking pool | one slow sync stops every connection |
//! | what expires is reported once, by route | counted in `Index::expire` | `accepted = delivered + stored + dropped` is no longer true |
//!
//! # How to run the kit
//! Implement `StoreHarness`: how to open an empty store, and how to kill one. One macro makes a test of each case; see
//! `kit.rs`. A harness can offer more: a disk whose syncs fail, that loses what was not synced, or that may not be
//! touched. `disk.rs` and `kit_on_disk.rs` do all of it. What a harness cannot do is not checked, and the test says so.
//!
//! # What this store does not do
//! It keeps 56 bytes in memory for each entry, reads everything when it opens, and looks at every entry for one that makes
//! room; the file keeps the size that it once had, and each error of the disk is final until the next start, since redb
//! has it so. `edge_store` has none of that.

mod commit;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod in_a_hub;
mod index;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod kit_on_disk;
mod room;
mod shared;
mod state;
mod store;
mod tables;
mod work;
mod worker;

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Stdio};

use edge_core::{
    Clock, Durability, EndpointId, Enqueue, Message, MessageStore, Priority, QueueId, ReadLimit, Source,
    SystemClock, Target,
};

use crate::store::RedbStore;

const MIB: u64 = 1024 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    if let (Some(word), Some(path)) = (arguments.next(), arguments.next())
        && word == "append-until-killed"
    {
        return append_until_killed(Path::new(&path)).await;
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("queues.redb");
    let said = start_and_kill(&path)?;
    println!("killed after it had said that {said} messages are durable");

    let store = RedbStore::open(&path, Some(256 * MIB))?;
    let queue = upstream();
    let batch = store.read(&queue, 0, ReadLimit::new(NonZeroUsize::MAX, usize::MAX)).await?;
    println!("{} messages are there again, in order", batch.entries.len());
    for (number, stored) in batch.entries.iter().enumerate() {
        assert_eq!(stored.message.body(), number.to_string().as_bytes());
    }
    assert!(batch.entries.len() as u64 >= said, "what was said to be durable is there");

    store.trim(&queue, batch.next)?;
    store.idle().await;
    let usage = store.usage();
    println!("after the trim {} bytes are used; {} syncs were made", usage.used_bytes, usage.syncs);
    let reached = store.append(vec![message(0)?], Durability::Synced).await?;
    let state = store.queue(&queue).ok_or("the queue is gone")?;
    println!("one more is {}, at offset {}: offsets go on where they ended", reached.name(), state.next - 1);
    store.close().await?;
    Ok(())
}

/// Starts this program once more, kills it as soon as it has stored some messages, and returns how many it said it had.
fn start_and_kill(path: &Path) -> Result<u64, Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("append-until-killed")
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()?;
    let said = child.stdout.take().ok_or("the program has no output")?;
    let count = BufReader::new(said).lines().map_while(Result::ok).take(100).count();
    child.kill()?;
    child.wait()?;
    Ok(count as u64)
}

/// Appends one message after the other, and prints a line for each that is durable.
async fn append_until_killed(path: &Path) -> Result<(), Box<dyn Error>> {
    let store = RedbStore::open(path, Some(256 * MIB))?;
    for number in 0.. {
        store.append(vec![message(number)?], Durability::Synced).await?;
        println!("{number}");
    }
    Ok(())
}

fn upstream() -> QueueId {
    QueueId::new(EndpointId::upstream(), Priority::DEFAULT)
}

fn message(number: u64) -> Result<Enqueue, Box<dyn Error>> {
    let message = Message::builder(&Source::telemetry()).body(number.to_string().as_bytes()).build();
    let targets = [Target::new(upstream(), "telemetry".parse()?, None)].into();
    Ok(Enqueue::new(message, targets, SystemClock.wall()))
}
