//! Windows in a gateway: three presses send readings, a window computes what matters of each, and a second window
//! counts the alarms of the first. Results are messages, so routes decide where they go.
//!
//! ```sh
//! cargo run --example windows
//! ```

mod press;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use edge_core::{Clock, SystemClock};
use edge_hub::{Hub, Inputs, Outgoing};
use edge_stream::{WindowEndpoint, WindowSpec};

/// Ten seconds of each press, in the time that the press says; its clock may be two seconds off.
const VIBRATION: &str = r#"
name = "vibration"
window = { type = "tumbling", size = "10s" }
key = "press"
time = "$body.at"
lateness = "2s"
values = { readings = "count()", mean = "avg($body.rms)", deviation = "stddev($body.rms)", p95 = "percentile($body.rms, 95)" }
"#;

/// Alarms that come less than 15 seconds apart are one incident.
const INCIDENTS: &str = r#"
name = "incidents"
window = { type = "session", gap = "15s" }
key = "$body.key"
time = "$body.end"
idle = "1s"
distinct = "$messageId"
values = { alarms = "count()", worst = "max($body.values.p95)" }
"#;

const ROUTES: [(&str, &str); 4] = [
    ("readings", r#"FROM /messages/modules/presses/* INTO BrokeredEndpoint("/modules/vibration/inputs/in")"#),
    ("results", r#"FROM /messages/modules/vibration/* INTO BrokeredEndpoint("/modules/printer/inputs/in")"#),
    (
        "alarms",
        r#"FROM /messages/modules/vibration/* WHERE $body.values.p95 > 4 INTO BrokeredEndpoint("/modules/incidents/inputs/in")"#,
    ),
    (
        "incidents",
        r#"FROM /messages/modules/incidents/* INTO BrokeredEndpoint("/modules/printer/inputs/in")"#,
    ),
];

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Opens declared windows, with what they keep in a folder of their own.
fn windows(text: &str, folder: &Path) -> Fallible<Arc<WindowEndpoint>> {
    let definition = toml::from_str::<WindowSpec>(text)?.check()?;
    let folder = folder.join(definition.name());
    let clock = Arc::new(SystemClock);
    Ok(Arc::new(WindowEndpoint::open(&"edge1".parse()?, definition, Some(&folder), clock)?))
}

/// Runs for a minute of the presses' time, and hands each result to `show`.
async fn run(folder: &Path, mut show: impl FnMut(&str)) -> Fallible<()> {
    let all = [windows(VIBRATION, folder)?, windows(INCIDENTS, folder)?];
    let mut builder = Hub::builder("edge1".parse()?);
    for (name, text) in ROUTES {
        builder = builder.route(name, text);
    }
    for windows in &all {
        builder = builder.endpoint(windows.clone());
    }
    let hub = builder.build()?;
    for windows in &all {
        windows.connect(hub.handle().session(format!("edge1/{}", windows.name()).parse()?)?);
    }
    let presses = hub.client("edge1/presses".parse()?)?;
    let mut printer = hub.client("edge1/printer".parse()?)?.inputs();
    let running = hub.start();
    let begin = SystemClock.wall().as_unix_ms() / 60_000 * 60_000 - 120_000;
    for reading in press::readings(begin) {
        presses.send(Outgoing::json(&reading.body).property("press", reading.press)).await?;
    }
    let printed = print(&mut printer, &mut show);
    tokio::select! {
        printed = printed => printed?,
        () = all[1].run() => {}
    }
    println!("{:?}", all[0].counts());
    running.stop().await?;
    Ok(())
}

/// Shows results until the incident has been told of.
async fn print(printer: &mut Inputs, show: &mut impl FnMut(&str)) -> Fallible<()> {
    loop {
        let result = printer.next().await.ok_or("the hub has stopped")?;
        let text = String::from_utf8_lossy(result.message().body()).into_owned();
        show(&text);
        result.accept();
        if text.contains("\"incidents\"") {
            return Ok(());
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible<()> {
    let folder = tempfile::tempdir()?;
    run(folder.path(), |result| println!("{result}")).await
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_press_that_shakes_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let mut results = Vec::new();
        super::run(folder.path(), |result| results.push(result.to_owned())).await.unwrap();
        let incident = results.last().unwrap();
        assert!(incident.contains(r#""window":"incidents","key":"press-2""#), "{incident}");
        assert!(
            results.iter().filter(|result| result.contains(r#""key":"press-1""#)).count() >= 5,
            "{results:?}"
        );
    }
}
