//! `routes diff`: what a new route file changes for recorded messages.

use std::io::Write;

use edge_routing::{Comparison, Sample};
use serde_json::json;

use crate::{End, Words, file, written};

pub(crate) fn run(words: &Words, out: &mut impl Write) -> Result<End, String> {
    let [old, new, recording] = words.files.as_slice() else {
        return Err("diff needs an old route file, a new one and a recording".into());
    };
    let (old, new) = (file::router(old)?.router, file::router(new)?.router);
    let mut comparison = Comparison::new(&old, &new);
    let mut lines = file::lines(recording)?;
    let (mut line, mut number, mut unreadable) = (Vec::new(), 0_u64, 0_u64);
    loop {
        let read =
            file::next_line(&mut *lines, &mut line).map_err(|error| format!("{recording}: {error}"))?;
        let Some(whole) = read else { break };
        number += 1;
        if !whole {
            unreadable += 1;
            eprintln!("routes: {recording}:{number}: the line is too long");
            continue;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        let message = match Sample::parse(text) {
            Ok(message) => message,
            Err(error) => {
                unreadable += 1;
                eprintln!("routes: {recording}:{number}: {error}");
                continue;
            }
        };
        let Some(change) = comparison.add(&message) else { continue };
        if words.has("--json") {
            let value = json!({ "line": number, "change": change });
            writeln!(out, "{value}").map_err(written)?;
        } else if !words.has("--quiet") {
            for (sign, list) in [("-", &change.lost), ("+", &change.gained), ("~", &change.altered)] {
                for delivery in list {
                    writeln!(out, "{number}: {sign} {delivery}").map_err(written)?;
                }
            }
        }
    }
    let summary = comparison.summary();
    if words.has("--json") {
        writeln!(out, "{}", json!({ "summary": summary, "unreadable": unreadable })).map_err(written)?;
    } else {
        writeln!(out, "{} of {} messages change", summary.changed, summary.messages).map_err(written)?;
        for route in summary.routes.iter().filter(|route| route.old != route.new) {
            writeln!(out, "  {}: {} -> {}", route.name, route.old, route.new).map_err(written)?;
        }
    }
    Ok(if summary.changed > 0 || unreadable > 0 { End::Found } else { End::Fine })
}
