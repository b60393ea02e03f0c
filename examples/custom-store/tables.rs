//! What is in the database, and how it is read.
//!
//! | table | key | value |
//! |---|---|---|
//! | `messages` | number of the message | the message, as `Message::encoded` has it |
//! | `shares` | number of the message | how many entries hold it, when more than one does |
//! | `entries` | endpoint, priority, offset | number of the message, taken at (ms), expires at (ms), route |
//! | `tallies` | endpoint, priority, route, 0 for delivered or 1 + code of the cause | how many entries have left so |
//! | `policies` | endpoint, priority, route | what the route wants to happen when there is no more room |
//! | `queues` | endpoint, priority | lowest offset not trimmed, offset of the next entry |

use std::collections::BTreeMap;

use bytes::Bytes;
use edge_core::{DropCause, Message, Offset, Priority, QueueId, RouteName, Stored, Timestamp};
use redb::{Database, Error, ReadableDatabase, ReadableTable, TableDefinition};

use crate::index::{Index, Slot};

pub(crate) const MESSAGES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("messages");
pub(crate) const SHARES: TableDefinition<'_, u64, u64> = TableDefinition::new("shares");
pub(crate) const ENTRIES: TableDefinition<'_, Place<'_>, Entry<'_>> = TableDefinition::new("entries");
pub(crate) const QUEUES: TableDefinition<'_, (&str, u8), (u64, u64)> = TableDefinition::new("queues");

pub(crate) const POLICIES: TableDefinition<'_, (&str, u8, &str), &str> = TableDefinition::new("policies");
pub(crate) const TALLIES: TableDefinition<'_, Left<'_>, u64> = TableDefinition::new("tallies");

/// Endpoint, priority, route, and how entries have left.
type Left<'a> = (&'a str, u8, &'a str, u8);

/// Endpoint, priority, offset.
type Place<'a> = (&'a str, u8, u64);

/// Number of the message, taken at, expires at, route.
type Entry<'a> = (u64, u64, Option<u64>, &'a str);

/// What a database holds when it is opened.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) queues: BTreeMap<QueueId, Index>,
    pub(crate) next_message: u64,
}

pub(crate) fn key(queue: &QueueId) -> (&str, u8) {
    (queue.endpoint().as_str(), queue.priority().rank())
}

/// Returns the number that says how entries have left.
pub(crate) fn code(how: Option<DropCause>) -> u8 {
    how.map_or(0, |cause| cause.code() + 1)
}

fn how(code: u8) -> Option<DropCause> {
    code.checked_sub(1).map(|code| DropCause::from_code(code).unwrap_or(DropCause::Removed))
}

/// Returns the queue of a key, unless somebody else wrote it.
fn queue((endpoint, rank): (&str, u8)) -> Option<QueueId> {
    Some(QueueId::new(endpoint.parse().ok()?, Priority::new(rank).unwrap_or_default()))
}

/// Makes the tables where they are missing, and reads everything once: opening takes time for each entry.
pub(crate) fn load(database: &Database) -> Result<Found, Error> {
    let change = database.begin_write()?;
    let mut found = Found::default();
    {
        let messages = change.open_table(MESSAGES)?;
        change.open_table(SHARES)?;
        found.next_message = messages.last()?.map_or(0, |(number, _)| number.value() + 1);
        for row in change.open_table(QUEUES)?.iter()? {
            let (name, bounds) = row?;
            let (head, next) = bounds.value();
            found.queues.extend(queue(name.value()).map(|queue| (queue, Index::empty(head, next))));
        }
        for row in change.open_table(TALLIES)?.iter()? {
            let (place, count) = row?;
            let (endpoint, rank, route, code) = place.value();
            let (Some(queue), Ok(route)) = (queue((endpoint, rank)), route.parse()) else { continue };
            if let Some(index) = found.queues.get_mut(&queue) {
                index.count_left(&route, how(code), count.value());
            }
        }
        for row in change.open_table(POLICIES)?.iter()? {
            let (place, overflow) = row?;
            let (endpoint, rank, route) = place.value();
            let (Some(queue), Ok(route)) = (queue((endpoint, rank)), route.parse()) else { continue };
            if let (Some(index), Ok(overflow)) = (found.queues.get_mut(&queue), overflow.value().parse()) {
                index.set_policy(&route, &overflow);
            }
        }
        for row in change.open_table(ENTRIES)?.iter()? {
            let (place, entry) = row?;
            let ((endpoint, rank, offset), (number, _, expires, route)) = (place.value(), entry.value());
            let (Some(queue), Ok(route)) = (queue((endpoint, rank)), route.parse()) else { continue };
            let Some(index) = found.queues.get_mut(&queue) else { continue };
            let encoded = messages.get(number)?.map(|message| Bytes::copy_from_slice(message.value()));
            let bytes = encoded.as_ref().map_or(0, |encoded| encoded.len() as u64);
            let message = encoded.and_then(|encoded| Message::decode(encoded).ok());
            let key = message.and_then(|message| index.key(&route, &message));
            index.restore(offset, Slot { expires: expires.map(Timestamp::from_unix_ms), route, bytes, key });
        }
    }
    change.commit()?;
    Ok(found)
}

/// Reads the entries with these offsets up to `most_bytes`, and returns them with where to read on, when it is before
/// the last of the offsets, and with how many are damaged.
///
/// An entry that is not there any more was trimmed or has expired in between.
pub(crate) fn read(
    database: &Database,
    queue: &QueueId,
    offsets: &[Offset],
    most_bytes: usize,
) -> Result<(Vec<Stored>, Option<Offset>, u64), Error> {
    let view = database.begin_read()?;
    let (entries, messages) = (view.open_table(ENTRIES)?, view.open_table(MESSAGES)?);
    let (endpoint, rank) = key(queue);
    let (mut found, mut damaged, mut bytes) = (Vec::new(), 0, 0usize);
    for &offset in offsets {
        let Some(entry) = entries.get((endpoint, rank, offset))? else { continue };
        let (number, enqueued, expires, route) = entry.value();
        let encoded = messages.get(number)?.map(|message| Bytes::copy_from_slice(message.value()));
        let message = encoded.and_then(|encoded| Message::decode(encoded).ok());
        let (Some(message), Ok(route)) = (message, route.parse::<RouteName>()) else {
            damaged += 1;
            continue;
        };
        bytes = bytes.saturating_add(message.size());
        if bytes > most_bytes && !found.is_empty() {
            return Ok((found, Some(offset), damaged));
        }
        let expires = expires.map(Timestamp::from_unix_ms);
        found.push(Stored::new(offset, Timestamp::from_unix_ms(enqueued), expires, route, message));
    }
    Ok((found, None, damaged))
}
