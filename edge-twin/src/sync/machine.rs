//! The machine.

use std::collections::VecDeque;
use std::time::Instant;

use edge_core::Timestamp;

use super::edits::{self, Edit};
use super::{EditPolicy, Now, Provenance, SyncAnswer, SyncOptions, SyncOutput};
use crate::{LimitError, Map, Patch, Section};

/// Keeps one twin in step with its parent, see the [module](super).
///
/// After each call, take all outputs with [`TwinSync::poll_output`], and keep [`TwinSync::snapshot`] where it survives a
/// restart before anybody is told that a change was taken.
///
/// # Examples
/// ```
/// use std::time::{Duration, Instant};
/// use edge_core::Timestamp;
/// use edge_twin::sync::{Now, SyncAnswer, SyncOptions, SyncOutput, TwinSync};
/// use edge_twin::{Limits, Map, Patch};
///
/// let start = Instant::now();
/// let at = |seconds| Now::new(start + Duration::from_secs(seconds), Timestamp::from_unix_ms(1000 * seconds));
/// let mut sync = TwinSync::new(SyncOptions::default(), at(0));
///
/// // The device reports while the parent is away.
/// let patch = Patch::parse(br#"{"rpm": 880}"#, &Limits::default())?;
/// sync.handle_reported(at(1), &patch)?;
/// assert_eq!(sync.poll_output(), None);
///
/// // The parent is there: its twin is read, then it is told.
/// sync.handle_connected(at(2));
/// let Some(SyncOutput::Read { request }) = sync.poll_output() else { panic!("it reads") };
/// let (desired, reported) = (Map::new(), Map::new());
/// sync.handle_answer(at(3), request, SyncAnswer::Twin { desired, desired_version: 1, reported, reported_version: 1 });
/// let Some(SyncOutput::Report { patch, .. }) = sync.poll_output() else { panic!("it reports") };
/// assert_eq!(patch.to_json(), r#"{"rpm":880}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TwinSync {
    options: SyncOptions,
    pub(super) state: State,
    /// What the parent is known to have of the reported properties, and their version there.
    theirs: Option<(Map, u64)>,
    connected: bool,
    /// Whether the parent's twin has to be read.
    read_wanted: bool,
    /// Nothing is sent before this time.
    quiet_until: Option<Instant>,
    refresh_at: Option<Instant>,
    on_its_way: Option<OnItsWay>,
    /// Since when a reported change waits.
    changed_since: Option<Instant>,
    /// The reported properties that the parent will never take.
    refused: Option<Section>,
    /// The latest version of the parent's desired properties that was heard of on this connection.
    heard_of: u64,
    last_request: u64,
    outputs: VecDeque<SyncOutput>,
}

/// What survives a restart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    /// The parent's desired properties, and their version there; version 0 before they were ever read.
    pub(super) parent: Section,
    pub(super) edits: Vec<Edit>,
    /// The version that the device was told last.
    pub(super) told: u64,
    pub(super) reported: Section,
    /// What was reported before the parent's twin was read for the first time.
    pub(super) early: Option<Patch>,
}

#[derive(Debug)]
struct OnItsWay {
    request: u64,
    deadline: Instant,
    /// What the parent will have when a report is taken; `None` for a read.
    reports: Option<Map>,
}

impl TwinSync {
    /// Returns a machine without a memory: it takes over what the parent has when they first meet.
    #[must_use]
    pub fn new(options: SyncOptions, now: Now) -> Self {
        let empty = Map::new();
        let state = State {
            parent: Section::with_version(&empty, 0, now.wall),
            edits: Vec::new(),
            told: 0,
            reported: Section::new(now.wall),
            early: Some(Patch::default()),
        };
        Self::with_state(options, state)
    }

