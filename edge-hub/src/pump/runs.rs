//! What became of the entries of a batch, as the store is told.

use std::ops::Range;

use edge_core::{DropCause, Offset};

/// What became of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its endpoint has it.
    Delivered,
    /// It is given up.
    Dropped(DropCause),
    /// It stays, and is sent again.
    Again,
}

/// Offsets in a row that leave their queue, and those of them that are dropped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) offsets: Range<Offset>,
    pub(crate) dropped: Vec<(Offset, DropCause)>,
}

/// Returns the runs of entries that leave; `fates` is by rising offset.
///
/// A run has no gap: what lies between two entries of a batch may wait for its turn.
pub(crate) fn runs(fates: &[(Offset, Fate)]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for &(offset, fate) in fates {
        let dropped = match fate {
            Fate::Again => continue,
            Fate::Delivered => None,
            Fate::Dropped(cause) => Some((offset, cause)),
        };
        match runs.last_mut() {
            Some(run) if run.offsets.end == offset => {
                run.offsets.end += 1;
                run.dropped.extend(dropped);
            }
            _ => runs.push(Run { offsets: offset..offset + 1, dropped: dropped.into_iter().collect() }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_and_what_is_between_is_left_alone() {
        let gone = Fate::Dropped(DropCause::Expired);
        let fates =
            [(1, Fate::Delivered), (2, gone), (3, Fate::Again), (4, Fate::Delivered), (7, Fate::Delivered)];
        let expected = [
            Run { offsets: 1..3, dropped: vec![(2, DropCause::Expired)] },
            Run { offsets: 4..5, dropped: Vec::new() },
            Run { offsets: 7..8, dropped: Vec::new() },
        ];
        assert_eq!(runs(&fates), expected);
    }
}
