//! What is measured.

mod amplification;
mod append;
mod drain;
mod memory;
mod open;

use std::path::Path;

use edge_core::{Durability, Enqueue, Message, MessageStore, QueueId, Timestamp};
use edge_store::SegmentStore;
use tokio::runtime::Builder;

use crate::args::Args;
use crate::report::Column;
use crate::{Fallible, engines};

/// One table.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) engines: &'static [&'static str],
    pub(crate) records: u64,
    pub(crate) rounds: usize,
    pub(crate) columns: &'static [Column],
    run: fn(engine: &str, dir: &Path, records: u64) -> Fallible<()>,
}

const APPEND: &[Column] = &[
    column("rate", "records/s", 0, true),
    column("cpu_us", "us CPU/record", 2, true),
    column("per_commit", "rec/commit", 1, false),
    column("commits", "commits", 0, false),
    column("written", "bytes written x", 3, false),
    column("peak_mib", "peak MiB", 0, false),
];

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "append waiting",
        about: "1 KiB, durable; 64 producers that wait for each record",
        engines: engines::ALL,
        records: 60_000,
        rounds: 5,
        columns: APPEND,
        run: append::waiting,
    },
    Scenario {
        name: "append window",
        about: "1 KiB, durable; 64 producers with 100 records in flight each",
        engines: engines::ALL,
        records: 400_000,
        rounds: 5,
        columns: APPEND,
        run: append::window,
    },
    Scenario {
        name: "drain",
        about: "1 KiB, read from the page cache and trimmed after each batch; by records a batch",
        engines: &["100", "256", "1000"],
        records: 500_000,
        rounds: 5,
        columns: &[column("rate", "records/s", 0, false), column("cpu_us", "us CPU/record", 2, false)],
        run: drain::run,
    },
    Scenario {
        name: "open",
        about: "entries of 256 B; after closing, and after a kill with 15 MiB in the newest segment",
        engines: &["closed", "killed"],
        records: 1_000_000,
        rounds: 5,
        columns: &[column("open_ms", "ms to open", 1, false), column("entries", "entries", 0, false)],
        run: open::run,
    },
    Scenario {
        name: "amplification",
        about: "1 KiB; all queues are drained, or one of them is stuck that gets a tenth; JSON as it is and compressed",
        engines: &["pass-through", "slow-endpoint", "json", "json-compressed"],
        records: 400_000,
        rounds: 3,
        columns: &[
            column("written", "log bytes x", 3, false),
            column("metric", "as the metric says", 3, false),
            column("moved", "of it moved x", 3, false),
            column("disk_x", "disk / waiting", 2, false),
            column("disk_mib", "disk MiB", 1, false),
            column("cpu_us", "us CPU/record", 2, false),
        ],
        run: amplification::run,
    },
    Scenario {
        name: "memory",
        about: "queued messages of 256 B",
        engines: &["one-queue", "100-queues", "reopened"],
        records: 5_000_000,
        rounds: 1,
        columns: &[
            column("before_mib", "before, MiB", 1, false),
            column("after_mib", "after, MiB", 1, false),
            column("peak_mib", "peak, MiB", 1, false),
        ],
        run: memory::run,
    },
];

const fn column(name: &'static str, title: &'static str, decimals: usize, ratio: bool) -> Column {
    Column { name, title, decimals, ratio }
}

/// Measures once, in this process.
pub(crate) fn run(args: &Args, engine: &str) -> Fallible<()> {
    let name = args.scenario();
    let scenario = ALL.iter().find(|scenario| scenario.name == name).ok_or("there is no such scenario")?;
    (scenario.run)(engine, &args.dir, args.records.unwrap_or(scenario.records))
}

/// Queues `records` messages in large batches, in turn to `queues`; they are written, not synced.
fn fill(store: &SegmentStore, queues: &[QueueId], messages: &[Message], records: u64) -> Fallible<()> {
    const BATCH: u64 = 256;
    let targets: Vec<_> =
        queues.iter().map(|queue| engines::targets(std::slice::from_ref(queue))).collect::<Fallible<_>>()?;
    Builder::new_current_thread().build()?.block_on(async {
        for first in (0..records).step_by(BATCH as usize) {
            let numbers = first..records.min(first + BATCH);
            let entry = |number: u64| {
                let at = usize::try_from(number).unwrap_or(0);
                let (message, targets) = (&messages[at % messages.len()], &targets[at % targets.len()]);
                Enqueue::new(message.clone(), targets.clone(), Timestamp::from_unix_ms(number))
            };
            store.append(numbers.map(entry).collect(), Durability::Written).await?;
        }
        Ok(())
    })
}