    pub(super) fn with_state(options: SyncOptions, state: State) -> Self {
        Self {
            options,
            state,
            theirs: None,
            connected: false,
            read_wanted: true,
            quiet_until: None,
            refresh_at: None,
            on_its_way: None,
            changed_since: None,
            refused: None,
            heard_of: 0,
            last_request: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Returns the reported properties as they are here.
    #[must_use]
    pub fn reported(&self) -> &Section {
        &self.state.reported
    }

    /// Returns the desired properties as the device should see them: the parent's, with the edits laid over them.
    #[must_use]
    pub fn desired(&self) -> Map {
        let mut desired = self.state.parent.to_map();
        edits::lay_over(&mut desired, &self.state.edits);
        desired
    }

    /// Returns the version of the desired properties that the device was told last.
    #[must_use]
    pub fn desired_version(&self) -> u64 {
        self.state.told
    }

    /// Returns the parent's desired properties, without edits.
    #[must_use]
    pub fn parent_desired(&self) -> &Section {
        &self.state.parent
    }

    /// Returns where the desired property that the keys lead to comes from.
    #[must_use]
    pub fn provenance(&self, path: &[&str]) -> Provenance {
        let leads = |edit: &&Edit| edit.path.iter().zip(path).all(|(key, wanted)| **key == **wanted);
        if let Some(edit) = self.state.edits.iter().rev().find(leads) {
            return Provenance::Local { at: edit.at, policy: edit.policy };
        }
        let seen = self.state.parent.updated_at(path.iter().copied());
        Provenance::Parent {
            version: seen.map_or_else(|| self.state.parent.version(), |(_, version)| version),
        }
    }

    /// Returns whether both sides are known to be the same.
    #[must_use]
    pub fn is_in_step(&self) -> bool {
        let same = |(theirs, _): &(Map, u64)| *theirs == self.state.reported.to_map();
        self.connected
            && !self.read_wanted
            && self.on_its_way.is_none()
            && self.theirs.as_ref().is_some_and(same)
    }

    /// The parent can be asked now.
    pub fn handle_connected(&mut self, now: Now) {
        self.connected = true;
        self.read_wanted = true;
        self.heard_of = 0;
        self.on_its_way = None;
        self.quiet_until = None;
        self.refused = None;
        self.advance(now);
    }

    /// The parent cannot be asked any more; nobody knows what became of what was on its way.
    pub fn handle_disconnected(&mut self, _now: Now) {
        self.connected = false;
        self.on_its_way = None;
        self.theirs = None;
        self.outputs.retain(|output| matches!(output, SyncOutput::Desired { .. }));
    }

    /// The device reports.
    ///
    /// # Errors
    /// [`LimitError`] when the document would be too large; then nothing has changed.
    pub fn handle_reported(&mut self, now: Now, patch: &Patch) -> Result<(), LimitError> {
        self.state.reported = self.state.reported.apply(patch, &self.options.limits, now.wall)?;
        if let Some(early) = &mut self.state.early {
            *early = std::mem::take(early).then(patch);
            // Deletions alone would let it grow for ever.
            if early.to_json().len() > 4 * self.options.limits.document_bytes {
                self.state.early = None;
            }
        }
        self.changed_since.get_or_insert(now.instant);
        self.advance(now);
        Ok(())
    }

    /// Somebody here edits desired properties.
    pub fn handle_edit(&mut self, now: Now, patch: &Patch, policy: EditPolicy) {
        let before = self.desired();
        edits::add(&mut self.state.edits, patch.members(), now.wall, policy);
        self.tell(&before);
        self.advance(now);
    }

    /// Somebody here takes all edits at and below a path back.
    pub fn handle_edit_taken_back(&mut self, now: Now, path: &[&str]) {
        let before = self.desired();
        let is_below = |edit: &Edit| {
            edit.path.len() >= path.len() && edit.path.iter().zip(path).all(|(key, wanted)| **key == **wanted)
        };
        self.state.edits.retain(|edit| !is_below(edit));
        self.tell(&before);
        self.advance(now);
    }

    /// The parent tells of a change of desired properties.
    pub fn handle_desired(&mut self, now: Now, version: u64, patch: &Patch) {
        self.heard_of = self.heard_of.max(version);
        let here = self.state.parent.version();
        if here != 0 && version == here.saturating_add(1) {
            let mut desired = self.state.parent.to_map();
            crate::merge::merge_members(&mut desired, patch.members(), crate::Nulls::Purge);
            self.take(now.wall, desired, version, patch.members());
        } else if version > here {
            self.read_wanted = true;
        }
        self.advance(now);
    }

    /// The parent answers a request; an answer that nobody waits for any more is ignored.
    pub fn handle_answer(&mut self, now: Now, request: u64, answer: SyncAnswer) {
        let Some(asked) = self.on_its_way.take_if(|asked| asked.request == request) else { return };
        match (answer, asked.reports) {
            (SyncAnswer::Twin { desired, desired_version, reported, reported_version }, None) => {
                self.read_wanted = desired_version < self.heard_of;
                self.refresh_at = Some(now.instant + self.options.refresh_after);
                if desired_version < self.heard_of.min(self.state.parent.version()) {
                    // A change that was told meanwhile has overtaken the answer. The next one counts whatever it says:
                    // the twin may be a new one.
                    self.heard_of = 0;
                } else {
                    let change = crate::merge::diff_members(&self.state.parent.to_map(), &desired);
                    self.take(now.wall, desired, desired_version, &change);
                }
                self.meet(now, &reported);
                self.theirs = Some((reported, reported_version));
            }
            (SyncAnswer::Reported { version }, Some(reports)) => {
                let known = self.theirs.as_ref().map_or(0, |(_, version)| *version);
                // Another version than the next one means that somebody else has reported.
                self.read_wanted |= version != known.saturating_add(1);
                self.theirs = Some((reports, version));
            }
            (SyncAnswer::Refused, Some(_)) => {
                self.refused = Some(self.state.reported.clone());
                self.outputs.push_back(SyncOutput::Refused);
            }
            (SyncAnswer::Conflict, _) => {
                self.read_wanted = true;
                self.quiet_until = Some(now.instant + self.options.gather);
            }
            _ => {
                self.read_wanted = true;
                self.quiet_until = Some(now.instant + self.options.retry_after);
            }
        }
        self.advance(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.on_its_way.take_if(|asked| asked.deadline <= now.instant).is_some() {
            self.read_wanted = true;
            self.theirs = None;
        }
        if self.refresh_at.is_some_and(|at| at <= now.instant) {
            self.refresh_at = None;
            self.read_wanted = true;
        }
        self.advance(now);
    }

    /// Returns when [`TwinSync::handle_timeout`] wants to be called; `None` when nothing is waited for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.connected {
            return None;
        }
        if let Some(asked) = &self.on_its_way {
            return Some(asked.deadline);
        }
        let send = self.next_send();
        send.into_iter().chain(self.refresh_at).min()
    }

    /// Returns the next thing to do, `None` when there is nothing for now.
    pub fn poll_output(&mut self) -> Option<SyncOutput> {
        self.outputs.pop_front()
    }

    /// Takes what the parent says of desired properties.
    fn take(&mut self, wall: Timestamp, desired: Map, version: u64, change: &Map) {
        let before = self.desired();
        edits::give_way(&mut self.state.edits, change, wall);
        let parent = &self.state.parent;
        self.state.parent = parent.follow(&Patch::between(&parent.to_map(), &desired), version, wall);
        self.tell(&before);
    }

    /// Tells the device what has changed of what it sees.
    fn tell(&mut self, before: &Map) {
        let patch = Patch::between(before, &self.desired());
        if patch.is_empty() {
            return;
        }
        self.state.told = self.state.parent.version().max(self.state.told.saturating_add(1));
        self.outputs.push_back(SyncOutput::Desired { patch, version: self.state.told });
    }

    /// Takes over what the parent has of reported properties, when this side has just begun.
    fn meet(&mut self, now: Now, reported: &Map) {
        let Some(early) = self.state.early.take() else { return };
        let version = self.state.reported.version();
        let theirs = Section::with_version(reported, version, now.wall);
        // Where both together are too much, what the device said itself counts.
        if let Ok(both) = theirs.apply(&early, &self.options.limits, now.wall) {
            self.state.reported = both;
        }
    }

    /// Returns when something can be sent; `None` when there is nothing.
    fn next_send(&self) -> Option<Instant> {
        if self.read_wanted {
            return self.quiet_until;
        }
        let gathered = self.changed_since? + self.options.gather;
        Some(self.quiet_until.map_or(gathered, |quiet| gathered.max(quiet)))
    }

    /// Sends what is due.
    fn advance(&mut self, now: Now) {
        if self.quiet_until.is_some_and(|until| until <= now.instant) {
            self.quiet_until = None;
        }
        if !self.connected || self.on_its_way.is_some() || self.quiet_until.is_some() {
            return;
        }
        let Some((theirs, over)) = self.theirs.as_ref().filter(|_| !self.read_wanted) else {
            self.read_wanted = false;
            let request = self.send(now, None);
            self.outputs.push_back(SyncOutput::Read { request });
            return;
        };
        let reported = self.state.reported.to_map();
        if *theirs == reported || self.refused.as_ref() == Some(&self.state.reported) {
            self.changed_since = None;
            return;
        }
        let gathered = |since| now.instant.saturating_duration_since(since) >= self.options.gather;
        if !self.changed_since.is_none_or(gathered) {
            return;
        }
        self.changed_since = None;
        let (patch, reports) = part(theirs, reported, self.options.limits.document_bytes);
        let over = *over;
        let request = self.send(now, Some(reports));
        self.outputs.push_back(SyncOutput::Report { request, patch, over });
    }

    fn send(&mut self, now: Now, reports: Option<Map>) -> u64 {
        self.last_request += 1;
        let deadline = now.instant + self.options.answer_within;
        self.on_its_way = Some(OnItsWay { request: self.last_request, deadline, reports });
        self.last_request
    }
}

/// Returns the patch that leads from `theirs` to `ours`, and what it leads to: a part of the way when all of it is too
/// large for one patch.
fn part(theirs: &Map, ours: Map, max_bytes: usize) -> (Patch, Map) {
    let whole = Patch::between(theirs, &ours);
    if whole.to_json().len() <= max_bytes {
        return (whole, ours);
    }
    let mut step = theirs.clone();
    let mut bytes = 2;
    // What is removed goes first: that makes room.
    let (removed, set): (Vec<_>, Vec<_>) =
        whole.members().iter().partition(|(_, value)| matches!(value, crate::Value::Null));
    for (key, value) in removed.into_iter().chain(set) {
        bytes += crate::json::string_len(key) + crate::json::len(value) + 2;
        if bytes > max_bytes && step != *theirs {
            break;
        }
        match ours.get(key) {
            Some(value) => step.insert(key.clone(), value.clone()),
            None => step.remove(key),
        };
    }
    (Patch::between(theirs, &step), step)
}
