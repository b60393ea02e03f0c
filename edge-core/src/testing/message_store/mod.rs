//! Conformance kit for [`MessageStore`].
//!
//! | contract | case | saboteur that fails it |
//! |---|---|---|
//! | All or nothing: … every (message, target) pair of the batch can be read | [`a_batch_can_be_read_whole`] | `ForgetsTheLastTarget` |
//! | All or nothing: … or none can | [`a_refused_batch_leaves_nothing`] | `KeepsPartOfTheRefused` |
//! | A batch that is not taken MUST be refused at once | [`a_refusal_is_immediate`] | `RefusesLate` |
//! | All or nothing: … also after a crash | [`a_crash_keeps_batches_whole`] | `TearsBatches` |
//! | What a `Receipt` says MUST be true: `Written` survives `kill -9` | [`written_survives_a_crash`] | `WritesNothing` |
//! | … `Synced` survives the loss of power | [`synced_survives_the_loss_of_power`] | `SyncsNothing` |
//! | A receipt may say more than was asked for | [`a_receipt_says_what_was_asked_for`] | `SaysLess` |
//! | Entries … MUST be readable once it has | [`entries_are_readable_once_the_receipt_resolves`] | `ShowsEntriesLate` |
//! | Offsets of one queue are dense | [`offsets_are_dense`] | `SkipsOffsets` |
//! | Offsets … never used twice: not after `trim` | [`offsets_survive_trim`] | `RestartsAfterTrim` |
//! | Offsets … never used twice: not after `remove` | [`offsets_survive_removal`] | `RestartsAfterRemoval` |
//! | Offsets … never used twice: … not after reopening | [`offsets_survive_reopening`] | `RestartsAfterReopening` |
//! | Only expiry, removal, damage, overflow … leave gaps | [`trim_beyond_the_end_leaves_no_gap`] | `TrimsTheFuture` |
//! | Entries of a queue are read in the order of the `append` calls | [`entries_keep_the_order_of_appends`] | `ReversesBatches` |
//! | Entries of a queue are read in the order …, after a crash too | [`order_survives_a_crash`] | `ReversesAfterACrash` |
//! | `trim` and what was trimmed survive reopening | [`trim_survives_closing`] | `ForgetsTrims` |
//! | … MAY fall back after a crash: the reader … never misses one | [`a_crash_loses_nothing_untrimmed`] | `TrimsAheadInACrash` |
//! | A failed sync MUST poison the store | [`a_failed_sync_poisons`] | `IgnoresAFailedSync` |
//! | Space MUST come back when every queue has trimmed | [`space_returns_after_trim`] | `HoldsTheTrimmed` |
//! | … removed | [`space_returns_after_removal`] | `HoldsTheRemoved` |
//! | … or expired | [`space_returns_after_expiry`] | `HoldsTheExpired` |
//! | The store reads no clock | [`nothing_expires_before_it_is_told`] | `ReadsAClock` |
//! | `append`, `settle`, `expire` and the states MUST NOT block on the disk | [`calls_do_not_touch_the_disk`] | `WritesInTheCall` |
//! | `append`: takes a batch, in order | [`messages_come_back_unchanged`] | `StripsProperties` |
//! | `append`: a queue comes to be by the first entry for it | [`queues_are_kept_apart`] | `IgnoresPriorities` |
//! | `read`: at and above `from` | [`a_read_starts_where_asked`] | `ReadsFromTheHead` |
//! | `read`: at most as much as the limit | [`a_read_keeps_to_its_limit`] | `IgnoresLimits` |
//! | `ReadLimit::bytes`: the first entry is returned whatever its size | [`a_large_entry_is_read_alone`] | `StarvesLargeEntries` |
//! | `read`: a queue that does not exist is an empty one | [`an_unknown_queue_is_empty`] | `ScoldsForUnknownQueues` |
//! | `trim`: forgets all entries below | [`trim_forgets_what_is_below`] | `TrimsOneTooMany` |
//! | `trim`: lower than before changes nothing | [`trim_never_goes_back`] | `TrimsBack` |
//! | `Target::time_to_live`: how long after `enqueued` the entry expires | [`an_entry_says_when_it_expires`] | `ForgetsLifetimes` |
//! | `expire`: entries that have expired at `now` | [`nothing_expires_early`] | `ExpiresEarly` |
//! | `expire`: returns those that no reader will see any more | [`what_expires_is_reported_or_readable`] | `SwallowsTheExpired` |
//! | `expire`: each reported once | [`what_expires_is_reported_once`] | `ReportsTwice` |
//! | `remove`: returns what was in it | [`removal_reports_what_was_waiting`] | `RemovesSilently` |
//! | `QueueState::waiting`: how many entries each route has waiting | [`waiting_is_counted_by_route`] | `CountsForOneRoute` |
//! | `queues`: by rising id | [`queues_are_listed_in_order`] | `ListsBackwards` |
//! | `settle`: counts as dropped or delivered | [`settling_counts_what_became_of_entries`] | `CallsAllDelivered` |
//! | `settle`: the range may lie anywhere | [`any_part_of_a_queue_can_be_settled`] | `SettlesFromTheHead` |
//! | An entry … MUST be counted once | [`an_entry_is_counted_once`] | `CountsTwice` |
//! | `count_dropped`: accepted and dropped both rise | [`what_is_not_stored_is_counted`] | `CountsOnlyWhatItStores` |
//! | accepted = delivered + stored + dropped …, after reopening | [`accounts_survive_reopening`] | `ForgetsAccounts` |
//! | What a batch answers MUST stay when the batch is refused | [`what_is_answered_stays_until_the_answer_is_taken`] | `AnswersForTheRefused` |
//! | `append_answers`: … the entries that it answers out of their queues | [`what_is_answered_leaves_with_the_answer`] | `KeepsWhatIsAnswered` |
//! | `Target::max_queue_bytes`: the most bytes that the queue may hold | [`a_full_queue_refuses`] | `IgnoresQueueLimits` |
//! | `Target::max_class_bytes`: the most bytes that all queues of the class may hold | [`a_full_class_refuses`] | `IgnoresClassLimits` |
//! | What finds no room … in its class … MUST … make others leave | [`a_class_makes_room_in_itself`] | `EvictsForAClassFromItsQueue` |
//! | What finds no room … MUST … make others leave: the oldest | [`the_oldest_make_room`] | `DropsTheNewerHalf` |
//! | … be dropped | [`the_newest_is_dropped`] | `RefusesTheNewest` |
//! | … make others leave: those with a later one of their key | [`of_each_key_the_latest_stays`] | `ForgetsKeys` |
//! | What is dropped … MUST be … told by `Receipt::dropped` | [`what_is_dropped_is_told`] | `DropsSilently` |
//! | … counted by its cause, after a crash too | [`drops_survive_a_crash`] | `ForgetsDrops` |
//! | A batch that is not taken … MUST leave nothing behind | [`nothing_leaves_for_a_refused_batch`] | `MakesRoomForTheRefused` |
//! | An entry … MUST be counted once: … overflow | [`what_made_room_is_not_settled`] | `CountsTheEvictedAgain` |
//! | Entries of a class MUST NOT leave … as long as those of a lower class may | [`lower_classes_make_room_first`] | `EvictsItsOwnClass` |
//! | … what is refused does not leave | [`what_is_refused_makes_no_room_for_others`] | `EvictsTheRefused` |
//! | `Target::durability`: as the highest of its targets asks | [`a_batch_is_as_durable_as_its_highest_target`] | `IgnoresRoutesLevels` |
//! | `close`: makes everything durable | [`closing_makes_all_durable`] | `ClosesCarelessly` |
//! | `close`: refuses all further calls | [`a_closed_store_refuses`] | `StaysOpen` |

