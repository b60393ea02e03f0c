//! Everything that a store knows in memory: no file, no thread, no clock; under one short lock.

mod answers;
mod append;
mod forget;
mod held;
mod keys;
mod lone;
mod outbox;
mod plan;
mod publish;
mod queue;
mod read;
mod reclaim;
mod relocate;
mod tally;
mod victims;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

use edge_core::{Account, DropCause, Gone, QueueId, QueueState, RouteName, StoreError, Target, Usage};
use tokio::sync::oneshot;

use crate::StoreOptions;
use crate::index::{BoundList, Counts, Extent, Tail};

use held::Classes;
pub(crate) use held::Held;
use keys::Hashers;
pub(crate) use outbox::{Cleared, Definition, Leaving, Outbox};
pub(crate) use publish::Indexed;
pub(crate) use queue::{Cursor, Queue};
pub(crate) use read::{Found, OnDisk, Place, stored};
pub(crate) use reclaim::is_heir;
pub(crate) use tally::{Tallies, Tally};

/// What a store knows.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) options: StoreOptions,
    /// By number.
    pub(crate) queues: Vec<Queue>,
    pub(crate) queue_numbers: HashMap<QueueId, u32>,
    /// Numbers that no queue has.
    pub(crate) vacant: Vec<u32>,
    /// All offsets of queues that were forgotten are below it.
    pub(crate) floor: u64,
    /// Which queue is next to be asked whether it can be forgotten.
    hand: usize,
    /// By number.
    pub(crate) routes: Vec<RouteName>,
    pub(crate) route_numbers: HashMap<RouteName, u32>,
    /// Target lists by their address; a list is kept as long as its address is used.
    bound: HashMap<usize, (Arc<[Target]>, BoundList)>,
    /// The one that was used last.
    last_bound: Option<lone::Known>,
    /// Bytes of what waits, by class.
    pub(crate) classes: Classes,
    /// Memory for the next batch's targets.
    spare_runs: append::Runs,
    pub(crate) tail: Tail,
    pub(crate) segments: BTreeMap<u64, Segment>,
    pub(crate) active: u64,
    /// Bytes of all segments.
    pub(crate) file_bytes: u64,
    /// Bytes of all segments that are waited for, at most as many of each as it has.
    pub(crate) held_bytes: u64,
    /// Queues that may have entries which may leave for others: class, oldest segment of one, number.
    victims: BTreeSet<(u8, u64, u32)>,
    hashers: Hashers,
    /// How many keys all queues remember.
    keys_held: usize,
    /// Queues with keys that are still to be learned.
    unlearned: Vec<u32>,
    /// How long the file of the active segment was when it was begun.
    pub(crate) reserved: u64,
    pub(crate) written_bytes: u64,
    /// Bytes of messages in their stored form, among those written.
    pub(crate) message_bytes: u64,
    /// Bytes of messages that were moved, among those written.
    pub(crate) moved_bytes: u64,
    pub(crate) syncs: u64,
    pub(crate) mail: Mail,
    pub(crate) refusal: Option<Refusal>,
    /// Whether the writer has ended: everything is as durable as it will be.
    pub(crate) ended: bool,
}

/// A segment file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Segment {
    pub(crate) bytes: u64,
    /// How many extents of queues are in it.
    pub(crate) extents: u64,
    /// Bytes of what queues wait for; a record that is in several queues counts for each.
    pub(crate) live: u64,
    /// Whether another segment has taken its place.
    pub(crate) sealed: bool,
}

impl Segment {
    /// Returns how many bytes are waited for, at most as many as there are.
    pub(crate) fn held(&self) -> u64 {
        self.live.min(self.bytes)
    }
}

