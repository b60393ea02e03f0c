//! Shared access signatures.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edge_core::{Identity, Timestamp};

use super::{SasKey, percent};

/// The most bytes that a token may have.
const MAX_TOKEN_BYTES: usize = 8 << 10;

/// A shared access signature, parsed and not yet verified. `Debug` does not show the signature.
///
/// `SharedAccessSignature sr={resource}&sig={signature}&se={expiry}[&skn={policy}]`, in any order. The signature covers
/// `sr` and `se` exactly as they stand, so both are kept raw.
///
/// # Examples
/// ```
/// use edge_core::Timestamp;
/// use edge_transport::iothub::{SasKey, SasToken};
///
/// let key: SasKey = "c2VjcmV0".parse().unwrap();
/// let text = SasToken::sign("hub.local", &"press-7".parse().unwrap(), &key, Timestamp::from_unix_ms(2_000_000_000_000));
/// let token = SasToken::parse(&text)?;
/// assert!(token.is_signed_by(&key));
/// assert_eq!(token.expires(), Timestamp::from_unix_ms(2_000_000_000_000));
/// assert!(token.audience()?.is_of(&"press-7".parse().unwrap()));
/// # Ok::<(), edge_transport::iothub::SasTokenError>(())
/// ```
///
/// # Source
/// Azure IoT Hub, "Control access to IoT Hub with shared access signatures".
#[derive(Clone)]
pub struct SasToken<'a> {
    resource: &'a str,
    expiry: &'a str,
    expires: Timestamp,
    signature: Vec<u8>,
    policy: Option<String>,
}

/// Why a text is not a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SasTokenError {
    /// It is too long.
    #[error("the token has {bytes} bytes, at most {MAX_TOKEN_BYTES} are allowed")]
    TooLong {
        /// Its size.
        bytes: usize,
    },
    /// It does not begin with `SharedAccessSignature `.
    #[error("the token does not begin with \"SharedAccessSignature \"")]
    Scheme,
    /// A field is missing.
    #[error("the token has no field {field}")]
    Missing {
        /// Which.
        field: &'static str,
    },
    /// A field is there twice.
    #[error("the token has the field {field} twice")]
    Twice {
        /// Which.
        field: &'static str,
    },
    /// The expiry is not a number of seconds.
    #[error("the expiry of the token is not a number of seconds")]
    Expiry,
    /// The signature is not base64.
    #[error("the signature of the token is not base64")]
    Signature,
    /// The resource is not the address of a device or module.
    #[error("the resource of the token is not <hub>/devices/<device>[/modules/<module>]")]
    Resource,
}

