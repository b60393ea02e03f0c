//! Reading one segment into the replay.

use std::path::Path;

use edge_core::Overflow;

use super::Replay;
use crate::OpenError;
use crate::fs::Fs;
use crate::fs::read_full;
use crate::index::{Extent, Placed};
use crate::log::{
    AFTER_SYNC, HEADER_BYTES, Kind, LAST, MAX_NUMBERS, MAX_OFFSET, Record, Step, TRAILER_BYTES, TargetEntry,
    Walker, file_name, index_position, read_index, seed,
};
use crate::state::Tally;

/// Which segment to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    pub(super) number: u64,
    pub(super) len: u64,
    pub(super) salt: u64,
    /// Only the newest segment can have a torn end: the others were synced before it began.
    pub(super) is_newest: bool,
    pub(super) has_header: bool,
    /// Whether other bytes may follow the end.
    pub(super) recycled: bool,
}

/// What was in it.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub(super) records: u64,
    /// Where the last batch that counts ends.
    pub(super) end: u64,
    /// Bytes of records behind it that do not count, or of what may have been some.
    pub(super) unfinished: u64,
    /// Bytes that are no records, among those that count.
    pub(super) damage: Vec<(u64, u64)>,
    /// Whether the last record that counts is an index.
    pub(super) ends_with_index: bool,
}

/// What a record does to the replay.
#[derive(Debug)]
pub(super) enum Effect {
    Entry(u32, Placed),
    Queue { number: u32, generation: u16, head: u64, next: u64, priority: u8, endpoint: String },
    Route { number: u32, name: String },
    Trim { queue: u32, head: u64 },
    Hole { queue: u32, from: u64, to: u64 },
    Account { queue: u32, route: u32, tally: Tally },
    Policy { queue: u32, route: u32, overflow: Overflow },
}

/// Reads the index of a segment into the replay, and returns whether it has one.
pub(super) fn scan_index(
    fs: &dyn Fs,
    dir: &Path,
    segment: Scan,
    replay: &mut Replay,
) -> Result<bool, OpenError> {
    let path = dir.join(file_name(segment.number));
    let file = fs.open_read(&path).map_err(OpenError::io("opening", &path))?;
    let mut trailer = [0; TRAILER_BYTES];
    let Some(at) = segment.len.checked_sub(TRAILER_BYTES as u64) else { return Ok(false) };
    let read = read_full(file.as_ref(), &mut trailer, at).map_err(OpenError::io("reading", &path))?;
    let position = index_position(trailer.get(..read).unwrap_or_default());
    let Some(position) = position.filter(|at| (HEADER_BYTES..segment.len).contains(at)) else {
        return Ok(false);
    };
    let seed = seed(segment.salt, segment.number);
    let mut walker = Walker::new(file.as_ref(), seed, position, segment.len, Vec::new());
    let step = walker.next().map_err(OpenError::io("reading", &path))?;
    let Some(Step::Record { header, .. }) = step else { return Ok(false) };
    let Some(Record::Index(payload)) = Record::decode(&header, walker.payload()) else { return Ok(false) };
    let Some(extents) = read_index(payload, segment.number) else { return Ok(false) };
    let is_possible = |(queue, extent): &(u32, Extent)| {
        let routes = extent.routes.iter().all(|&route| route < MAX_NUMBERS);
        *queue < MAX_NUMBERS && routes && extent.end() <= MAX_OFFSET
    };
    if !extents.iter().all(is_possible) {
        return Ok(false);
    }
    for (queue, extent) in extents {
        replay.add_extent(queue, extent);
    }
    Ok(true)
}

