//! `queue verify`: reads every byte of a store and checks it.

use std::io::Write;

use edge_store::{Lost, Recovery, Verification};
use serde_json::json;

use crate::words::Words;
use crate::{End, ls, open, written};

pub(crate) fn run(words: &Words, out: &mut impl Write) -> Result<End, String> {
    let [dir] = words.names() else { return Err("verify needs the folder of one store".into()) };
    let inspection = open::inspect(dir)?;
    let found = inspection.verify().map_err(|error| open::failed(&error))?;
    let recovery = inspection.recovery();
    let shown = if words.has("--json") {
        let Verification { segments, records, messages, bytes, .. } = &found;
        let value = json!({
            "segments": segments,
            "records": records,
            "messages": messages,
            "bytes": bytes,
            "damage": ls::damage(&found.damage),
            "recovery": ls::recovery(recovery),
        });
        writeln!(out, "{value}")
    } else {
        report(&found, recovery, out)
    };
    shown.map_err(written)?;
    let is_whole = found.damage.is_empty() && recovery.damage.is_empty() && recovery.lost.is_empty();
    Ok(if is_whole { End::Fine } else { End::Found })
}

fn report(found: &Verification, recovery: &Recovery, out: &mut impl Write) -> std::io::Result<()> {
    let (segments, records) =
        (ls::many(found.segments, "segment", "segments"), ls::many(found.records, "record", "records"));
    let (messages, bytes) =
        (ls::many(found.messages, "message", "messages"), ls::many(found.bytes, "byte", "bytes"));
    writeln!(out, "{segments}, {records}, {messages}, {bytes} read")?;
    // A segment without a readable header is in the recovery only.
    let unread = recovery.damage.iter().filter(|damage| !found.damage.contains(damage));
    for damage in found.damage.iter().chain(unread) {
        let (file, position, bytes) = (damage.file.display(), damage.position, damage.bytes);
        writeln!(out, "damaged: {bytes} bytes at {position} of {file}")?;
    }
    for Lost { queue, entries, .. } in &recovery.lost {
        writeln!(out, "lost: {entries} entries of {queue}")?;
    }
    for Lost { queue, entries, .. } in &recovery.removed {
        writeln!(out, "removed: {entries} entries of {queue} were in segments that are gone")?;
    }
    if recovery.bytes_cut > 0 {
        writeln!(
            out,
            "unfinished: {} bytes at the end, of a batch that was being written",
            recovery.bytes_cut
        )?;
    }
    if found.damage.is_empty() && recovery.damage.is_empty() {
        writeln!(out, "nothing is damaged")?;
    }
    Ok(())
}
