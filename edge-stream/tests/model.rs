//! Windows beside a model that keeps every event and counts everything anew.

use std::collections::{BTreeMap, BTreeSet};

use edge_core::{Message, Source, Timestamp};
use edge_stream::{Stream, WindowSpec};
use proptest::prelude::*;

/// One event of a key, with a value in quarters.
#[derive(Clone, Debug)]
struct Event {
    key: u8,
    time: i64,
    quarters: Option<i64>,
    id: Option<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    Hopping { size: i64, hop: i64, offset: i64 },
    Sliding { size: i64 },
    Session { gap: i64, max: i64 },
}

/// Key, start, end, events, values.
type Line = (String, i64, i64, u64, Vec<Option<f64>>);

const VALUES: &str = r#"{"a": "count()", "b": "count($body.v)", "c": "sum($body.v)", "d": "avg($body.v)",
    "e": "min($body.v)", "f": "max($body.v)", "g": "percentile($body.v, 90)", "h": "stddev($body.v)"}"#;

fn spec(shape: Shape, lateness: i64) -> WindowSpec {
    let window = match shape {
        Shape::Hopping { size, hop, offset } => {
            format!(r#"{{"type":"hopping","size":"{size}ms","hop":"{hop}ms","offset":"{offset}ms"}}"#)
        }
        Shape::Sliding { size } => format!(r#"{{"type":"sliding","size":"{size}ms"}}"#),
        Shape::Session { gap, max } => format!(r#"{{"type":"session","gap":"{gap}ms","max":"{max}ms"}}"#),
    };
    let text = format!(
        r#"{{"name":"w","window":{window},"key":"$body.k","time":"$body.t","lateness":"{lateness}ms",
            "distinct":"$body.id","idle":"1h","values":{VALUES}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn message(event: &Event) -> Message {
    let value =
        event.quarters.map_or_else(|| "null".to_owned(), |quarters| (quarters as f64 / 4.0).to_string());
    let id = event.id.map_or(String::new(), |id| format!(r#","id":{id}"#));
    let body = format!(r#"{{"k":"key{}","t":{},"v":{value}{id}}}"#, event.key, event.time);
    Message::builder(&Source::telemetry()).body(body.as_bytes()).build()
}

/// An event in the model, with the watermark of its key when it came.
#[derive(Clone, Debug)]
struct Kept {
    time: i64,
    quarters: i64,
    mark: i64,
}

#[derive(Default)]
struct Key {
    mark: Option<i64>,
    kept: Vec<Kept>,
}

struct Model {
    shape: Shape,
    lateness: i64,
    keys: BTreeMap<u8, Key>,
    ids: BTreeSet<(u8, u8)>,
    late: u64,
    repeated: u64,
    errors: u64,
    out: Vec<Line>,
}

/// All windows that an event is in, given the times of all events of its key.
fn windows_of(shape: Shape, time: i64, times: &[i64]) -> Vec<(i64, i64)> {
    match shape {
        Shape::Hopping { size, hop, offset } => {
            let first = (time - size - offset).div_euclid(hop) - 1;
            (first..=first + size / hop + 3)
                .map(|n| (n * hop + offset, n * hop + offset + size))
                .filter(|(start, end)| (*start..*end).contains(&time))
                .collect()
        }
        Shape::Sliding { size } => vec![(time + 1 - size, time + 1)],
        Shape::Session { gap, max } => {
            let mut times = times.to_vec();
            times.sort_unstable();
            let mut session: Vec<i64> = Vec::new();
            for at in times {
                let same = |last: &i64| at - last < gap && at.div_euclid(max) == last.div_euclid(max);
                if !session.last().is_some_and(same) {
                    if session.contains(&time) {
                        break;
                    }
                    session.clear();
                }
                session.push(at);
            }
            let (first, last) = (session[0], session[session.len() - 1]);
            vec![(first, (last + gap).min((last.div_euclid(max) + 1) * max))]
        }
    }
}

impl Model {
    fn event(&mut self, event: &Event) {
        let Some(quarters) = event.quarters else {
            self.errors += 1;
            return;
        };
        if event.id.is_some_and(|id| !self.ids.insert((event.key, id))) {
            self.repeated += 1;
            return;
        }
        let mut key = self.keys.remove(&event.key).unwrap_or_default();
        let mark = key.mark.unwrap_or(-1_000_000);
        let mut times: Vec<i64> = key.kept.iter().map(|kept| kept.time).collect();
        times.push(event.time);
        let late = match self.shape {
            Shape::Sliding { size } => event.time + size <= mark,
            shape => windows_of(shape, event.time, &times).iter().all(|(_, end)| *end <= mark),
        };
        if late {
            self.late += 1;
        } else {
            key.kept.push(Kept { time: event.time, quarters, mark });
        }
        let new = mark.max(event.time - self.lateness);
        key.mark = Some(new);
        let times: Vec<i64> = key.kept.iter().map(|kept| kept.time).collect();
        let mut windows = BTreeSet::new();
        for kept in &key.kept {
            for (start, end) in windows_of(self.shape, kept.time, &times) {
                if kept.mark < end && (mark + 1..=new).contains(&end) {
                    windows.insert((end, start));
                }
            }
        }
        for (end, start) in windows {
            let counts = |kept: &&Kept| (start..end).contains(&kept.time) && kept.mark < end;
            let inside: Vec<&Kept> = key.kept.iter().filter(counts).collect();
            let name = format!("key{}", event.key);
            self.out.push((name, start.max(0), end, inside.len() as u64, values(&inside)));
            if matches!(self.shape, Shape::Session { .. }) {
                key.kept.retain(|kept| !(start..end).contains(&kept.time));
            }
        }
        self.keys.insert(event.key, key);
    }
}

fn values(inside: &[&Kept]) -> Vec<Option<f64>> {
    let n = inside.len();
    let mut sorted: Vec<i64> = inside.iter().map(|kept| kept.quarters).collect();
    sorted.sort_unstable();
    let sum: i128 = sorted.iter().map(|k| i128::from(*k)).sum();
    let squares: i128 = sorted.iter().map(|k| i128::from(*k) * i128::from(*k)).sum();
    let spread = squares * n as i128 - sum * sum;
    let place = 0.9 * (n - 1) as f64;
    let (below, share) = (place.floor() as usize, place.fract());
    let quarter = |k: i64| k as f64 / 4.0;
    let high = quarter(sorted[(below + 1).min(n - 1)]);
    vec![
        Some(n as f64),
        Some(n as f64),
        Some(sum as f64 / 4.0),
        Some(sum as f64 / 4.0 / n as f64),
        Some(quarter(sorted[0])),
        Some(quarter(sorted[n - 1])),
        Some(quarter(sorted[below]) * (1.0 - share) + high * share),
        (n > 1).then(|| (spread as f64 / (n * (n - 1)) as f64).sqrt() / 4.0),
    ]
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 4.0 * f64::EPSILON * a.abs().max(b.abs()),
        (a, b) => a == b,
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        (1..40i64, 0..40i64).prop_map(|(size, offset)| Shape::Hopping {
            size,
            hop: size,
            offset: offset % size
        }),
        (1..40i64, 1..40i64, 0..40i64).prop_map(|(a, b, offset)| {
            let (size, hop) = (a.max(b), a.min(b));
            Shape::Hopping { size, hop, offset: offset % hop }
        }),
        (1..40i64).prop_map(|size| Shape::Sliding { size }),
        (1..20i64, 20..100i64).prop_map(|(gap, max)| Shape::Session { gap, max }),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let value = prop_oneof![
        8 => (-1000..1000i64).prop_map(|k| Some(k + 4_000_000_000_000)),
        1 => Just(Some(0)),
        1 => Just(None),
    ];
    let id = prop_oneof![3 => Just(None), 1 => (0..40u8).prop_map(Some)];
    let event = (0..3u8, -30..30i64, value, id);
    prop::collection::vec(event, 1..120).prop_map(|all| {
        let all = all.into_iter().enumerate();
        all.map(|(n, (key, jitter, quarters, id))| Event {
            key,
            time: (3 * n as i64 + jitter).max(0),
            quarters,
            id,
        })
        .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn windows_give_what_a_model_gives(
        shape in shape(),
        lateness in 0..60i64,
        events in events(),
        restarts in prop::collection::btree_set(0..120usize, 0..4),
    ) {
        let definition = spec(shape, lateness).check().unwrap();
        let mut stream = Stream::new(definition.clone());
        let (keys, ids, out) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        let mut model = Model { shape, lateness, keys, ids, late: 0, repeated: 0, errors: 0, out };
        let now = Timestamp::from_unix_ms(1_000_000);
        let mut found: Vec<Line> = Vec::new();
        for (n, event) in events.iter().enumerate() {
            if restarts.contains(&n) {
                let snapshot = stream.snapshot();
                stream = Stream::restore(definition.clone(), &snapshot).unwrap();
                prop_assert_eq!(stream.snapshot(), snapshot);
            }
            for result in stream.message(&message(event), now, now).unwrap_or_default() {
                let values = result.values.iter().map(|(_, value)| *value).collect();
                let (start, end) = (result.start.as_unix_ms() as i64, result.end.as_unix_ms() as i64);
                found.push((result.key.to_string(), start, end, result.events, values));
            }
            model.event(event);
        }
        let counts = stream.counts();
        prop_assert_eq!((counts.late, counts.repeated, counts.errors), (model.late, model.repeated, model.errors));
        prop_assert_eq!(counts.results, model.out.len() as u64);
        prop_assert_eq!(found.len(), model.out.len());
        for (found, wanted) in found.iter().zip(&model.out) {
            prop_assert_eq!((&found.0, found.1, found.2, found.3), (&wanted.0, wanted.1, wanted.2, wanted.3));
            for (a, b) in found.4.iter().zip(&wanted.4) {
                prop_assert!(close(*a, *b), "{:?} is not {:?}", found, wanted);
            }
        }
    }
}