/// What waits for the writer.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    pub(crate) outbox: Outbox,
    /// Bytes of all batches that are not on disk.
    pub(crate) unwritten_bytes: u64,
    /// Queues that entries have left, each once.
    pub(crate) changed: Vec<u32>,
    /// Segments that hold nothing any more.
    pub(crate) dead: Vec<u64>,
    /// An append was refused for want of room: a dead active segment should be given back.
    pub(crate) pressed: bool,
    /// What failed should be tried again.
    pub(crate) retry: bool,
    /// Who wants everything durable, and dead space given back.
    pub(crate) flushes: Vec<oneshot::Sender<Result<(), StoreError>>>,
    /// Who has asked for the store to be closed.
    pub(crate) closing: Vec<oneshot::Sender<Result<(), StoreError>>>,
    /// Nobody holds the store any more.
    pub(crate) stop: bool,
    /// What the writer's thread is waiting for.
    pub(crate) writer: Waiting,
}

/// A group of batches that need not wait for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// So many batches are enough.
    pub(crate) batches: usize,
    /// So many messages are enough.
    pub(crate) messages: usize,
    /// So many bytes are enough.
    pub(crate) bytes: u64,
}

/// What the writer's thread is waiting for; waking it when it does not wait costs a system call for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Nothing: it is at work, and looks into the mail when it is done.
    #[default]
    Nothing,
    /// Anything at all.
    Anything,
    /// Anything that cannot wait for a second.
    Urgent,
    /// A group that is large enough, or anything urgent that is no batch.
    Group(Group),
}

impl Mail {
    /// Returns whether what waits makes a group.
    pub(crate) fn holds(&self, group: &Group) -> bool {
        self.outbox.len() >= group.batches
            || self.outbox.messages() >= group.messages
            || self.unwritten_bytes >= group.bytes
    }

    /// Returns whether the writer should take the mail at once; `failed` says that its last attempt to write did.
    pub(crate) fn is_urgent(&self, failed: bool) -> bool {
        let work = if failed { self.retry } else { self.pressed || !self.outbox.is_empty() };
        self.is_more_urgent() || work || !self.dead.is_empty()
    }

    /// Returns whether something cannot even wait for more batches to gather.
    pub(crate) fn is_more_urgent(&self) -> bool {
        self.stop || !self.closing.is_empty() || !self.flushes.is_empty()
    }

    fn wakes_writer(&mut self, failed: bool) -> bool {
        let wakes = match self.writer {
            Waiting::Nothing => false,
            Waiting::Urgent => self.is_urgent(failed),
            Waiting::Group(group) => self.holds(&group) || self.is_more_urgent(),
            Waiting::Anything => self.is_urgent(failed) || !self.changed.is_empty(),
        };
        if wakes {
            self.writer = Waiting::Nothing;
        }
        wakes
    }
}

/// Why the store takes nothing.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// A write failed; what was taken before waits in memory.
    Unwritten(StoreError),
    Poisoned(Arc<io::Error>),
    Closed,
}

impl State {
    pub(crate) fn new(options: StoreOptions) -> Self {
        Self {
            tail: Tail::new(options.tail_bytes),
            options,
            queues: Vec::new(),
            queue_numbers: HashMap::new(),
            vacant: Vec::new(),
            floor: 0,
            hand: 0,
            routes: Vec::new(),
            route_numbers: HashMap::new(),
            bound: HashMap::new(),
            last_bound: None,
            classes: Classes::default(),
            spare_runs: Vec::new(),
            segments: BTreeMap::new(),
            active: 0,
            file_bytes: 0,
            held_bytes: 0,
            victims: BTreeSet::new(),
            hashers: Hashers::default(),
            keys_held: 0,
            unlearned: Vec::new(),
            reserved: 0,
            written_bytes: 0,
            message_bytes: 0,
            moved_bytes: 0,
            syncs: 0,
            mail: Mail::default(),
            refusal: None,
            ended: false,
        }
    }

    /// Returns whether the writer must be woken for its mail; it counts as awake from then on.
    pub(crate) fn wakes_writer(&mut self) -> bool {
        self.mail.wakes_writer(matches!(self.refusal, Some(Refusal::Unwritten(_))))
    }

    pub(crate) fn queue_by_id(&self, id: &QueueId) -> Option<(u32, &Queue)> {
        let &number = self.queue_numbers.get(id)?;
        Some((number, self.queues.get(number as usize)?))
    }

