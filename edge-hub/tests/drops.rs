//! What is dropped is counted by cause and route, and logged, though not for each message.
#![allow(missing_docs, reason = "a test")]

mod support;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use edge_core::{Account, EndpointId, MemoryStore, MessageStore, Overflow, Priority, QueueId};
use edge_hub::{DropCause, Hub, Outgoing, Policies, RoutePolicy, RouteSpec};
use support::{ALL, Faulty, Link, Mode, Sabotage, VirtualClock, builder, pass, send};
use tracing::field::{Field, Visit};

/// The lines that tell of drops.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        if text.0.contains("dropped") {
            self.0.lock().unwrap().push(text.0);
        }
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

impl Lines {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Returns what a line says of a field.
fn field(line: &str, name: &str) -> u64 {
    let (_, rest) = line.split_once(&format!("{name}=")).unwrap_or_else(|| panic!("no {name} in {line}"));
    rest.split(' ').next().unwrap().parse().unwrap()
}

/// Returns a hub whose upstream is away, with little room, and its store.
fn hub(clock: &Arc<VirtualClock>, routes: &[RouteSpec], policies: Policies) -> (Hub, Arc<Faulty>) {
    let store = Faulty::over(MemoryStore::with_limit(30_000));
    let link = Arc::new(Link::new("$upstream", Mode::Down));
    let builder = builder(&store, clock, &link).policies(policies).routes(routes.to_vec());
    (builder.build().unwrap(), store)
}

fn everything(overflow: Overflow) -> Policies {
    Policies::new(RoutePolicy::new().overflow(overflow))
}

#[tokio::test(start_paused = true)]
async fn drops_are_logged_by_cause_and_at_a_bounded_rate() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    for (overflow, cause) in [
        ("drop-oldest", "overflow_oldest"),
        ("drop-newest", "overflow_newest"),
        ("keep-latest-per-key:device", "superseded"),
    ] {
        let clock = Arc::new(VirtualClock::new());
        let policies = everything(overflow.parse().unwrap());
        let (hub, _store) = hub(&clock, &[RouteSpec::new("all", ALL)], policies);
        let (handle, client) = (hub.handle(), hub.client("d1".parse().unwrap()).unwrap());
        let running = hub.start();
        let (seconds, each) = (60, 20);
        for second in 0..seconds {
            for number in 0..each {
                send(&client, second * each + number, 200).await.unwrap();
            }
            pass(Duration::from_secs(1)).await;
        }
        let told = lines.take();
        let dropped = handle.ledger().total.dropped_total();
        assert!(dropped > 500, "{overflow}: {dropped} are dropped");
        assert!((5..=7).contains(&told.len()), "a line in ten seconds for {overflow}: {told:#?}");
        for line in &told {
            assert!(line.contains("queue=$upstream@default") && line.contains("route=all"), "{line}");
            assert!(line.contains(&format!("cause=\"{cause}\"")), "{line}");
        }
        // One message was dropped at a time, so each line, shown or held back, stands for one.
        let stood_for: u64 = told.iter().map(|line| field(line, "entries") + field(line, "more")).sum();
        let unsaid = dropped - stood_for;
        assert!(unsaid < 10 * each, "{unsaid} of {dropped} drops were neither told nor held back");
        let metrics = handle.metrics();
        let of_route = format!("route=\"all\",state=\"dropped_{cause}\"}} {dropped}\n");
        assert!(metrics.contains(&of_route), "no {of_route} in {metrics}");
        let by_cause = metrics.lines().filter(|line| line.starts_with("edgehub_messages_dropped_total{"));
        assert!(by_cause.clone().any(|line| line.contains(&format!("reason=\"{cause}\""))), "{metrics}");
        running.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_makes_room_for_a_higher_class_is_counted_and_missed_without_its_counter() {
    let clock = Arc::new(VirtualClock::new());
    let alarms = "FROM /messages/* WHERE is_defined(alarm) INTO $upstream";
    let readings = "FROM /messages/* WHERE NOT is_defined(alarm) INTO $upstream";
    let mut alarms = RouteSpec::new("alarms", alarms);
    alarms.priority = Some(0);
    let policies = everything(Overflow::DropOldest)
        .class(Priority::new(0).unwrap(), RoutePolicy::new().overflow(Overflow::DropLowestPriority));
    let (hub, store) = hub(&clock, &[alarms, RouteSpec::new("readings", readings)], policies);
    let (handle, client) = (hub.handle(), hub.client("d1".parse().unwrap()).unwrap());
    let running = hub.start();
    for number in 0..200 {
        send(&client, number, 200).await.unwrap();
    }
    for number in 0..20_u64 {
        let alarm = Outgoing::new([&number.to_le_bytes()[..], &[0; 192]].concat()).property("alarm", "1");
        client.send(alarm).await.unwrap();
    }
    let ledger = handle.ledger();
    let of_readings = ledger.routes["readings"];
    let of_alarms = ledger.routes["alarms"];
    assert!(of_readings.dropped_for(DropCause::OverflowOldest) > 0, "{of_readings:?}");
    assert!(of_readings.dropped_for(DropCause::OverflowLowestPriority) >= 20, "{of_readings:?}");
    assert_eq!((of_alarms.stored, of_alarms.dropped_total()), (20, 0), "{of_alarms:?}");
    assert_eq!((ledger.total.residual(), of_readings.residual()), (0, 0));
    for cause in [DropCause::OverflowOldest, DropCause::OverflowLowestPriority] {
        *store.sabotage.lock().unwrap() = Some(Sabotage::Dropped(cause));
        assert_ne!(handle.ledger().total.residual(), 0, "{} is not missed", cause.name());
    }
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_cause_has_a_counter_of_its_own_that_is_missed() {
    for &cause in DropCause::ALL {
        let clock = Arc::new(VirtualClock::new());
        let (hub, store) = hub(&clock, &[RouteSpec::new("all", ALL)], everything(Overflow::Refuse));
        let handle = hub.handle();
        let queue = QueueId::new(EndpointId::upstream(), Priority::DEFAULT);
        let before: Vec<Account> = store.accounts();
        assert_eq!(before, [], "nothing is counted yet");
        store.count_dropped(&queue, &"all".parse().unwrap(), cause, 3).unwrap();
        let line = handle.ledger().routes["all"];
        let others: u64 = DropCause::ALL.iter().filter(|c| **c != cause).map(|&c| line.dropped_for(c)).sum();
        assert_eq!((line.dropped_for(cause), others, line.residual()), (3, 0, 0), "{}", cause.name());
        let sample = format!("route=\"all\",state=\"dropped_{}\"}} 3\n", cause.name());
        assert!(handle.metrics().contains(&sample), "no {sample} in {}", handle.metrics());
        *store.sabotage.lock().unwrap() = Some(Sabotage::Dropped(cause));
        assert_eq!(handle.ledger().total.residual(), 3, "{} is not missed", cause.name());
    }
}
