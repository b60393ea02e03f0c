//! Finds the store, and the queue that is meant.

use std::fs;
use std::path::Path;

use edge_core::{QueueId, Report};
use edge_store::{Inspection, OpenError};

/// Looks into the store in `dir`.
pub(crate) fn inspect(dir: &str) -> Result<Inspection, String> {
    check(dir)?;
    Inspection::open(dir).map_err(|error| failed(&error))
}

/// Returns a clear error when there is no store in `dir`.
pub(crate) fn check(dir: &str) -> Result<(), String> {
    let path = Path::new(dir);
    let meta = fs::metadata(path).map_err(|error| format!("{dir}: {error}"))?;
    if !meta.is_dir() {
        return Err(format!("{dir} is a file; name the folder of the store"));
    }
    if holds_store(path).map_err(|error| format!("{dir}: {error}"))? {
        return Ok(());
    }
    let inner = path.join("store");
    if holds_store(&inner).unwrap_or(false) {
        return Err(format!("{dir} holds no store; did you mean {}?", inner.display()));
    }
    Err(format!("{dir} holds no store: there is no segment (*.seg) in it"))
}

/// Returns whether there is a segment, or what a store leaves beside its segments.
fn holds_store(path: &Path) -> std::io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if name == "salt" || Path::new(&name).extension().is_some_and(|extension| extension == "seg") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the queues that `name` means: one, or all of an endpoint.
pub(crate) fn queues(inspection: &Inspection, name: &str) -> Result<Vec<QueueId>, String> {
    let all: Vec<QueueId> = inspection.queues().into_iter().map(|state| state.queue).collect();
    if let Some(queue) = all.iter().find(|queue| queue.to_string() == name) {
        return Ok(vec![queue.clone()]);
    }
    let of_endpoint: Vec<_> = all.iter().filter(|queue| queue.endpoint().as_str() == name).cloned().collect();
    if of_endpoint.is_empty() { Err(unknown("queue", name, &all)) } else { Ok(of_endpoint) }
}

/// Says that a name is not known, and which are.
pub(crate) fn unknown(what: &str, name: &str, known: &[impl ToString]) -> String {
    let known: Vec<_> = known.iter().map(ToString::to_string).collect();
    let there = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
    format!("there is no {what} '{name}'; {}{there}", if known.is_empty() { "" } else { "there are " })
}

/// Says why a store cannot be opened.
pub(crate) fn failed(error: &OpenError) -> String {
    Report(error).to_string()
}
