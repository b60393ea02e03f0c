//! A model that watches a machine: a series of readings goes through a gateway, the model behind a route says what is
//! wrong in it, and a picture shows it.
//!
//! `train.py` made the series and the model, and says what is wrong in it. Nothing is to be configured:
//!
//! ```sh
//! cargo run --example anomaly --features ml [anomaly.svg]
//! ```

mod plot;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use edge_core::SystemClock;
use edge_hub::{Hub, Outgoing};
use edge_ml::mapping::MappingSpec;
use edge_ml::{Demands, Mapped, ModelEndpoint, ModelPool, PoolOptions, Preflight};
use serde_json::{Value, json};

type Fallible<T> = Result<T, Box<dyn Error>>;

const MODEL: &[u8] = include_bytes!("anomaly.onnx");
const SERIES: &str = include_str!("press.csv");
const KNOWN: &str = include_str!("spans.json");
/// How many readings the model looks at.
const WINDOW: usize = 32;

const INTO: &str = r#"FROM /messages/* WHERE NOT IS_DEFINED($connectionModuleId)
    INTO BrokeredEndpoint("/modules/anomaly/inputs/in")"#;
const OUT: &str =
    r#"FROM /messages/modules/anomaly/outputs/scores INTO BrokeredEndpoint("/modules/watch/inputs/in")"#;

/// The score of a reading and of those before it; above 1 something is wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scored {
    pub(crate) reading: usize,
    pub(crate) score: f64,
}

/// Readings from the first to before the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) what: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible<()> {
    let path = std::env::args().nth(1).map_or_else(|| PathBuf::from("anomaly.svg"), PathBuf::from);
    let series = series()?;
    let scores = scores(&series).await?;
    let flagged = flagged(&scores);
    for span in &flagged {
        println!("readings {} to {}: something is wrong", span.from, span.to);
    }
    std::fs::write(&path, plot::svg(&series, &scores, &flagged, &known()?))?;
    println!("{} shows it.", path.display());
    Ok(())
}

/// Returns the readings of the press.
fn series() -> Fallible<Vec<f64>> {
    Ok(SERIES.lines().map(str::parse).collect::<Result<_, _>>()?)
}

/// Returns what is wrong in them, as far as it is known.
fn known() -> Fallible<Vec<Span>> {
    let all: Vec<Value> = serde_json::from_str(KNOWN)?;
    let number = |value: &Value, key: &str| value[key].as_u64().and_then(|n| usize::try_from(n).ok());
    let span = |value: &Value| {
        let what = value["what"].as_str().unwrap_or_default().to_owned();
        Some(Span { from: number(value, "from")?, to: number(value, "to")?, what })
    };
    all.iter()
        .map(span)
        .collect::<Option<_>>()
        .ok_or_else(|| "spans.json is not as train.py writes it".into())
}

/// Sends the series through a gateway that has the model, and returns its scores.
async fn scores(series: &[f64]) -> Fallible<Vec<Scored>> {
    let (report, model) = Preflight::run(MODEL, &Demands::default(), &SystemClock);
    print!("{report}");
    let model = model.filter(|_| report.is_ready()).ok_or("the model cannot be used")?;
    let mapping: MappingSpec = serde_json::from_value(json!({
        "message": "extend",
        "inputs": { "readings": { "window": WINDOW, "fields": ["$body.vibration"] } },
        "outputs": { "score": {} },
    }))?;
    let mapping = mapping.check(model.signature(), Path::new("."))?;
    let pool = ModelPool::start(&*model, PoolOptions::default())?;
    let ports = ("in".parse()?, "scores".parse()?);
    let (edge, name) = ("edge1".parse()?, "anomaly".parse()?);
    let endpoint =
        ModelEndpoint::new(&edge, &name, (&ports.0, ports.1), pool, Arc::new(Mapped::new(mapping)));
    let endpoint = Arc::new(endpoint);

    let hub = Hub::builder(edge).endpoint(endpoint.clone()).route("into", INTO).route("out", OUT).build()?;
    endpoint.connect(hub.handle().session("edge1/anomaly".parse()?)?);
    let (press, watch) = (hub.client("press".parse()?)?, hub.client("edge1/watch".parse()?)?);
    let mut results = watch.inputs();
    let running = hub.start();
    let send = async {
        for (reading, vibration) in series.iter().enumerate() {
            let body = json!({ "reading": reading, "vibration": vibration });
            press.send(Outgoing::json(body.to_string())).await?;
        }
        Fallible::Ok(())
    };
    let receive = async {
        let mut scores = Vec::new();
        // The first windows are not full.
        while scores.len() + WINDOW - 1 < series.len() {
            let result = results.next().await.ok_or("the gateway has stopped")?;
            let body: Value = serde_json::from_slice(result.message().body())?;
            result.accept();
            let reading = body["reading"].as_u64().and_then(|n| usize::try_from(n).ok());
            let score = reading.zip(body["score"].as_f64());
            let (reading, score) = score.ok_or_else(|| format!("{body} has no score"))?;
            scores.push(Scored { reading, score });
        }
        Fallible::Ok(scores)
    };
    let (sent, scores) = tokio::join!(send, receive);
    sent?;
    running.stop().await?;
    scores
}

/// Returns the readings that are flagged, those close to each other as one span.
fn flagged(scores: &[Scored]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for scored in scores.iter().filter(|scored| scored.score > 1.0) {
        match spans.last_mut() {
            Some(last) if scored.reading <= last.to + WINDOW => last.to = scored.reading + 1,
            _ => {
                let (from, to) = (scored.reading, scored.reading + 1);
                spans.push(Span { from, to, what: String::new() });
            }
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_wrong_is_flagged_and_nothing_else() {
        let series = series().unwrap();
        let scores = scores(&series).await.unwrap();
        assert_eq!(scores.len(), series.len() - WINDOW + 1);
        assert!(scores.iter().zip(WINDOW - 1..).all(|(scored, reading)| scored.reading == reading));
        let (flagged, known) = (flagged(&scores), known().unwrap());
        assert_eq!(flagged.len(), known.len(), "{flagged:?}");
        for (flagged, known) in flagged.iter().zip(&known) {
            assert!(
                flagged.from >= known.from && flagged.from < known.from + WINDOW,
                "{flagged:?} {known:?}"
            );
            // A window is wrong as long as a wrong reading is in it.
            assert!(
                flagged.to + WINDOW > known.to && flagged.to <= known.to + WINDOW,
                "{flagged:?} {known:?}"
            );
        }
        let picture = plot::svg(&series, &scores, &flagged, &known);
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
        assert_eq!(picture.matches("class=\"flagged\"").count(), known.len());
    }
}