    /// Returns whether calls that change something are still taken.
    ///
    /// # Errors
    /// [`StoreError::Closed`] and [`StoreError::Poisoned`]; a full disk is none.
    pub(crate) fn check_open(&self) -> Result<(), StoreError> {
        match &self.refusal {
            None | Some(Refusal::Unwritten(_)) => Ok(()),
            Some(Refusal::Poisoned(source)) => Err(StoreError::Poisoned { source: source.clone() }),
            Some(Refusal::Closed) => Err(StoreError::Closed),
        }
    }

    /// Returns whether reads are still answered: a poisoned store can be read.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub(crate) fn check_readable(&self) -> Result<(), StoreError> {
        if matches!(self.refusal, Some(Refusal::Closed)) { Err(StoreError::Closed) } else { Ok(()) }
    }

    pub(crate) fn route_name(&self, number: u32) -> RouteName {
        self.routes.get(number as usize).cloned().unwrap_or_else(|| lost_route(number))
    }

    pub(crate) fn describe(&self, queue: &Queue) -> QueueState {
        let mut waiting: Vec<_> =
            queue.waiting.iter().map(|(route, entries)| (self.route_name(route), entries)).collect();
        waiting.sort();
        QueueState::new(queue.id.clone(), queue.head, queue.next, waiting)
    }

    /// Returns the states of all queues, by rising id.
    pub(crate) fn describe_all(&self) -> Vec<QueueState> {
        let named = self.queues.iter().filter(|queue| !queue.is_vacant);
        let mut states: Vec<_> = named.map(|queue| self.describe(queue)).collect();
        states.sort_by(|a, b| a.queue.cmp(&b.queue));
        states
    }

    /// Returns how many entries in a segment wait, over all queues.
    pub(crate) fn waiting_in(&self, segment: u64) -> u64 {
        let waiting = |queue: &Queue, extent: &Extent| -> u64 {
            queue.holes.outside(extent.first.max(queue.head), extent.end()).map(|(from, to)| to - from).sum()
        };
        let extents = self.queues.iter().flat_map(|queue| queue.extents.iter().map(move |e| (queue, e)));
        extents.filter(|(_, e)| e.segment == segment).map(|(queue, e)| waiting(queue, e)).sum()
    }

    pub(crate) fn gone(&self, queue: u32, counts: &Counts, cause: DropCause) -> Vec<Gone> {
        let Some(queue) = self.queues.get(queue as usize) else { return Vec::new() };
        let gone = |(route, entries)| Gone::new(queue.id.clone(), self.route_name(route), entries, cause);
        counts.iter().map(gone).collect()
    }

    /// Returns all accounts, by rising queue and route.
    pub(crate) fn accounts(&self) -> Vec<Account> {
        let mut accounts = Vec::new();
        for queue in &self.queues {
            let mut tallies = queue.tallies.clone();
            for (route, _) in queue.waiting.iter() {
                tallies.of(route);
            }
            for (route, tally) in tallies.iter() {
                let mut account = Account::new(queue.id.clone(), self.route_name(route));
                account.stored = queue.waiting.of(route);
                (account.delivered, account.dropped) = (tally.delivered, tally.dropped);
                account.accepted = account.stored.saturating_add(tally.total());
                accounts.push(account);
            }
        }
        accounts.sort_by(|a, b| (&a.queue, &a.route).cmp(&(&b.queue, &b.route)));
        accounts
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        let active = self.segments.get(&self.active).map_or(0, |segment| segment.bytes);
        self.file_bytes + self.reserved.saturating_sub(active) + self.mail.unwritten_bytes
    }

    pub(crate) fn usage(&self) -> Usage {
        let mut usage = Usage::new(self.used_bytes(), self.options.max_bytes);
        usage.written_bytes = self.written_bytes;
        usage.syncs = self.syncs;
        (usage.message_bytes, usage.moved_bytes) = (self.message_bytes, self.moved_bytes);
        usage
    }
}

/// Returns the name of the route on whose account lost entries go of which nobody knows the route.
pub(crate) fn lost_entries() -> RouteName {
    "lost-entries".parse().expect("a plain name parses")
}

/// Returns the name of a route whose name is lost to damage.
pub(crate) fn lost_route(number: u32) -> RouteName {
    format!("lost-route-{number}").parse().expect("a plain name parses")
}
