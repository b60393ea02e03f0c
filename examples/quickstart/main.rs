//! A filtered route from one module to another, inside one process.

use edge_core::Settlement;
use edge_hub::{Hub, Outgoing};
use edge_transport::Stop;

const HOT: &str =
    r#"FROM /messages/modules/sensor/* WHERE $body.t > 30 INTO BrokeredEndpoint("/modules/alarm/inputs/in")"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::builder("edge1".parse()?).route("hot", HOT).build()?;
    let sensor = hub.client("edge1/sensor".parse()?)?;
    let mut alarms = hub.client("edge1/alarm".parse()?)?.inputs();
    let (stopper, stop) = Stop::pair();
    let work = async {
        for t in [21, 35] {
            sensor.send(Outgoing::json(format!(r#"{{"t": {t}}}"#))).await?;
        }
        let alarm = alarms.next().await.ok_or("the hub has stopped")?;
        println!("alarm: {}", String::from_utf8_lossy(alarm.message().body()));
        alarm.settle(Settlement::Accept);
        stopper.stop();
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    let (report, done) = tokio::join!(hub.run(stop), work);
    println!("{}", report?.ledger.total);
    done
}