impl<'a> SasToken<'a> {
    /// Returns the token that `text` is.
    ///
    /// # Errors
    /// [`SasTokenError`] when it is none.
    pub fn parse(text: &'a str) -> Result<Self, SasTokenError> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(SasTokenError::TooLong { bytes: text.len() });
        }
        let fields = text.strip_prefix("SharedAccessSignature ").ok_or(SasTokenError::Scheme)?;
        let (mut sr, mut sig, mut se, mut skn) = (None, None, None, None);
        for (name, value) in fields.split('&').filter_map(|field| field.split_once('=')) {
            let (field, slot) = match name.trim() {
                "sr" => ("sr", &mut sr),
                "sig" => ("sig", &mut sig),
                "se" => ("se", &mut se),
                "skn" => ("skn", &mut skn),
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(SasTokenError::Twice { field });
            }
        }
        let missing = |field| SasTokenError::Missing { field };
        let expiry = se.ok_or_else(|| missing("se"))?;
        let seconds: u64 = expiry.parse().map_err(|_| SasTokenError::Expiry)?;
        let signature =
            percent::decode(sig.ok_or_else(|| missing("sig"))?).ok_or(SasTokenError::Signature)?;
        Ok(Self {
            resource: sr.ok_or_else(|| missing("sr"))?,
            expiry,
            expires: Timestamp::from_unix_ms(seconds.saturating_mul(1000)),
            signature: STANDARD.decode(signature.as_bytes()).map_err(|_| SasTokenError::Signature)?,
            policy: skn
                .filter(|name| !name.is_empty())
                .and_then(percent::decode)
                .map(|name| name.into_owned()),
        })
    }

    /// Returns a token for `identity` at the hub `host`, signed with `key`, that expires at the second of `expires`.
    #[must_use]
    pub fn sign(host: &str, identity: &Identity, key: &SasKey, expires: Timestamp) -> String {
        let module = identity.module().map(|module| format!("/modules/{module}")).unwrap_or_default();
        let resource = percent::encode(&format!("{host}/devices/{}{module}", identity.device()));
        let seconds = expires.as_unix_ms() / 1000;
        let signature = key.sign(&format!("{resource}\n{seconds}"));
        format!("SharedAccessSignature sr={resource}&sig={}&se={seconds}", percent::encode(&signature))
    }

    /// Returns whether `key` has made the signature, comparing in constant time.
    #[must_use]
    pub fn is_signed_by(&self, key: &SasKey) -> bool {
        key.verify([self.resource, "\n", self.expiry], &self.signature)
    }

    /// Returns a token for what is at and below `resource`, the hub's name or a path behind it, signed with `key` of the
    /// policy `policy`, that expires at the second of `expires`.
    ///
    /// # Examples
    /// ```
    /// use edge_core::Timestamp;
    /// use edge_transport::iothub::{SasKey, SasToken};
    ///
    /// let key: SasKey = "c2VjcmV0".parse().unwrap();
    /// let text = SasToken::sign_for_policy("hub.local", "service", &key, Timestamp::MAX);
    /// let token = SasToken::parse(&text)?;
    /// assert!(token.is_signed_by(&key));
    /// assert_eq!((token.resource()?.as_ref(), token.policy()), ("hub.local", Some("service")));
    /// # Ok::<(), edge_transport::iothub::SasTokenError>(())
    /// ```
    #[must_use]
    pub fn sign_for_policy(resource: &str, policy: &str, key: &SasKey, expires: Timestamp) -> String {
        let (resource, policy) = (percent::encode(resource), percent::encode(policy));
        let seconds = expires.as_unix_ms() / 1000;
        let signature = percent::encode(&key.sign(&format!("{resource}\n{seconds}")));
        format!("SharedAccessSignature sr={resource}&sig={signature}&se={seconds}&skn={policy}")
    }

    /// Returns what the token is for: the hub's name, or a path behind it.
    ///
    /// # Errors
    /// [`SasTokenError::Resource`] when it is not UTF-8.
    pub fn resource(&self) -> Result<Cow<'a, str>, SasTokenError> {
        percent::decode(self.resource).ok_or(SasTokenError::Resource)
    }

    /// Returns when the token expires.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Returns the name of the policy whose key signed the token; `None` when it is the device's or module's own key.
    #[must_use]
    pub fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    /// Returns whom the token is for.
    ///
    /// Segments after the address, which old clients add, are passed over when they name an interface version.
    ///
    /// # Errors
    /// [`SasTokenError::Resource`] when the resource is not the address of a device or module.
    pub fn audience(&self) -> Result<Audience, SasTokenError> {
        let resource = percent::decode(self.resource).ok_or(SasTokenError::Resource)?;
        let mut segments: Vec<&str> = resource.split('/').collect();
        segments.pop_if(|last| last.is_empty());
        if segments.len().is_multiple_of(2) {
            // An address has an odd number of segments; only one too many can be a version, and not an id.
            segments.pop_if(|last| last.trim_start_matches('?').starts_with("api-version"));
        }
        let (host, device, module) = match segments[..] {
            [host, devices, device] if devices.eq_ignore_ascii_case("devices") => (host, device, None),
            [host, devices, device, modules, module]
                if devices.eq_ignore_ascii_case("devices") && modules.eq_ignore_ascii_case("modules") =>
            {
                (host, device, Some(module))
            }
            _ => return Err(SasTokenError::Resource),
        };
        Ok(Audience { host: host.to_owned(), device: device.to_owned(), module: module.map(str::to_owned) })
    }
}

