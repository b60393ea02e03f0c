//! Whether what a client shows is right.

use async_trait::async_trait;
use edge_core::{AuthError, Authenticated, Authenticator, Credentials, Identity, Timestamp};
use edge_transport::iothub::{CertificateFacts, SasToken};

use super::entry::Entry;
use super::{IdentityAuth, Registry};

impl Registry {
    fn judge_token(
        &self,
        entry: &Entry,
        device_keys: Option<&Entry>,
        token: &str,
        now: Timestamp,
    ) -> Result<Timestamp, String> {
        let token = SasToken::parse(token).map_err(|error| error.to_string())?;
        let audience = token.audience().map_err(|error| error.to_string())?;
        self.check_host(&audience.host)?;
        let identity = &entry.record.identity;
        let for_device = audience.module.is_none() && audience.is_of_device_of(identity);
        if !audience.is_of(identity) && !for_device {
            return Err("the token is for somebody else".into());
        }
        let of_device = device_keys.filter(|device| device.record.enabled);
        // A token for the device must be signed by the device, one for the module by either.
        let own = Some(entry).filter(|_| audience.is_of(identity));
        let keys = [own, of_device].into_iter().flatten().filter_map(|entry| match &entry.auth {
            Some(IdentityAuth::Sas { keys }) => Some(keys),
            _ => None,
        });
        // Every key is tried, so that the time taken does not tell which one matched.
        let matches = keys.flatten().fold(false, |found, key| token.is_signed_by(key) | found);
        if !matches {
            return Err("the token is signed with another key".into());
        }
        self.check_expiry(&token, now)
    }

    pub(super) fn check_host(&self, host: &str) -> Result<(), String> {
        if self.hub_names.iter().any(|name| name.eq_ignore_ascii_case(host)) {
            return Ok(());
        }
        let wanted = self.hub_names.join(" or ");
        Err(format!("the token is for the hub {host:?}, and here it must be {wanted}"))
    }

    pub(super) fn check_expiry(&self, token: &SasToken<'_>, now: Timestamp) -> Result<Timestamp, String> {
        let expires = token.expires() + self.skew;
        if expires <= now {
            return Err(format!("the token ran out at {}", token.expires()));
        }
        Ok(expires)
    }

    fn judge_certificate(
        &self,
        entry: &Entry,
        chain: &[Vec<u8>],
        now: Timestamp,
    ) -> Result<(&'static str, Timestamp), String> {
        let Some(leaf) = chain.first() else { return Err("no certificate was shown".into()) };
        match &entry.auth {
            Some(IdentityAuth::Thumbprints { thumbprints }) => {
                let facts = CertificateFacts::read(leaf).map_err(|error| error.to_string())?;
                if !facts.is_valid_at(now) {
                    return Err(format!(
                        "the certificate is valid from {} to {}",
                        facts.not_before, facts.not_after
                    ));
                }
                if thumbprints.iter().any(|print| print.is_of(leaf)) {
                    Ok(("x509Thumbprint", facts.not_after))
                } else {
                    Err("the certificate has another thumbprint".into())
                }
            }
            Some(IdentityAuth::CertificateAuthority) => {
                let authority = self.authority.as_ref().ok_or("no authority for devices is configured")?;
                authority.verify(chain, now).map_err(|error| edge_core::Report(&error).to_string())?;
                let facts = CertificateFacts::read(leaf).map_err(|error| error.to_string())?;
                if facts.common_name.as_deref() == Some(entry.record.identity.device().as_str()) {
                    Ok(("x509Certificate", facts.not_after))
                } else {
                    Err(format!("the certificate is for {:?}", facts.common_name.unwrap_or_default()))
                }
            }
            _ => Err("a token is wanted".into()),
        }
    }
}

#[async_trait]
impl Authenticator for Registry {
    async fn authenticate(
        &self,
        claimed: &Identity,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let (entry, device) = {
            let entries = self.read();
            let entry = entries.get(claimed).cloned();
            let device = claimed.module().map(|_| Identity::of_device(claimed.device().clone()));
            (entry, device.and_then(|device| entries.get(&device).cloned()))
        };
        let identity = || claimed.clone();
        let entry = entry.ok_or_else(|| AuthError::Unknown { identity: identity() })?;
        if [Some(&entry), device.as_ref()].into_iter().flatten().any(|entry| !entry.record.enabled) {
            return Err(AuthError::Disabled { identity: identity() });
        }
        let denied = |reason| AuthError::Denied { identity: identity(), reason };
        if let Credentials::SasToken(token) = credentials
            && let Some(judged) = self.judge_device_policy(claimed, token, now)
        {
            return Ok(Authenticated::new(identity(), "sas", Some(judged.map_err(denied)?)));
        }
        match (credentials, &entry.auth) {
            (Credentials::SasToken(token), Some(IdentityAuth::Sas { .. })) => {
                let expires = self.judge_token(&entry, device.as_deref(), token, now).map_err(denied)?;
                Ok(Authenticated::new(identity(), "sas", Some(expires)))
            }
            (
                Credentials::X509(chain),
                Some(IdentityAuth::Thumbprints { .. } | IdentityAuth::CertificateAuthority),
            ) => {
                let (method, expires) = self.judge_certificate(&entry, chain, now).map_err(denied)?;
                Ok(Authenticated::new(identity(), method, Some(expires)))
            }
            (shown, auth) => {
                let wanted = auth.as_ref().map_or("nothing", IdentityAuth::wanted);
                Err(AuthError::Kind { identity: identity(), shown: shown.kind(), wanted })
            }
        }
    }
}
