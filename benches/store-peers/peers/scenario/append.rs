//! Durable appends.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use crate::cost::{Cost, memory_kib};
use crate::engines::Queue;
use crate::{Fallible, engines, load};

const MESSAGE_BYTES: usize = 1024;

pub(super) fn waiting(engine: &str, dir: &Path, records: u64) -> Fallible<()> {
    run(engine, dir, records, 1)
}

pub(super) fn window(engine: &str, dir: &Path, records: u64) -> Fallible<()> {
    run(engine, dir, records, 100)
}

fn run(engine: &str, dir: &Path, records: u64, window: usize) -> Fallible<()> {
    warm(dir, records)?;
    let messages = load::messages(MESSAGE_BYTES);
    let queue: Arc<dyn Queue> = engines::open(engine, dir, records)?.into();
    load::produce(queue.clone(), &messages, records / 20, window)?;
    let (cost, commits) = (Cost::now(), queue.commits());
    load::produce(queue.clone(), &messages, records, window)?;
    let time = cost.spent().time;
    let commits = queue.commits() - commits;
    // What the engine puts off is part of its cost.
    drop(queue);
    let spent = cost.spent();
    let count = records as f64;
    println!("rate {}", count / time.as_secs_f64());
    println!("cpu_us {}", spent.cpu.as_secs_f64() * 1e6 / count);
    println!("commits {commits}");
    println!("per_commit {}", count / commits as f64);
    println!("written {}", spent.written as f64 / (count * MESSAGE_BYTES as f64));
    println!("dirtied {}", spent.dirtied as f64 / (count * MESSAGE_BYTES as f64));
    println!("peak_mib {}", memory_kib("VmHWM:") as f64 / 1024.0);
    Ok(())
}

/// Has memory at hand for what will be written: in a virtual machine the first touch of a page that nobody has used for
/// a while costs more than all the rest.
fn warm(dir: &Path, records: u64) -> Fallible<()> {
    const PIECE: [u8; 1 << 16] = [1; 1 << 16];
    let path = dir.join("warm");
    let mut file = std::fs::File::create(&path)?;
    for _ in 0..3 * records * MESSAGE_BYTES as u64 / PIECE.len() as u64 {
        file.write_all(&PIECE)?;
    }
    drop(file);
    Ok(std::fs::remove_file(path)?)
}