mod accounts;
mod append;
mod durability;
mod expiry;
mod offsets;
mod overflow;
mod read;
mod sample;
mod space;

use async_trait::async_trait;

pub use accounts::{
    accounts_survive_reopening, an_entry_is_counted_once, any_part_of_a_queue_can_be_settled,
    settling_counts_what_became_of_entries, what_is_answered_leaves_with_the_answer,
    what_is_answered_stays_until_the_answer_is_taken, what_is_not_stored_is_counted,
};
pub use append::{
    a_batch_can_be_read_whole, a_refusal_is_immediate, a_refused_batch_leaves_nothing,
    entries_are_readable_once_the_receipt_resolves, entries_keep_the_order_of_appends,
    messages_come_back_unchanged, queues_are_kept_apart,
};
pub use durability::{
    a_crash_keeps_batches_whole, a_crash_loses_nothing_untrimmed, a_failed_sync_poisons,
    a_receipt_says_what_was_asked_for, calls_do_not_touch_the_disk, closing_makes_all_durable,
    offsets_survive_reopening, order_survives_a_crash, synced_survives_the_loss_of_power,
    trim_survives_closing, written_survives_a_crash,
};
pub use expiry::{
    an_entry_says_when_it_expires, nothing_expires_before_it_is_told, nothing_expires_early,
    what_expires_is_reported_once, what_expires_is_reported_or_readable,
};
pub use offsets::{
    offsets_are_dense, offsets_survive_removal, offsets_survive_trim, trim_beyond_the_end_leaves_no_gap,
    trim_forgets_what_is_below, trim_never_goes_back,
};
pub use overflow::{
    a_batch_is_as_durable_as_its_highest_target, a_class_makes_room_in_itself, a_full_class_refuses,
    a_full_queue_refuses, drops_survive_a_crash, lower_classes_make_room_first,
    nothing_leaves_for_a_refused_batch, of_each_key_the_latest_stays, the_newest_is_dropped,
    the_oldest_make_room, what_is_dropped_is_told, what_is_refused_makes_no_room_for_others,
    what_made_room_is_not_settled,
};
pub use read::{
    a_closed_store_refuses, a_large_entry_is_read_alone, a_read_keeps_to_its_limit,
    a_read_starts_where_asked, an_unknown_queue_is_empty, queues_are_listed_in_order,
    removal_reports_what_was_waiting, waiting_is_counted_by_route,
};
pub use space::{space_returns_after_expiry, space_returns_after_removal, space_returns_after_trim};

