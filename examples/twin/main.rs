//! A Rust module with a typed twin, inside the process of its gateway.
//!
//! ```text
//! cargo run --example twin
//! ```
//!
//! The module says as structs what it can be told and what it reports. An operator, here the same process, wishes this
//! and that; the module takes what fits, refuses what does not, and reports what it does.

use std::sync::Arc;

use edge_core::Identity;
use edge_core::service::{IdentitySpec, IfMatch, Service, TwinChange};
use edge_hub::{Client, ClientEvent, Events, Hub, HubHandle, Registry};
use edge_twin::typed::{TwinProperties, Typed};
use edge_twin::{Limits, Patch, Value};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// What the fan can be told.
#[derive(Clone, Debug, PartialEq, TwinProperties)]
struct Wanted {
    /// Turns in a minute.
    #[twin(default = 900_u32, range = 0..=3000)]
    rpm: u32,
    /// `night` is quieter.
    mode: Option<String>,
}

/// What the fan says of itself.
#[derive(Clone, Debug, PartialEq, TwinProperties)]
struct Seen {
    rpm: u32,
    refused: Option<String>,
}

/// A fan that turns as it is told.
struct Fan {
    client: Client,
    events: Events,
    wanted: Typed<Wanted>,
    seen: Typed<Seen>,
}

impl Fan {
    /// Reads what was wished while the fan was away, and does it.
    async fn start(client: Client) -> Fallible<Self> {
        let events = client.events();
        let twin = Value::parse(&client.twin().await?)?;
        let desired = twin.member("desired").and_then(Value::as_object).cloned().unwrap_or_default();
        let wanted = Typed::read(desired)?;
        let mut fan = Self { client, events, wanted, seen: Typed::default() };
        fan.report(None).await?;
        Ok(fan)
    }

    /// Takes the next wish.
    async fn hear(&mut self) -> Fallible<()> {
        let Some(ClientEvent::Desired { version, patch }) = self.events.next().await else {
            return Err("the hub has stopped".into());
        };
        let patch = Patch::parse(&patch, &Limits::default())?;
        let refused = match self.wanted.apply(&patch) {
            Ok(changes) => {
                println!("wish {version}: {changes:?}");
                None
            }
            Err(error) => {
                println!("wish {version} is refused: {error}");
                Some(error.to_string())
            }
        };
        self.report(refused).await
    }

    /// Reports what is new about the fan.
    async fn report(&mut self, refused: Option<String>) -> Fallible<()> {
        let patch = self.seen.set(Seen { rpm: self.wanted.values().rpm, refused });
        if !patch.is_empty() {
            self.client.report(patch.to_json()).await?;
        }
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible<()> {
    let registry = Arc::new(Registry::new(["hub.local"]));
    let hub = Hub::builder("edge1".parse()?).registry(registry).build()?;
    let (operator, fan) = (hub.handle(), "edge1/fan".parse::<Identity>()?);
    operator.create(IdentitySpec::new("edge1".parse()?)).await?;
    operator.create(IdentitySpec::new(fan.clone())).await?;
    println!("The fan can be told: {}", Wanted::schema());

    let client = hub.client(fan.clone())?;
    let running = hub.start();
    let mut module = Fan::start(client).await?;
    for wish in [r#"{"rpm": 1200, "mode": "night"}"#, r#"{"rpm": 9000}"#, r#"{"rpm": null, "colour": "red"}"#]
    {
        let body = format!(r#"{{"properties": {{"desired": {wish}}}}}"#);
        operator.change_twin(&fan, TwinChange::Patch(body.into()), IfMatch::Any).await?;
        module.hear().await?;
    }
    println!("{}", reported(&operator, &fan).await?);
    running.stop().await?;
    Ok(())
}

/// Returns the reported properties as the operator sees them.
async fn reported(operator: &HubHandle, who: &Identity) -> Fallible<Value> {
    let twin = Value::parse(&operator.twin(who).await?)?;
    let properties = twin.member("properties").and_then(|p| p.member("reported"));
    Ok(properties.cloned().unwrap_or(Value::Null))
}
