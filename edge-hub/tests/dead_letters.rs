//! Dead letters: read with their reason, given back, and in no case lost.
#![allow(missing_docs, reason = "a test")]

mod support;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use edge_core::{EndpointId, MemoryStore};
use edge_hub::{DeadLetterPlace, DropCause};
use support::{ALL, Faulty, Link, Mode, VirtualClock, builder, send, until};

#[tokio::test(start_paused = true)]
async fn they_are_read_page_by_page_and_given_back() {
    let (store, clock) = (Faulty::over(MemoryStore::new()), Arc::new(VirtualClock::new()));
    let link = Arc::new(Link::new("$upstream", Mode::RejectOdd));
    let hub = builder(&store, &clock, &link).route("all", ALL).build().unwrap();
    let client = hub.client("d".parse().unwrap()).unwrap();
    let handle = hub.handle();
    let running = hub.start();
    for n in 0..20 {
        send(&client, n, 8).await.unwrap();
    }
    until(|| handle.ledger().total.dropped_for(DropCause::Refused) == 10).await;
    let upstream = EndpointId::upstream();
    let (mut numbers, mut place) = (Vec::new(), Some(DeadLetterPlace::default()));
    while let Some(from) = place {
        let page = handle.dead_letters(&upstream, from, NonZeroUsize::new(3).unwrap()).await.unwrap();
        assert!(page.letters.len() <= 3);
        for letter in &page.letters {
            assert_eq!((letter.reason.as_str(), letter.route.as_str()), ("odd", "all"));
            assert!(letter.message.properties().value("edge-dead-letter-reason").is_none());
            numbers.push(u64::from_le_bytes(letter.message.body().try_into().unwrap()));
        }
        place = page.next;
    }
    assert_eq!(numbers, (0..20).filter(|n| n % 2 == 1).collect::<Vec<_>>());
    assert_eq!(handle.ledger().dead_letters.stored, 10);

    store.refuses.store(true, Ordering::Relaxed);
    handle.replay_dead_letters(&upstream).await.unwrap_err();
    assert_eq!(handle.ledger().dead_letters.stored, 10, "what cannot be given back stays");
    store.refuses.store(false, Ordering::Relaxed);
    link.set(Mode::Accept);
    assert_eq!(handle.replay_dead_letters(&upstream).await.unwrap(), 10);
    until(|| link.count() == 20).await;
    assert_eq!(handle.replay_dead_letters(&upstream).await.unwrap(), 0);
    let ledger = running.stop().await.unwrap().ledger;
    assert_eq!((ledger.total.accepted, ledger.total.delivered, ledger.total.residual()), (30, 20, 0));
    assert_eq!((ledger.dead_letters.stored, ledger.dead_letters.delivered), (0, 10));
}