use crate::{Durability, MessageStore};

/// What a store claims, and so what the kit holds it to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The highest level that the store reaches; it may answer with less than was asked for only above this.
    pub durability: Durability,
    /// The most bytes that a store without a waiting entry may hold more than a new one does: the part of a log that
    /// is being written to, for instance. Cases write several times as much.
    pub slack_bytes: u64,
    /// Whether the store heeds [`Overflow`](crate::Overflow) policies and the byte limits of queues and classes; one that does not
    /// refuses.
    pub overflow: bool,
}

impl Capabilities {
    /// Returns what a store claims that survives nothing and gives all space back at once.
    #[must_use]
    pub const fn volatile() -> Self {
        Self::durable(Durability::Memory, 0)
    }

    /// Returns what a store claims that reaches `durability`, and keeps `slack_bytes` when it is empty.
    #[must_use]
    pub const fn durable(durability: Durability, slack_bytes: u64) -> Self {
        Self { durability, slack_bytes, overflow: false }
    }

    /// Claims that overflow policies and the limits of queues and classes are heeded.
    #[must_use]
    pub const fn with_overflow(mut self) -> Self {
        self.overflow = true;
        self
    }
}

/// How the kit gets at a store, and at what it stands on.
///
/// What a harness cannot do stays at its default; the cases that need it then check nothing and say so.
#[async_trait]
pub trait StoreHarness: Send + Sync {
    /// The store under test.
    type Store: MessageStore;

    /// Returns what the store claims.
    fn capabilities(&self) -> Capabilities;

    /// Returns an empty store.
    async fn open(&self) -> Self::Store;

