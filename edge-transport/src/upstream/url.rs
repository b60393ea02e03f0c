//! Where the other side of an upstream is.

use std::fmt;
use std::str::FromStr;

/// Why a text is not the address of the other side.
///
/// Each message says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// There is no scheme.
    #[error("{text:?} has no scheme: write {write}")]
    NoScheme {
        /// The refused text.
        text: String,
        /// What to write.
        write: &'static str,
    },
    /// The scheme is another protocol's.
    #[error("{found:?} is not a scheme of this upstream: write {write}")]
    Scheme {
        /// The scheme found.
        found: String,
        /// What to write.
        write: &'static str,
    },
    /// There is no host.
    #[error("the address has no host: write {write}")]
    NoHost {
        /// What to write.
        write: &'static str,
    },
    /// The host holds a character that no host name has.
    #[error("the host holds {found:?}: write a host name, an IPv4 address, or an IPv6 address in [brackets]")]
    Host {
        /// The offending character.
        found: char,
    },
    /// The port is not a number from 1 to 65535.
    #[error("{found:?} is not a port: write a number from 1 to 65535")]
    Port {
        /// The port found.
        found: String,
    },
    /// The address holds a user name.
    #[error("the address holds a user name: state user name and password apart from it")]
    Login,
    /// Something follows the port.
    #[error("{found:?} follows the port: write {write}, and nothing more")]
    Rest {
        /// What follows.
        found: String,
        /// What to write.
        write: &'static str,
    },
    /// The path holds a character that must be percent-encoded.
    #[error("the path holds {found:?}: percent-encode it")]
    Path {
        /// The offending character.
        found: char,
    },
}

/// Host, port and whether to speak TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    host: String,
    port: u16,
    tls: bool,
}

/// The schemes of a protocol: without TLS and with it, with their ports, and what a user is to write.
struct Schemes {
    plain: (&'static str, u16),
    tls: (&'static str, u16),
    write: &'static str,
}

const MQTT: Schemes = Schemes {
    plain: ("mqtt", 1883),
    tls: ("mqtts", 8883),
    write: "mqtt://host:port, or mqtts://host:port for TLS",
};

const AMQP: Schemes = Schemes {
    plain: ("amqp", 5672),
    tls: ("amqps", 5671),
    write: "amqp://host:port, or amqps://host:port for TLS",
};

const HTTP: Schemes = Schemes {
    plain: ("http", 80),
    tls: ("https", 443),
    write: "https://host:port/path, or http://host:port/path without TLS",
};

impl Address {
    /// Reads an address, and returns it with what follows the port.
    fn parse<'t>(text: &'t str, schemes: &Schemes) -> Result<(Self, &'t str), UrlError> {
        let write = schemes.write;
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(UrlError::NoScheme { text: text.into(), write });
        };
        let (tls, default_port) = match scheme {
            plain if plain == schemes.plain.0 => (false, schemes.plain.1),
            tls if tls == schemes.tls.0 => (true, schemes.tls.1),
            _ => return Err(UrlError::Scheme { found: scheme.into(), write }),
        };
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlError::Login);
        }
        let (host, port) = split(authority, write)?;
        if host.is_empty() {
            return Err(UrlError::NoHost { write });
        }
        let port = match port {
            None => default_port,
            Some(digits) => match digits.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(UrlError::Port { found: digits.into() }),
            },
        };
        Ok((Self { host: host.into(), port, tls }, rest))
    }

    /// Reads an address that nothing follows but a slash.
    fn parse_whole(text: &str, schemes: &Schemes) -> Result<Self, UrlError> {
        match Self::parse(text, schemes)? {
            (address, "" | "/") => Ok(address),
            (_, rest) => Err(UrlError::Rest { found: rest.into(), write: schemes.write }),
        }
    }

    fn write(&self, schemes: &Schemes, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { schemes.tls.0 } else { schemes.plain.0 };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

/// Splits host and port, and checks the characters of the host.
fn split<'t>(authority: &'t str, write: &'static str) -> Result<(&'t str, Option<&'t str>), UrlError> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let Some((host, rest)) = bracketed.split_once(']') else {
            return Err(UrlError::Host { found: '[' });
        };
        if let Some(found) = host.chars().find(|c| !c.is_ascii_hexdigit() && !":.%".contains(*c)) {
            return Err(UrlError::Host { found });
        }
        return match (rest, rest.strip_prefix(':')) {
            ("", _) => Ok((host, None)),
            (_, Some(port)) => Ok((host, Some(port))),
            _ => Err(UrlError::Rest { found: rest.into(), write }),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    match host.chars().find(|c| !c.is_alphanumeric() && !"-._".contains(*c)) {
        Some(found) => Err(UrlError::Host { found }),
        None => Ok((host, port)),
    }
}

macro_rules! url {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(Address);

        impl $name {
            /// Returns the host: a name or an address, an IPv6 address without its brackets.
            #[must_use]
            pub fn host(&self) -> &str {
                &self.0.host
            }

            /// Returns the TCP port.
            #[must_use]
            pub fn port(&self) -> u16 {
                self.0.port
            }

            /// Returns whether to speak TLS.
            #[must_use]
            pub fn is_tls(&self) -> bool {
                self.0.tls
            }
        }
    };
}

