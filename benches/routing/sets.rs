//! Route sets of growing size, one condition from bytes, and the limits they are measured against.

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use edge_routing::{CompileOptions, Fields, Matches, RouteSpec, Router, Sample};

/// Four routes to a value: an equality on a property and a range on a number.
fn specs(routes: usize) -> Vec<RouteSpec> {
    (0..routes)
        .map(|at| {
            let (sensor, limit) = (at / 4, (at % 4) * 10);
            RouteSpec::new(
                format!("r{at}"),
                format!(
                    "FROM /messages/* WHERE sensor = 'k{sensor}' AND as_number(temperature) > {limit} \
                     INTO BrokeredEndpoint(\"/modules/m{}/inputs/i\")",
                    at % 16
                ),
            )
        })
        .collect()
}

fn router(specs: &[RouteSpec]) -> Router {
    match Router::compile(specs, &CompileOptions::new()) {
        Ok(compiled) => compiled.router,
        Err(errors) => panic!("{errors}"),
    }
}

/// What a programmer would write by hand for [`specs`]: a table by sensor, thresholds sorted.
struct ByHand {
    table: HashMap<String, Vec<(f64, usize)>, foldhash::fast::RandomState>,
}

impl ByHand {
    fn new(routes: usize) -> Self {
        let mut table: HashMap<String, Vec<(f64, usize)>, _> = HashMap::default();
        for at in 0..routes {
            table.entry(format!("k{}", at / 4)).or_default().push(((at % 4) as f64 * 10.0, at));
        }
        Self { table }
    }

    fn route(&self, message: &Sample, found: &mut Vec<usize>) {
        found.clear();
        let Some(Some(sensor)) = message.property("sensor") else { return };
        let Some(thresholds) = self.table.get(sensor) else { return };
        let Some(Some(temperature)) = message.property("temperature") else { return };
        let Ok(temperature) = temperature.parse::<f64>() else { return };
        found.extend(thresholds.iter().take_while(|(limit, _)| *limit < temperature).map(|(_, at)| *at));
    }
}

fn message(sensor: usize) -> Sample {
    Sample::new("/messages/modules/filter/outputs/o")
        .with_property("sensor", Some(&format!("k{sensor}")))
        .with_property("temperature", Some("25.5"))
        .with_property("unit", Some("C"))
        .with_json(
            br#"{"machine": {"status": "warning", "id": 17}, "ambient": {"temperature": 21.3, "humidity": 24}}"#.to_vec(),
        )
}

/// Routes per message by the size of the set; three of four thresholds match.
fn sizes(c: &mut Criterion) {
    let mut group = c.benchmark_group("route_set");
    group.throughput(Throughput::Elements(1));
    for routes in [10, 100, 1_000, 10_000, 100_000] {
        let specs = specs(routes);
        let router = router(&specs);
        let hand = ByHand::new(routes);
        let messages: Vec<Sample> = (0..64).map(|at| message(at * 31 % (routes / 4).max(1))).collect();
        let mut matches = Matches::new();
        group.bench_function(BenchmarkId::new("router", routes), |b| {
            let mut next = messages.iter().cycle();
            b.iter(|| router.route(next.next().expect("endless"), black_box(&mut matches)));
        });
        group.bench_function(BenchmarkId::new("by_hand", routes), |b| {
            let mut next = messages.iter().cycle();
            let mut found = Vec::new();
            b.iter(|| hand.route(next.next().expect("endless"), black_box(&mut found)));
        });
        if routes <= 10_000 {
            group.bench_function(BenchmarkId::new("one_by_one", routes), |b| {
                let mut next = messages.iter().cycle();
                b.iter(|| router.route_naively(next.next().expect("endless"), black_box(&mut matches)));
            });
        }
    }
    group.finish();
}

/// A property and a body member, from the bytes of a message.
fn condition(c: &mut Criterion) {
    let mut group = c.benchmark_group("condition_from_bytes");
    let text = "as_number(temperature) > 30 AND $body.machine.status = 'warning'";
    let router = router(&[RouteSpec::new("r", format!("FROM /messages/* WHERE {text} INTO $upstream"))]);
    let body = padded(256);
    let message = Sample::new("/messages").with_property("temperature", Some("31.5")).with_json(body);
    let mut matches = Matches::new();
    group.bench_function("router", |b| b.iter(|| router.route(black_box(&message), &mut matches)));
    group.bench_function("by_hand_lazy", |b| b.iter(|| by_hand(black_box(&message))));
    group.finish();
}

/// The limit: a closure that takes the member lazily from the bytes.
fn by_hand(message: &Sample) -> bool {
    let temperature = message.property("temperature").flatten().and_then(|text| text.parse::<f64>().ok());
    if temperature.is_none_or(|value| value <= 30.0) {
        return false;
    }
    let status = sonic_rs::get(message.body(), &["machine", "status"]);
    status.is_ok_and(|value| sonic_rs::JsonValueTrait::as_str(&value) == Some("warning"))
}

