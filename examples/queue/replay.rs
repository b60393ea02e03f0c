//! `queue replay-dead-letters`: gives dead letters back to the queues they came from.

use std::io::Write;
use std::num::NonZeroUsize;
use std::time::Duration;

use edge_core::{
    DropCause, Durability, EndpointId, Enqueue, Message, MessageBuilder, MessageStore, QueueId, QueueState,
    ReadLimit, Report, StoreError, Stored, Target, Timestamp,
};
use edge_store::{OpenError, SegmentStore, StoreOptions};
use tokio::runtime::Builder;

use crate::words::Words;
use crate::{End, open, written};

/// What the endpoints of dead letters begin with.
const DEAD_LETTERS: &str = "$dead-letter/";
/// The application property of a dead letter that says why it is one.
pub(crate) const REASON: &str = "edge-dead-letter-reason";
/// Entries and bytes that are moved at a time.
const LIMIT: ReadLimit = ReadLimit::new(NonZeroUsize::new(256).expect("is not zero"), 1 << 20);

/// What became of the dead letters of a queue.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Replayed {
    /// Given back.
    pub(crate) moved: u64,
    /// Had expired, and were dropped.
    pub(crate) expired: u64,
    /// Were lost to damage.
    pub(crate) damaged: u64,
}

pub(crate) fn run(words: &Words, now: Timestamp, out: &mut impl Write) -> Result<End, String> {
    let (dir, endpoint) = match words.names() {
        [dir] => (dir, None),
        [dir, endpoint] => (dir, Some(endpoint.as_str())),
        _ => return Err("replay-dead-letters needs the folder of a store, and at most one endpoint".into()),
    };
    if words.has("--dry-run") {
        let states = open::inspect(dir)?.queues();
        let pairs = pairs(&states, endpoint)?;
        say_when_none(&pairs, out)?;
        for (grave, home) in pairs {
            let waiting = states.iter().find(|state| state.queue == grave).map_or(0, QueueState::len);
            writeln!(out, "{home}: {waiting} dead letters would be given back").map_err(written)?;
        }
        return Ok(End::Fine);
    }
    open::check(dir)?;
    let store = match SegmentStore::open(dir, StoreOptions::default()) {
        Ok((store, recovery)) => {
            if !recovery.is_clean() {
                eprintln!("queue: {dir}: {recovery}");
            }
            store
        }
        Err(OpenError::Locked { .. }) => {
            return Err(format!(
                "a gateway is using {dir}, and only one process may write to a store: stop the gateway, run this \
                 again, and start it; nothing was changed. Beside a running gateway `queue export {dir} \
                 '{DEAD_LETTERS}{}'` shows the dead letters",
                endpoint.unwrap_or("$upstream"),
            ));
        }
        Err(error) => return Err(open::failed(&error)),
    };
    let time_to_live = words.number("--time-to-live").map(Duration::from_secs);
    let runtime = Builder::new_current_thread().build().map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(async {
        let mut end = End::Fine;
        let pairs = pairs(&store.queues(), endpoint)?;
        say_when_none(&pairs, out)?;
        for (grave, home) in pairs {
            let done = replay(&store, &grave, &home, time_to_live, now).await;
            let done = done.map_err(|error| format!("{grave}: {}", Report(&error)))?;
            let Replayed { moved, expired, damaged } = done;
            let mut line = format!("{home}: {moved} dead letters given back");
            if expired > 0 {
                line.push_str(&format!(", {expired} had expired"));
            }
            if damaged > 0 {
                line.push_str(&format!(", {damaged} were lost to damage"));
                end = End::Found;
            }
            writeln!(out, "{line}").map_err(written)?;
        }
        store.close().await.map_err(|error| Report(&error).to_string())?;
        Ok(end)
    })
}

fn say_when_none(pairs: &[(QueueId, QueueId)], out: &mut impl Write) -> Result<(), String> {
    if pairs.is_empty() { writeln!(out, "there are no dead letters").map_err(written) } else { Ok(()) }
}

/// Returns the queues that hold dead letters, each with the queue they came from.
fn pairs(states: &[QueueState], endpoint: Option<&str>) -> Result<Vec<(QueueId, QueueId)>, String> {
    let graves = states.iter().filter(|state| !state.is_empty());
    let pairs: Vec<(QueueId, QueueId)> =
        graves.filter_map(|state| Some((state.queue.clone(), home(&state.queue)?))).collect();
    let Some(name) = endpoint else { return Ok(pairs) };
    let wanted = name.strip_prefix(DEAD_LETTERS).unwrap_or(name);
    let of_endpoint: Vec<_> =
        pairs.iter().filter(|(_, home)| home.endpoint().as_str() == wanted).cloned().collect();
    if !of_endpoint.is_empty() {
        return Ok(of_endpoint);
    }
    let known: Vec<_> = pairs.iter().map(|(_, home)| home.endpoint().clone()).collect();
    Err(open::unknown("endpoint with dead letters", wanted, &known))
}

/// Returns the queue that the dead letters in `grave` came from.
fn home(grave: &QueueId) -> Option<QueueId> {
    let endpoint: EndpointId = grave.endpoint().as_str().strip_prefix(DEAD_LETTERS)?.parse().ok()?;
    Some(QueueId::new(endpoint, grave.priority()))
}

/// Moves all that is in `grave` to `home`, in order.
///
/// A batch leaves its old queue only when it is durable in the new one: after a crash in between some may be in both,
/// none in neither.
pub(crate) async fn replay(
    store: &dyn MessageStore,
    grave: &QueueId,
    home: &QueueId,
    time_to_live: Option<Duration>,
    now: Timestamp,
) -> Result<Replayed, StoreError> {
    let mut done = Replayed::default();
    let Some(QueueState { head, next: end, .. }) = store.queue(grave) else { return Ok(done) };
    let mut at = head;
    while at < end {
        let batch = store.read(grave, at, LIMIT).await?;
        if batch.entries.is_empty() && batch.next <= at {
            break;
        }
        let mut entries = Vec::with_capacity(batch.entries.len());
        let mut expired = Vec::new();
        for stored in &batch.entries {
            if stored.is_expired(now) {
                expired.push((stored.offset, DropCause::Expired));
            } else {
                entries.push(revived(stored, home, time_to_live, now));
            }
        }
        let moved = entries.len() as u64;
        store.append(entries, Durability::Synced).await?;
        // What went back is delivered, on the account of the dead letters; what had expired is dropped.
        store.settle(grave, at..batch.next, &expired)?;
        done.expired += expired.len() as u64;
        done.moved += moved;
        done.damaged += batch.damaged;
        at = batch.next;
    }
    Ok(done)
}

/// Returns a dead letter as it was before; it expires when it would have as a dead letter, unless told otherwise.
fn revived(stored: &Stored, home: &QueueId, time_to_live: Option<Duration>, now: Timestamp) -> Enqueue {
    let (enqueued, time_to_live) = match time_to_live {
        Some(time_to_live) => (now, Some(time_to_live)),
        None => (stored.enqueued, stored.expires.map(|expires| expires.saturating_since(stored.enqueued))),
    };
    let target = Target::new(home.clone(), stored.route.clone(), time_to_live);
    Enqueue::new(without_reason(&stored.message), [target].into(), enqueued)
}

fn without_reason(message: &Message) -> Message {
    let mut builder = MessageBuilder::new(message.source());
    for (key, value) in message.system().iter() {
        builder.set_system(key, value);
    }
    for (name, value) in message.properties().iter().filter(|(name, _)| *name != REASON) {
        builder.set_property(name, value);
    }
    builder.set_body(message.body());
    builder.build()
}
