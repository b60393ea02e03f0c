//! `queue ls`: the queues and how much waits in them.

use std::io::Write;

use edge_core::{Account, QueueState};
use edge_store::{Inspection, Lost, Recovery};
use serde_json::{Map, Value, json};

use crate::words::Words;
use crate::{End, open, written};

pub(crate) fn run(words: &Words, out: &mut impl Write) -> Result<End, String> {
    let [dir] = words.names() else { return Err("ls needs the folder of one store".into()) };
    let inspection = open::inspect(dir)?;
    let shown = if words.has("--json") { machine(&inspection, out) } else { table(&inspection, out) };
    shown.map_err(written)?;
    let recovery = inspection.recovery();
    Ok(if recovery.damage.is_empty() && recovery.lost.is_empty() { End::Fine } else { End::Found })
}

/// Returns a number of things in words.
pub(crate) fn many(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

fn table(inspection: &Inspection, out: &mut impl Write) -> std::io::Result<()> {
    let queues = inspection.queues();
    let names: Vec<String> = queues.iter().map(|state| state.queue.to_string()).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("QUEUE".len());
    writeln!(out, "{:width$}  {:>10}  {:>12}  {:>12}  ROUTES", "QUEUE", "WAITING", "HEAD", "NEXT")?;
    for (state, name) in queues.iter().zip(&names) {
        let routes: Vec<_> =
            state.waiting.iter().map(|(route, entries)| format!("{route} {entries}")).collect();
        let (waiting, head, next) = (state.len(), state.head, state.next);
        writeln!(out, "{name:width$}  {waiting:>10}  {head:>12}  {next:>12}  {}", routes.join(", "))?;
    }
    let entries: u64 = queues.iter().map(QueueState::len).sum();
    let (entries, segments) = (many(entries, "entry", "entries"), inspection.segments().len() as u64);
    let (segments, bytes) = (many(segments, "segment", "segments"), inspection.usage().used_bytes);
    writeln!(out, "{entries} in {segments}, {}", many(bytes, "byte", "bytes"))?;
    for Account { queue, route, dropped, .. } in inspection.accounts() {
        let causes: Vec<_> =
            dropped.iter().map(|(cause, entries)| format!("{entries} {}", cause.name())).collect();
        if !causes.is_empty() {
            writeln!(out, "dropped so far of {queue} by {route}: {}", causes.join(", "))?;
        }
    }
    let Recovery { damage, lost, removed, .. } = inspection.recovery();
    for damage in damage {
        let (file, position, bytes) = (damage.file.display(), damage.position, damage.bytes);
        writeln!(out, "damaged: {bytes} bytes at {position} of {file}")?;
    }
    for Lost { queue, entries, .. } in lost {
        writeln!(out, "lost: {entries} entries of {queue}, to damage")?;
    }
    for Lost { queue, entries, .. } in removed {
        writeln!(out, "removed: {entries} entries of {queue} were in segments that are gone")?;
    }
    Ok(())
}

fn machine(inspection: &Inspection, out: &mut impl Write) -> std::io::Result<()> {
    let queues: Vec<Value> = inspection.queues().iter().map(queue).collect();
    let segments: Vec<Value> = inspection
        .segments()
        .iter()
        .map(|segment| {
            json!({ "file": segment.file.display().to_string(), "bytes": segment.bytes, "entries": segment.entries })
        })
        .collect();
    let mut value = json!({ "queues": queues, "segments": segments, "bytes": inspection.usage().used_bytes });
    value["accounts"] = inspection.accounts().iter().map(account).collect();
    value["recovery"] = recovery(inspection.recovery());
    writeln!(out, "{value}")
}

fn queue(state: &QueueState) -> Value {
    let routes: Map<String, Value> =
        state.waiting.iter().map(|(route, entries)| (route.to_string(), json!(entries))).collect();
    json!({
        "queue": state.queue.to_string(),
        "endpoint": state.queue.endpoint().as_str(),
        "priority": state.queue.priority().level(),
        "waiting": state.len(),
        "head": state.head,
        "next": state.next,
        "routes": routes,
    })
}

fn account(account: &Account) -> Value {
    let dropped: Map<String, Value> =
        account.dropped.iter().map(|(cause, entries)| (cause.name().to_owned(), json!(entries))).collect();
    json!({
        "queue": account.queue.to_string(),
        "route": account.route.as_str(),
        "accepted": account.accepted,
        "delivered": account.delivered,
        "stored": account.stored,
        "dropped": dropped,
    })
}

/// What an opening of the store would find, for machines.
pub(crate) fn recovery(found: &Recovery) -> Value {
    let lost = |list: &[Lost]| -> Vec<Value> {
        list.iter().map(|lost| json!({ "queue": lost.queue.to_string(), "entries": lost.entries })).collect()
    };
    json!({
        "damage": damage(&found.damage),
        "lost": lost(&found.lost),
        "removed": lost(&found.removed),
        "unfinishedBytes": found.bytes_cut,
    })
}

/// Damaged places, for machines.
pub(crate) fn damage(found: &[edge_store::Damage]) -> Vec<Value> {
    let place = |damage: &edge_store::Damage| json!({ "file": damage.file.display().to_string(), "position": damage.position, "bytes": damage.bytes });
    found.iter().map(place).collect()
}
