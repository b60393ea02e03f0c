//! Stamps messages with who sent them.

use crate::{Authenticated, Identity, MessageBuilder, PortName, Source, SystemKey};

/// What a session puts on every message of its client: the source, and who sent it.
///
/// # Examples
/// ```
/// use edge_core::{Authenticated, MessageBuilder, Origin, SystemKey};
///
/// let filter = Authenticated::new("edge1/filter".parse()?, "sas", None);
/// let origin = Origin::new(&filter);
/// let mut builder = MessageBuilder::default();
/// origin.stamp(&mut builder, Some(&"hot".parse()?));
/// let message = builder.build();
/// assert_eq!(message.source(), "/messages/modules/filter/outputs/hot/");
/// assert_eq!(message.system().value(SystemKey::ConnectionModuleId), Some("filter"));
/// # Ok::<(), edge_core::IdError>(())
/// ```
///
/// # Source
/// Azure IoT Edge's hub sets `connectionDeviceId`, `connectionModuleId`, `connectionAuthMethod`, `outputName` and
/// `edgeHubOriginInterface`; its documents show the authentication method as JSON.
#[derive(Clone, Debug)]
pub struct Origin {
    identity: Identity,
    plain: Source,
    auth_method: String,
    interface: &'static str,
}

impl Origin {
    /// Returns the origin of a client's messages.
    #[must_use]
    pub fn new(authenticated: &Authenticated) -> Self {
        let identity = authenticated.identity.clone();
        let (plain, scope, interface) = match identity.module() {
            Some(module) => (Source::module(module), "module", "internal"),
            None => (Source::telemetry(), "device", "downstream"),
        };
        let auth_method =
            format!(r#"{{"scope":"{scope}","type":"{}","issuer":"iothub"}}"#, authenticated.method);
        Self { identity, plain, auth_method, interface }
    }

    /// Returns who sends the messages.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Puts the source and the sender on the message that `builder` is at.
    ///
    /// The output counts for modules only; a device has none.
    pub fn stamp(&self, builder: &mut MessageBuilder, output: Option<&PortName>) {
        match (self.identity.module(), output) {
            (Some(module), Some(output)) => {
                builder.set_source(Source::output(module, output).as_str());
                builder.set_system(SystemKey::OutputName, output.as_str());
            }
            _ => builder.set_source(self.plain.as_str()),
        }
        builder.set_system(SystemKey::ConnectionDeviceId, self.identity.device().as_str());
        if let Some(module) = self.identity.module() {
            builder.set_system(SystemKey::ConnectionModuleId, module.as_str());
        }
        builder.set_system(SystemKey::ConnectionAuthMethod, &self.auth_method);
        builder.set_system(SystemKey::OriginInterface, self.interface);
    }
}