impl fmt::Debug for SasToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SasToken")
            .field("resource", &self.resource)
            .field("expires", &self.expires)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Whom a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Audience {
    /// The hub.
    pub host: String,
    /// The device.
    pub device: String,
    /// The module; `None` for the device itself.
    pub module: Option<String>,
}

impl Audience {
    /// Returns whether the token is for `identity` itself.
    ///
    /// Letters count as the same in either case, as in Azure IoT Edge; the key is the identity's own all the same.
    #[must_use]
    pub fn is_of(&self, identity: &Identity) -> bool {
        let module = identity.module().map(|module| module.as_str());
        self.is_of_device_of(identity)
            && match (&self.module, module) {
                (Some(ours), Some(theirs)) => ours.eq_ignore_ascii_case(theirs),
                (ours, theirs) => ours.is_none() && theirs.is_none(),
            }
    }

    /// Returns whether the token is for the device that `identity` is, or is a module of.
    #[must_use]
    pub fn is_of_device_of(&self, identity: &Identity) -> bool {
        self.device.eq_ignore_ascii_case(identity.device().as_str())
    }

    /// Returns whether the token is for the hub `host`, in either case of its letters.
    #[must_use]
    pub fn is_at(&self, host: &str) -> bool {
        self.host.eq_ignore_ascii_case(host)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_that_looks_like_a_version_is_an_id() {
        let key: SasKey = "c2VjcmV0".parse().unwrap();
        for id in ["api-version-7", "press/api-version", "api-version/api-version"] {
            let identity: Identity = id.parse().unwrap();
            let text = SasToken::sign("hub.local", &identity, &key, Timestamp::from_unix_ms(0));
            assert!(SasToken::parse(&text).unwrap().audience().unwrap().is_of(&identity), "{id}");
        }
        let versioned =
            "SharedAccessSignature sr=hub.local%2Fdevices%2Fpress%2Fapi-version%3D2016&sig=eA%3D%3D&se=1";
        let audience = SasToken::parse(versioned).unwrap().audience().unwrap();
        assert!(audience.is_of(&"press".parse().unwrap()));
    }

    fn key() -> SasKey {
        // "0123456789abcdef0123456789abcdef"
        "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=".parse().unwrap()
    }

    fn check_signed(text: &str) {
        let token = SasToken::parse(text).unwrap();
        assert!(token.is_signed_by(&key()), "{text}");
        assert!(!token.is_signed_by(&SasKey::generate().unwrap()));
    }

    /// Signatures computed with Python's hmac module: the order of fields and the case of the encoding are free.
    #[test]
    fn signatures_of_other_languages() {
        check_signed(VECTORS[0]);
        check_signed(VECTORS[1]);
        check_signed(VECTORS[2]);
        check_signed(VECTORS[3]);
        assert_eq!(
            SasToken::sign(
                "hub.local",
                &"d".parse().unwrap(),
                &key(),
                Timestamp::from_unix_ms(1_900_000_000_000)
            ),
            VECTORS[0]
        );
    }

    const VECTORS: [&str; 4] = [
        "SharedAccessSignature sr=hub.local%2Fdevices%2Fd&sig=prxnWcpFNAJs6JqiMXYaF22W1NySjsXYu7kyZJlzRAQ%3D&se=1900000000",
        "SharedAccessSignature sr=hub.local%2fdevices%2fd%2fmodules%2fm&sig=YBSNGOKRSRPoyvMlGybr3pu6TqUEnQgy3IdJvfE%2B0d4%3D&skn=&se=1900000000",
        "SharedAccessSignature sr=hub.local&sig=sjXXDYyFql7Ssxm/KUG9A%2B71afc4AMyv7QFOq1NFvNc%3D&se=1900000003&skn=service",
        "SharedAccessSignature se=1900000000&sig=PYrNEF60YKAanEQdisLYQQ%2Fmacch7miSLNZuP8bXNKM%3D&sr=hub.local%2Fdevices%2Ft%C3%BCv",
    ];

    fn check_refused(text: &str, error: SasTokenError) {
        assert_eq!(SasToken::parse(text).map(|_| ()), Err(error), "{text}");
    }

    #[test]
    fn what_is_no_token() {
        check_refused("", SasTokenError::Scheme);
        check_refused("Bearer x", SasTokenError::Scheme);
        check_refused("SharedAccessSignature sr=a&sig=b", SasTokenError::Missing { field: "se" });
        check_refused("SharedAccessSignature sr=a&se=1", SasTokenError::Missing { field: "sig" });
        check_refused("SharedAccessSignature sig=AA%3D%3D&se=1", SasTokenError::Missing { field: "sr" });
        check_refused("SharedAccessSignature sr=a&sig=AA%3D%3D&se=x", SasTokenError::Expiry);
        check_refused("SharedAccessSignature sr=a&sig=AA%3D%3D&se=-1", SasTokenError::Expiry);
        check_refused("SharedAccessSignature sr=a&sig=!&se=1", SasTokenError::Signature);
        check_refused(
            "SharedAccessSignature sr=a&sr=b&sig=AA%3D%3D&se=1",
            SasTokenError::Twice { field: "sr" },
        );
        check_refused(&"x".repeat(9000), SasTokenError::TooLong { bytes: 9000 });
    }

    fn check_audience(resource: &str, of: &str, yes: bool) {
        let text = format!("SharedAccessSignature sr={resource}&sig=AA%3D%3D&se=1");
        let audience = SasToken::parse(&text).unwrap().audience();
        assert_eq!(
            audience.is_ok_and(|a| a.is_at("hub") && a.is_of(&of.parse().unwrap())),
            yes,
            "{resource}"
        );
    }

    #[test]
    fn audiences() {
        check_audience("hub%2Fdevices%2Fd", "d", true);
        check_audience("HUB/devices/D", "d", true);
        check_audience("hub%2fdevices%2fd%2fmodules%2fm", "d/m", true);
        check_audience("hub%2Fdevices%2Fd%2Fapi-version%3D2016", "d", true);
        check_audience("hub%2Fdevices%2Fd", "d/m", false);
        check_audience("hub%2Fdevices%2Fd%2Fmodules%2Fm", "d", false);
        check_audience("hub%2Fdevices%2Fe", "d", false);
        check_audience("other%2Fdevices%2Fd", "d", false);
        check_audience("hub", "d", false);
        check_audience("hub%2Fdevices", "d", false);
        check_audience("hub%2Fdevices%2Fd%2Fmodules", "d", false);
    }

    proptest! {
        #[test]
        fn a_changed_token_is_not_signed(at in any::<prop::sample::Index>(), byte in b'0'..b'z') {
            let text = VECTORS[0];
            let at = at.index(text.len());
            prop_assume!(text.as_bytes()[at] != byte);
            let mut changed = text.as_bytes().to_vec();
            changed[at] = byte;
            let changed = String::from_utf8(changed).unwrap();
            if let Ok(token) = SasToken::parse(&changed) {
                // Changing the case of a percent-encoding in the signature does not change the signature.
                let original = SasToken::parse(text).unwrap();
                let same = (token.resource, token.expiry, &token.signature)
                    == (original.resource, original.expiry, &original.signature);
                prop_assert_eq!(token.is_signed_by(&key()), same);
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "(SharedAccessSignature )?\\PC{0,80}") {
            if let Ok(token) = SasToken::parse(&text) {
                let _either_way = token.audience();
            }
        }
    }
}
