//! Opening a journal of subscriptions that is damaged, torn or made up.

use std::sync::Arc;

use edge_core::{Feed, FeedSet, Identity, SessionStore};
use edge_store::SessionFile;
use edge_store::testing::CrashFs;

use crate::wait::wait;

/// Opens a journal over the input, adds to it, and opens it again.
///
/// # Panics
/// Panics when something does not hold.
pub fn session_file(data: &[u8]) {
    let disk = CrashFs::new();
    let open = || SessionFile::open_on(Arc::new(disk.clone()), "store").expect("damage is no error");
    disk.put("store/sessions.log", data);
    let file = open();
    let mut found = file.all();
    assert!(found.len() <= data.len() / 9, "an entry has nine bytes or more");
    assert!(file.damaged_bytes() <= data.len() as u64);
    for (identity, feeds) in &found {
        assert!(!feeds.is_empty());
        assert_eq!(file.load(identity), *feeds);
    }
    let added: Identity = "added/here".parse().expect("it is an identity");
    let feeds = FeedSet::from(Feed::Inputs).with(Feed::Methods);
    wait(file.save(&added, feeds)).expect("the disk is sound");
    drop(file);
    let file = open();
    assert_eq!(file.damaged_bytes(), 0, "what was damaged was left out");
    found.retain(|(identity, _)| *identity != added);
    found.push((added, feeds));
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut now = file.all();
    now.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert_eq!(now, found);
}
