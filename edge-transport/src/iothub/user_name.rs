//! The MQTT user name: `{hub}/{device}[/{module}]/?api-version=…&DeviceClientType=…`.

use edge_core::{IdError, Identity};

use super::percent;

/// What an MQTT user name says.
///
/// # Examples
/// ```
/// use edge_transport::iothub::UserName;
///
/// let name: UserName = "hub.local/edge1/filter/?api-version=2021-04-12&DeviceClientType=node%2F1.18".parse()?;
/// assert_eq!(name.host, "hub.local");
/// assert_eq!(name.identity.to_string(), "edge1/filter");
/// assert_eq!(name.client_type.as_deref(), Some("node/1.18"));
/// # Ok::<(), edge_transport::iothub::UserNameError>(())
/// ```
///
/// # Source
/// Azure IoT Hub, "Communicate with IoT Hub using the MQTT protocol"; ids are not encoded, and may hold a `?`, so only a
/// last segment that begins with `?`, or with `api-version=` in the old form, is the query.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserName {
    /// The hub's name, as the client knows it.
    pub host: String,
    /// Who the client claims to be.
    pub identity: Identity,
    /// The version of the interface that the client speaks.
    pub api_version: String,
    /// What software the client is.
    pub client_type: Option<String>,
    /// The digital-twin model of the client.
    pub model_id: Option<String>,
}

/// Why a text is not a user name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserNameError {
    /// It has not three or four segments.
    #[error("the user name has {0} segments, and must be <hub>/<device>[/<module>]/?api-version=…")]
    Segments(
        /// How many it has.
        usize,
    ),
    /// It does not end in a query with `api-version`.
    #[error("the user name does not end in ?api-version=…")]
    ApiVersion,
    /// It names no possible identity.
    #[error("the user name holds a wrong id")]
    Id(
        /// What is wrong with it.
        #[from]
        IdError,
    ),
}

impl std::str::FromStr for UserName {
    type Err = UserNameError;

    fn from_str(text: &str) -> Result<Self, UserNameError> {
        let (path, query) = text.rsplit_once('/').ok_or(UserNameError::Segments(1))?;
        let query = match query.strip_prefix('?') {
            Some(query) => query,
            None if query.starts_with("api-version=") => query,
            None => return Err(UserNameError::ApiVersion),
        };
        let segments: Vec<&str> = path.splitn(5, '/').collect();
        let (host, identity) = match segments[..] {
            [host, device] => (host, Identity::of_device(device.parse()?)),
            [host, device, module] => (host, Identity::of_module(device.parse()?, module.parse()?)),
            _ => return Err(UserNameError::Segments(segments.len() + 1)),
        };
        let value = |name: &str| {
            let pair = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name)?;
            percent::decode(pair.1).map(|value| value.into_owned())
        };
        Ok(Self {
            host: host.to_owned(),
            identity,
            api_version: value("api-version").ok_or(UserNameError::ApiVersion)?,
            client_type: value("DeviceClientType"),
            model_id: value("model-id"),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<&str, UserNameError>) {
        let found = text.parse::<UserName>().map(|name| name.identity.to_string());
        assert_eq!(found, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn forms() {
        check("h/d/?api-version=1", Ok("d"));
        check("h/d/api-version=1", Ok("d"));
        check("h/d/m/?api-version=1", Ok("d/m"));
        check("h/?d/?api-version=1", Ok("?d"));
        check("h/d/?DeviceClientType=x&api-version=", Ok("d"));
        check("h/d", Err(UserNameError::ApiVersion));
        check("h", Err(UserNameError::Segments(1)));
        check("h/d/?x=1", Err(UserNameError::ApiVersion));
        check("h/d/m/n/?api-version=1", Err(UserNameError::Segments(5)));
        check("?api-version=1", Err(UserNameError::Segments(1)));
        check("h/?api-version=1", Err(UserNameError::Segments(2)));
        check("h//?api-version=1", Err(UserNameError::Id(IdError::Empty { what: "device id" })));
    }

    #[test]
    fn values_are_decoded() {
        let name: UserName = "h/d/?api-version=2020-09-30&model-id=dtmi%3Aa%3Bb%3B1".parse().unwrap();
        assert_eq!(name.model_id.as_deref(), Some("dtmi:a;b;1"));
        assert_eq!(name.client_type, None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,60}") {
            let _either_way = text.parse::<UserName>();
        }
    }
}
