//! The durable store-and-forward log of an edge gateway.
//!
//! [`SegmentStore`] is a [`MessageStore`](edge_core::MessageStore): one durable queue for each endpoint and priority,
//! over messages that are written once, however many queues they are in. [`SessionFile`] is a
//! [`SessionStore`](edge_core::SessionStore): the subscriptions of clients that are away.
//! `IdentityFile` is an [`IdentityStore`](edge_core::service::IdentityStore): who is registered.
//!
//! # What is promised
//! - A batch whose receipt says [`Durability::Synced`](edge_core::Durability::Synced) survives the loss of power, one
//!   whose receipt says `Written` survives `kill -9`. A batch is there as a whole or not at all.
//! - Entries can be read as soon as `append` returns, from memory. What was read and trimmed may be read again after a
//!   crash: trims are written with the next batch, or after 50 ms when none comes, and synced with the next batch that
//!   is, or after a second.
//! - An append is acknowledged after [`Gather::at_most`] and one write and sync at the latest when it comes to a quiet
//!   store; the write and sync that are under way when it comes take their time besides.
//! - What a batch answers ([`append_answers`](edge_core::MessageStore::append_answers)) leaves its queue in the same batch of
//!   the log: after a crash both have happened, or neither.
//! - Memory does not grow with what is queued: the newest entries are kept (4 MiB by default), for the rest one place
//!   in 64 KiB of log, and one byte per entry where several routes feed one queue.
//! - Nor does it grow with what was: when there are more queues than [`StoreOptions::max_queues`], empty ones are forgotten.
//!   Their accounts stay on that of a queue of their kind, such as `$c2d/forgotten queues`: sums by route and kind are
//!   exact for good.
//! - A segment file is removed as soon as every queue has passed or expired what is in it, wherever in the log it is.
//! - The files take at most `max_bytes` and one segment, at every moment. What has no room is refused, or makes room, as
//!   its target says, see [`Overflow`](edge_core::Overflow): counted and noted in
//!   the log right behind the batches that needed it, and before their senders hear of them.
//! - A full disk refuses what comes, keeps what is there, and is left behind when space returns, in order: from
//!   elsewhere, or by what is settled and expires. What left to make room for a batch stays on the disk until the batch is
//!   written. A failed
//!   sync poisons the store: nobody knows any more what is on the disk, and it says so until it is opened again.
//! - Damage is found by checksums, named, copied to the folder `damaged`, and read past. How many entries of which
//!   queue it has cost is known exactly, because offsets are dense.
//! - Nothing is done by the clock: [`MessageStore::expire`](edge_core::MessageStore::expire) tells the store the time.
//!   An entry expires when that time reaches its own `enqueued` plus time to live, both as the gateway's clock
//!   showed them; a clock that jumps ahead expires entries early by as much, one that jumps back late. What has expired
//!   stays so. Entries that are on disk only expire with the last of those around them.
//!
//! # Quotas and overflow
//! - Bytes are those of records. A queue's, and so a class's, are exact for what is in memory, and taken to be alike for those of its
//!   entries that stand in one segment; what a store holds is counted by its files.
//! - What is refused when there is no room may fill the whole quota. All else leaves free an eighth of it or four
//!   segments, whichever is more, at most half: from there dead space among what is wanted can be given back by moving
//!   at most seven bytes for each one gained. While that is under way, any batch may be refused.
//! - Only one message to be evicted is looked for at a time, from where the last one was found: the cost of an append
//!   does not grow with what waits. Among the queues of a class the one gives way whose oldest such entry stands in
//!   the oldest segment.
//! - [`KeepLatestPerKey`](edge_core::Overflow::KeepLatestPerKey) keeps an index in memory: 24 bytes for each key, and 30
//!   for each stretch of superseded entries, of the queues that ask for it, and at most 262,144 of each in a store.
//!   What is beyond stays until it is delivered. After an opening the keys of what waits are read in the background.
//!
//! # Threads
//! Calls never touch the disk. The thread `edge-store-write` owns the files: it takes what has gathered, writes it with
//! one call and makes it durable with one `fdatasync`, for all who wait. `edge-store-read` reads what is no longer in
//! memory, `edge-store-sessions` writes the session file.
//!
//! # The log on disk
//! Version 1. A directory holds `lock`, whose file lock says that a gateway is using it, `salt`, a segment header of
//! number 0 that keeps a second copy of the salt, and segments `<number as 16 hexadecimal digits>.seg` with rising
//! numbers. All numbers are little-endian, records begin at
//! multiples of 8 bytes, padding is zero.
//!
//! ```text
//! segment header, 32 bytes                    record header, 16 bytes
//!   0  8  "EDGESEG", version 1                  0  4  CRC-32 (IEEE) of the rest of the record, without padding,
//!   8  8  number of the segment                       continued from the CRC-32 of salt and number of the segment
//!  16  8  salt: a random number of the store    4  4  length of the payload
//!  24  4  1: the file was another segment       8  1  kind
//!  28  4  CRC-32 of the 28 bytes before         9  1  flags
//!                                              10  2  0x5ED6
//!                                              12  4  how many targets a message has; otherwise 0
//!
//! kind      payload
//! 1 message enqueued u64, targets × (queue u32, route u32, offset u64, expires u64), message in its stored form, or with
//!           flag 4 the length of that u32 and an LZ4 block of it
//! 2 queue   number u32, priority u8 (0 to 9, 10 for the default), 0, generation u16, head u64, next u64, endpoint
//!           UTF-8: nothing where no queue has the number; with a new generation all that was said of the number is void
//! 3 route   number u32, name UTF-8
//! 4 trim    queue u64, head u64: entries below it are not wanted any more
//! 5 hole    queue u64, from u64, to u64: these offsets are not wanted any more, as those that expired or were answered
//! 6 index   count u32, count × (queue u32, first u64, latest expiry u64, bytes u64, entries u32, points p u32,
//!           routes r u32, codes c u32, p × (entry u32, position u32), r × route u32, c × u8: which route), padding,
//!           position of this record u64, "EDGEIDX", version 1
//! 7 account queue u32, route u32, delivered u64, causes × (cause u64, entries u64): how many entries of a queue and a
//!           route have left so far, and how; of several the highest counts
//! 8 policy  queue u32, route u32, overflow policy UTF-8: what happens to the route's entries when there is no room
//!
//! flag 1: the record is the last of its batch         flag 2: all bytes before it had been synced
//! flag 4: the message is compressed
//! ```
//!
//! Times are milliseconds since 1970, the latest that can be said is never. Queue and route numbers are below 65,536.
//! The number of a route is never used for another name, that of a queue only in a new generation and with offsets above
//! all that queues had whose numbers were taken. Offsets are below 2^47. A record that says otherwise is damage, and a
//! queue whose offsets are used up refuses. A segment begins with a batch that repeats everything the log knows of queues and
//! routes, so those before it can be removed in any order; where that is much, segments are larger, so that it is a
//! sixteenth of what is written at most. A segment is synced before the next one begins, and ends with an index; the one
//! in which a process was killed gets its own when the store is opened. A new segment is begun at every opening.
//!
//! A dead segment may be renamed and become the next one, for that is quicker than a new file: what is left of it behind
//! the end of the new one never fits its checksums, and is cut off when the segment is complete.
//!
//! Reading stops at the first byte of the newest segment that is no record, and forgets a batch without its last
//! record: that is the end that was being written. But when a record further on says that all before it had been synced,
//! the bytes in between are damage, and what surrounds them counts, as it does in all other segments.
//!
//! A message of n bytes in its stored form costs n + 24 + 24 bytes for each queue, up to 7 bytes of padding, and 16 bytes in
//! 64 KiB for the index: 5 % for a message of 1 KiB that goes to one queue. Cleaning, and what is written of queues and
//! trims, comes on top: [`Usage::write_amplification`](edge_core::Usage::write_amplification) says how much it is.
//!
//! The session file is described in its own words: records of a CRC-32, a length, subscriptions as bits, and an identity,
//! of which the last one counts.

#[cfg(any(feature = "identities", feature = "twins"))]
mod database;
mod error;
pub mod fs;
mod gather;
#[cfg(feature = "identities")]
mod identities;
mod index;
mod inspect;
mod log;
mod options;
mod reader;
mod recovery;
mod sessions;
mod shared;
mod state;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "twins")]
mod twins;
mod writer;

pub use error::OpenError;
pub use gather::Gather;
#[cfg(feature = "identities")]
pub use identities::IdentityFile;
pub use inspect::{Inspection, SegmentInfo, Verification};
pub use options::StoreOptions;
pub use recovery::{Damage, Lost, Recovery};
pub use sessions::SessionFile;
pub use store::SegmentStore;
#[cfg(feature = "twins")]
pub use twins::TwinFile;