url! {
    /// The address of an MQTT broker, and whether to speak TLS with it.
    ///
    /// The port is 1883, or 8883 for TLS, unless it is stated.
    ///
    /// # Examples
    /// ```
    /// use edge_transport::upstream::BrokerUrl;
    ///
    /// let url: BrokerUrl = "mqtts://broker.example".parse()?;
    /// assert_eq!((url.host(), url.port(), url.is_tls()), ("broker.example", 8883, true));
    /// let error = "http://broker.example".parse::<BrokerUrl>().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#""http" is not a scheme of this upstream: write mqtt://host:port, or mqtts://host:port for TLS"#,
    /// );
    /// # Ok::<(), edge_transport::upstream::UrlError>(())
    /// ```
    ///
    /// # Source
    /// IANA service names: `mqtt` 1883, `secure-mqtt` 8883. The schemes are those of the common clients.
    BrokerUrl
}

url! {
    /// The address of an AMQP 1.0 broker, and whether to speak TLS with it.
    ///
    /// The port is 5672, or 5671 for TLS, unless it is stated.
    ///
    /// # Examples
    /// ```
    /// use edge_transport::upstream::AmqpUrl;
    ///
    /// let url: AmqpUrl = "amqps://broker.example".parse()?;
    /// assert_eq!((url.host(), url.port(), url.is_tls()), ("broker.example", 5671, true));
    /// # Ok::<(), edge_transport::upstream::UrlError>(())
    /// ```
    ///
    /// # Source
    /// IANA service names: `amqp` 5672, `amqps` 5671.
    AmqpUrl
}

impl FromStr for BrokerUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Address::parse_whole(text, &MQTT).map(Self)
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(&MQTT, f)
    }
}

impl FromStr for AmqpUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Address::parse_whole(text, &AMQP).map(Self)
    }
}

impl fmt::Display for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(&AMQP, f)
    }
}

/// The address that an HTTP upstream posts to.
///
/// The port is 80, or 443 for TLS, unless it is stated; the path is `/`.
///
/// # Examples
/// ```
/// use edge_transport::upstream::HttpUrl;
///
/// let url: HttpUrl = "https://ingest.example/v1/events?site=7".parse()?;
/// assert_eq!((url.host(), url.port(), url.is_tls()), ("ingest.example", 443, true));
/// assert_eq!(url.path(), "/v1/events?site=7");
/// # Ok::<(), edge_transport::upstream::UrlError>(())
/// ```
///
/// # Source
/// RFC 9110 §4.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl {
    address: Address,
    path: String,
}

impl HttpUrl {
    /// Returns the host: a name or an address, an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.address.host
    }

    /// Returns the TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port
    }

    /// Returns whether to speak TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.address.tls
    }

    /// Returns the path with its query.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns host and port as the header `Host` has them.
    pub(super) fn authority(&self) -> String {
        let standard = if self.address.tls { HTTP.tls.1 } else { HTTP.plain.1 };
        let host = match self.address.host.contains(':') {
            true => format!("[{}]", self.address.host),
            false => self.address.host.clone(),
        };
        if self.address.port == standard { host } else { format!("{host}:{}", self.address.port) }
    }
}

impl FromStr for HttpUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (address, rest) = Address::parse(text, &HTTP)?;
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        if let Some(found) = rest.chars().find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(*c)) {
            return Err(UrlError::Path { found });
        }
        let path = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
        Ok(Self { address, path })
    }
}

impl fmt::Display for HttpUrl {
    /// Shows all but the query, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.write(&HTTP, f)?;
        f.write_str(self.path.split_once('?').map_or(&*self.path, |(path, _)| path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = match text.parse::<BrokerUrl>() {
            Ok(url) => url.to_string(),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{text}: {found}");
    }

    #[test]
    fn addresses_are_read() {
        check("mqtt://127.0.0.1:1884", "mqtt://127.0.0.1:1884");
        check("mqtt://broker/", "mqtt://broker:1883");
        check("mqtts://broker.example", "mqtts://broker.example:8883");
        check("mqtt://[::1]:9", "mqtt://[::1]:9");
        check("mqtt://[fe80::1]", "mqtt://[fe80::1]:1883");
    }

    #[test]
    fn mistakes_say_what_to_write() {
        check("broker:1883", "write mqtt://host:port");
        check("tcp://broker", "write mqtt://host:port");
        check("mqtt://", "no host");
        check("mqtt://:1883", "no host");
        check("mqtt://broker:0", "from 1 to 65535");
        check("mqtt://broker:x", "from 1 to 65535");
        check("mqtt://broker:99999", "from 1 to 65535");
        check("mqtt://me:pw@broker", "apart from it");
        check("mqtt://broker/path", "\"/path\" follows");
        check("mqtt://bro ker", "host name");
        check("mqtt://::1", "no host");
        check("mqtt://[::1", "brackets");
        check("mqtt://[::1]x", "follows the port");
    }

    #[test]
    fn an_address_of_http_has_a_path() {
        let url = |text: &str| text.parse::<HttpUrl>().map(|url| (url.authority(), url.path().to_owned()));
        assert_eq!(url("http://h"), Ok(("h".into(), "/".into())));
        assert_eq!(url("https://h:8443/a?b#c"), Ok(("h:8443".into(), "/a?b".into())));
        assert_eq!(url("http://[::1]?q"), Ok(("[::1]".into(), "/?q".into())));
        assert_eq!(url("http://h/a b"), Err(UrlError::Path { found: ' ' }));
        assert!(url("mqtt://h").unwrap_err().to_string().contains("write https://host"));
        assert!(!"http://h/p?key=1".parse::<HttpUrl>().unwrap().to_string().contains("key"));
    }
}
