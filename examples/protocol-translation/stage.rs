//! The gateway: three doors, five identities, and three ways out for every message.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use edge_core::service::Permissions;
use edge_core::{Clock, EndpointId, Identity, SystemClock};
use edge_hub::{Hub, IdentityAuth, IdentityEntry, Policy, Registry};
use edge_transport::iothub::{SasKey, SasToken};
use edge_transport::upstream::{HttpUpstream, HttpUpstreamOptions};
use edge_transport::{AmqpListener, Listener, MqttListener, Resources, TransportLimits, WebListener};

use crate::Fallible;

/// The name that tokens are signed for.
pub(crate) const HUB: &str = "hub.local";
const OWNER: &str = "iothubowner";

const IDENTITIES: [&str; 5] = ["press-1", "press-2", "press-3", "edge1/panel", "edge1/screen"];

const ROUTES: [(&str, &str); 3] = [
    ("panel", r#"FROM /messages/* INTO BrokeredEndpoint("/modules/panel/inputs/in")"#),
    ("screen", r#"FROM /messages/* INTO BrokeredEndpoint("/modules/screen/inputs/in")"#),
    ("collector", "FROM /messages/* INTO $upstream"),
];

/// Where clients come in, and the key that all of them sign with.
///
/// A gateway with clients elsewhere gives each identity its own key, and opens its doors with `with_tls`.
pub(crate) struct Doors {
    pub(crate) amqp: SocketAddr,
    pub(crate) mqtt: SocketAddr,
    pub(crate) http: SocketAddr,
    key: SasKey,
}

impl Doors {
    /// Returns a token by which an identity proves who it is.
    pub(crate) fn token(&self, identity: &str) -> Fallible<String> {
        Ok(SasToken::sign(HUB, &identity.parse()?, &self.key, an_hour_from_now()))
    }

    /// Returns a token of whoever operates the gateway.
    pub(crate) fn owner_token(&self) -> String {
        SasToken::sign_for_policy(HUB, OWNER, &self.key, an_hour_from_now())
    }
}

fn an_hour_from_now() -> edge_core::Timestamp {
    SystemClock.wall() + Duration::from_secs(3600)
}

/// A gateway that is about to run.
pub(crate) struct Stage {
    pub(crate) hub: Hub,
    pub(crate) doors: Doors,
}

/// Opens the doors, and builds the gateway; what it passes on goes to `collector`.
pub(crate) async fn build(collector: SocketAddr) -> Fallible<Stage> {
    let key = SasKey::generate()?;
    let identities = IDENTITIES
        .iter()
        .map(|name| Ok(IdentityEntry::new(name.parse::<Identity>()?, IdentityAuth::sas(vec![key.clone()]))))
        .collect::<Fallible<Vec<_>>>()?;
    let owner = Policy::new(OWNER, Permissions::ALL, vec![key.clone()]);
    let registry = Registry::new([HUB]).with_identities(identities).with_policies([owner]);

    let resources = Resources::new(TransportLimits::default());
    let amqp = AmqpListener::bind("127.0.0.1:0", &resources).await?;
    let mqtt = MqttListener::bind("127.0.0.1:0", &resources).await?;
    let http = WebListener::bind("127.0.0.1:0", &resources).await?;
    let at = |listener: &dyn Listener| listener.local_addr().ok_or("a listener has no address");
    let doors = Doors { amqp: at(&amqp)?, mqtt: at(&mqtt)?, http: at(&http)?, key };

    let upstream = HttpUpstreamOptions::new(format!("http://{collector}/events").parse()?);
    let mut builder = Hub::builder("edge1".parse()?)
        .hub_name(HUB)
        .registry(Arc::new(registry))
        .endpoint(Arc::new(HttpUpstream::new(EndpointId::upstream(), upstream)?))
        .listener(Box::new(amqp))
        .listener(Box::new(mqtt))
        .listener(Box::new(http));
    for (name, text) in ROUTES {
        builder = builder.route(name, text);
    }
    Ok(Stage { hub: builder.build()?, doors })
}