/// Reads a segment: its whole batches take effect, a torn end does not.
///
/// After damage, what follows waits until a record proves that all before it had been synced: then the damage is real,
/// and everything around it counts. Without such a record the damage is the torn end of the log.
pub(super) fn scan(
    fs: &dyn Fs,
    dir: &Path,
    segment: Scan,
    replay: &mut Replay,
) -> Result<Scanned, OpenError> {
    let path = dir.join(file_name(segment.number));
    let file = fs.open_read(&path).map_err(OpenError::io("opening", &path))?;
    let mut found = Scanned { end: HEADER_BYTES, ..Scanned::default() };
    let mut staged = Vec::new();
    let mut staged_records = 0;
    let mut doubtful = Vec::new();
    let mut last_record_end = HEADER_BYTES;
    if !segment.has_header && segment.is_newest {
        doubtful.push((0, HEADER_BYTES));
    }
    let mut walker = Walker::new(
        file.as_ref(),
        seed(segment.salt, segment.number),
        HEADER_BYTES.min(segment.len),
        segment.len,
        Vec::new(),
    )
    .salvaging();
    while let Some(step) = walker.next().map_err(OpenError::io("reading", &path))? {
        match step {
            Step::Damage { from, to } => doubtful.push((from, to)),
            Step::Record { position, header } => {
                let record = Record::decode(&header, walker.payload());
                if record.as_ref().is_some_and(|record| !record.is_possible()) {
                    tracing::error!(file = %path.display(), position, "a record has a number or an offset that cannot be");
                    doubtful.push((position, walker.position()));
                    continue;
                }
                if header.flags & AFTER_SYNC != 0 && position > HEADER_BYTES {
                    apply(&mut staged, replay);
                    found.damage.append(&mut doubtful);
                    found.records += std::mem::take(&mut staged_records);
                    found.end = position;
                }
                let place = (segment.number, position, walker.position() - position);
                stage(&mut staged, place, record);
                staged_records += 1;
                last_record_end = walker.position();
                if header.flags & LAST != 0 && doubtful.is_empty() {
                    apply(&mut staged, replay);
                    found.records += std::mem::take(&mut staged_records);
                    found.end = walker.position();
                    found.ends_with_index = header.kind == Kind::Index;
                }
            }
        }
    }
    let written_end = if segment.recycled { last_record_end } else { segment.len };
    if !segment.is_newest {
        doubtful.retain(|&(from, _)| from < written_end);
        apply(&mut staged, replay);
        found.damage.append(&mut doubtful);
        found.records += staged_records;
        found.end = written_end;
    }
    found.unfinished = written_end.saturating_sub(found.end);
    Ok(found)
}

fn apply(staged: &mut Vec<Effect>, replay: &mut Replay) {
    for effect in staged.drain(..) {
        replay.apply(effect);
    }
}

fn stage(staged: &mut Vec<Effect>, place: (u64, u64, u64), record: Option<Record<'_>>) {
    let effect = match record {
        Some(Record::Message(message)) => {
            let entry = |target: TargetEntry| Effect::Entry(target.queue, placed(target, place));
            staged.extend(message.targets().map(entry));
            return;
        }
        Some(Record::Queue { number, generation, head, next, priority, endpoint }) => {
            Effect::Queue { number, generation, head, next, priority, endpoint: endpoint.to_owned() }
        }
        Some(Record::Route { number, name }) => Effect::Route { number, name: name.to_owned() },
        Some(Record::Trim { queue, head }) => Effect::Trim { queue, head },
        Some(Record::Hole { queue, from, to }) => Effect::Hole { queue, from, to },
        Some(Record::Account { queue, route, tally }) => Effect::Account { queue, route, tally },
        Some(Record::Policy { queue, route, overflow }) => Effect::Policy { queue, route, overflow },
        Some(Record::Index(_)) | None => return,
    };
    staged.push(effect);
}

fn placed(target: TargetEntry, (segment, position, bytes): (u64, u64, u64)) -> Placed {
    let position = u32::try_from(position).unwrap_or(u32::MAX);
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    let TargetEntry { offset, route, expires, .. } = target;
    Placed { segment, position, bytes, offset, route, expires }
}