fn padded(bytes: usize) -> Vec<u8> {
    let mut text = String::from(
        r#"{"id": 17, "ambient": {"temperature": 21.3, "humidity": 24}, "machine": {"status": "warning"}, "pad": ""#,
    );
    while text.len() < bytes - 2 {
        text.push('x');
    }
    text.push_str("\"}");
    text.into_bytes()
}

/// A thousand routes, each with a path of its own: one pass over the body for all.
fn paths(c: &mut Criterion) {
    let specs: Vec<RouteSpec> = (0..1000)
        .map(|at| {
            RouteSpec::new(
                format!("r{at}"),
                format!("FROM /messages/* WHERE $body.a{at}.v = {at} INTO $upstream"),
            )
        })
        .collect();
    let router = router(&specs);
    let members: Vec<String> =
        (0..20).map(|at| format!("\"a{}\": {{\"v\": {}}}", at * 50, at * 50)).collect();
    let message = Sample::new("/messages").with_json(format!("{{{}}}", members.join(", ")));
    let mut matches = Matches::new();
    c.bench_function("a_thousand_paths", |b| b.iter(|| router.route(black_box(&message), &mut matches)));
}

/// Compiling ten thousand routes.
fn compile(c: &mut Criterion) {
    let specs = specs(10_000);
    let mut group = c.benchmark_group("compile");
    group.sample_size(10);
    group.bench_function("10000", |b| b.iter(|| router(black_box(&specs))));
    group.finish();
}

/// Medians and ratios of what [`sizes`] and [`condition`] measure, taken in turns, so that other programs on the machine
/// slow both sides.
fn ratios() {
    let text = "as_number(temperature) > 30 AND $body.machine.status = 'warning'";
    let one = router(&[RouteSpec::new("r", format!("FROM /messages/* WHERE {text} INTO $upstream"))]);
    let message_256 =
        Sample::new("/messages").with_property("temperature", Some("31.5")).with_json(padded(256));
    let mut matches = Matches::new();
    let [ours, hand, ratio] =
        in_turns(&mut || one.route(black_box(&message_256), black_box(&mut matches)), &mut || {
            assert!(by_hand(black_box(&message_256)))
        });
    println!("one condition: {ours:.0} ns, by hand {hand:.0} ns, ratio {ratio:.2}");
    let small = set(10);
    for routes in [10, 100, 1_000, 10_000, 100_000] {
        let large = set(routes);
        let (mut next, mut last, mut found) = (0, 0, Vec::new());
        let mut route = |matches: &mut Matches| {
            next += 1;
            large.router.route(&large.messages[next % 64], black_box(matches));
        };
        let [ours, hand, to_hand] = in_turns(&mut || route(&mut matches), &mut || {
            last += 1;
            large.hand.route(&large.messages[last % 64], black_box(&mut found));
        });
        let mut others = Matches::new();
        let [_, _, to_ten] = in_turns(&mut || route(&mut matches), &mut || {
            last += 1;
            small.router.route(&small.messages[last % 64], black_box(&mut others));
        });
        let exponent = to_ten.log10() / (routes as f64 / 10.0).log10().max(1.0);
        println!(
            "{routes} routes: {ours:.0} ns, by hand {hand:.0} ns, ratio {to_hand:.2}, to ten routes {to_ten:.2}, exponent {exponent:.3}"
        );
    }
}

/// A set of routes, the same by hand, and messages for it.
struct Set {
    router: Router,
    hand: ByHand,
    messages: Vec<Sample>,
}

fn set(routes: usize) -> Set {
    let messages = (0..64).map(|at| message(at * 31 % (routes / 4).max(1))).collect();
    Set { router: router(&specs(routes)), hand: ByHand::new(routes), messages }
}

/// The median times of both in nanoseconds, and the median of their ratio.
fn in_turns(a: &mut dyn FnMut(), b: &mut dyn FnMut()) -> [f64; 3] {
    const TIMES: u32 = 500;
    const ROUNDS: usize = 401;
    let once = |work: &mut dyn FnMut()| {
        let start = edge_bench::clock::now();
        (0..TIMES).for_each(|_| work());
        start.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES)
    };
    let mut rounds: [Vec<f64>; 3] = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let (a, b) = (once(a), once(b));
        rounds.iter_mut().zip([a, b, a / b]).for_each(|(list, value)| list.push(value));
    }
    rounds.map(|mut list| {
        list.sort_by(f64::total_cmp);
        list[ROUNDS / 2]
    })
}

criterion_group!(benches, sizes, condition, paths, compile);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    ratios();
}
