//! A filtered route from module a to module b, inside one process.

use edge_hub::{Hub, Outgoing};

const HOT: &str =
    r#"FROM /messages/modules/a/* WHERE $body.t > 30 INTO BrokeredEndpoint("/modules/b/inputs/in")"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::builder("edge1".parse()?).route("hot", HOT).build()?;
    let (a, mut b) = (hub.client("edge1/a".parse()?)?, hub.client("edge1/b".parse()?)?.inputs());
    let running = hub.start();
    a.send(Outgoing::json(r#"{"t": 21}"#)).await?;
    a.send(Outgoing::json(r#"{"t": 35}"#)).await?;
    let hot = b.next().await.ok_or("the hub has stopped")?;
    println!("{}", String::from_utf8_lossy(hot.message().body()));
    hot.accept();
    println!("{}", running.stop().await?.ledger.total);
    Ok(())
}