    /// Kills the store's process, and returns what comes back; `None` when the store claims to survive nothing.
    ///
    /// What was not handed to the operating system when this is called is gone. The store may have been closed before:
    /// then this is an ordinary reopening. A store that claims [`Durability::Written`] or more MUST come back.
    async fn crash(&self, store: Self::Store) -> Option<Self::Store>;

    /// Cuts the power, and returns what comes back; `None` when the harness cannot.
    ///
    /// What was not synced when this is called is gone.
    async fn power_loss(&self, _store: Self::Store) -> Option<Self::Store> {
        None
    }

    /// Returns an empty store that takes at most `limit_bytes`; `None` when the store has no limit.
    async fn open_limited(&self, _limit_bytes: u64) -> Option<Self::Store> {
        None
    }

    /// Makes every sync from now on fail; returns whether it can.
    async fn fail_syncs(&self, _store: &Self::Store) -> bool {
        false
    }

    /// Makes every disk operation on the calling thread panic, and those on other threads wait, until
    /// [`StoreHarness::allow_disk`]; returns whether it can.
    fn forbid_disk(&self, _store: &Self::Store) -> bool {
        false
    }

    /// Ends what [`StoreHarness::forbid_disk`] began.
    fn allow_disk(&self, _store: &Self::Store) {}

    /// Waits until the store has nothing left to do in the background, such as giving space back.
    async fn settle(&self, _store: &Self::Store) {}
}

/// Makes one test of each case of the [store kit](crate::testing::message_store); the argument makes a harness.
#[macro_export]
macro_rules! message_store_conformance {
    ($harness:expr) => {
        $crate::__message_store_cases! { __kit_tests! [$harness] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __message_store_cases {
    ($then:ident! $args:tt) => {
        $crate::$then! { $args message_store:
            a_batch_can_be_read_whole,
            a_refused_batch_leaves_nothing,
            a_refusal_is_immediate,
            a_crash_keeps_batches_whole,
            written_survives_a_crash,
            synced_survives_the_loss_of_power,
            a_receipt_says_what_was_asked_for,
            entries_are_readable_once_the_receipt_resolves,
            offsets_are_dense,
            offsets_survive_trim,
            offsets_survive_removal,
            offsets_survive_reopening,
            trim_beyond_the_end_leaves_no_gap,
            entries_keep_the_order_of_appends,
            order_survives_a_crash,
            trim_survives_closing,
            a_crash_loses_nothing_untrimmed,
            a_failed_sync_poisons,
            space_returns_after_trim,
            space_returns_after_removal,
            space_returns_after_expiry,
            nothing_expires_before_it_is_told,
            calls_do_not_touch_the_disk,
            messages_come_back_unchanged,
            queues_are_kept_apart,
            a_read_starts_where_asked,
            a_read_keeps_to_its_limit,
            a_large_entry_is_read_alone,
            an_unknown_queue_is_empty,
            trim_forgets_what_is_below,
            trim_never_goes_back,
            an_entry_says_when_it_expires,
            nothing_expires_early,
            what_expires_is_reported_or_readable,
            what_expires_is_reported_once,
            removal_reports_what_was_waiting,
            waiting_is_counted_by_route,
            queues_are_listed_in_order,
            settling_counts_what_became_of_entries,
            any_part_of_a_queue_can_be_settled,
            an_entry_is_counted_once,
            what_is_not_stored_is_counted,
            accounts_survive_reopening,
            what_is_answered_stays_until_the_answer_is_taken,
            what_is_answered_leaves_with_the_answer,
            a_full_queue_refuses,
            a_full_class_refuses,
            a_class_makes_room_in_itself,
            the_oldest_make_room,
            the_newest_is_dropped,
            of_each_key_the_latest_stays,
            what_is_dropped_is_told,
            drops_survive_a_crash,
            nothing_leaves_for_a_refused_batch,
            what_made_room_is_not_settled,
            lower_classes_make_room_first,
            what_is_refused_makes_no_room_for_others,
            a_batch_is_as_durable_as_its_highest_target,
            closing_makes_all_durable,
            a_closed_store_refuses,
        }
    };
}

__message_store_cases! { __kit_index! [StoreHarness] }
