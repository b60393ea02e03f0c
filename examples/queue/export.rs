//! `queue export`: messages as newline-delimited JSON.

use std::io::Write;

use edge_transport::upstream::ndjson::Record;

use crate::words::Words;
use crate::{End, open, peek, reading, written};

pub(crate) fn run(words: &Words, out: &mut impl Write) -> Result<End, String> {
    let (dir, name) = match words.names() {
        [dir] => (dir, None),
        [dir, name] => (dir, Some(name)),
        _ => return Err("export needs the folder of a store, and at most one queue".into()),
    };
    let mut inspection = open::inspect(dir)?;
    let queues = match name {
        Some(name) => open::queues(&inspection, name)?,
        None => inspection.queues().into_iter().map(|state| state.queue).collect(),
    };
    let mut end = End::Fine;
    for queue in queues {
        let outcome = reading::each(&mut inspection, dir, &queue, 0, u64::MAX, |stored| {
            writeln!(out, "{}", Record::from(stored)).map_err(written)
        })?;
        if peek::warn(&queue.to_string(), &outcome) == End::Found {
            end = End::Found;
        }
    }
    Ok(end)
}
