//! Broken authenticators.

use async_trait::async_trait;
use edge_core::{AuthError, Authenticated, Authenticator, Credentials, Identity, Timestamp};

use super::flaws;
use crate::support::judge::{Judge, NOW, SECRETS, expiry};

flaws! { AuthFlaw {
    LetsNobodyIn => "valid_credentials_let_in",
    NamesTheDevice => "ok_names_who_was_claimed",
    AnyKnownSecret => "credentials_of_another_are_refused",
    OpenDoor => "no_credentials_are_refused",
    ComparesThePrefix => "nearly_right_secrets_are_refused",
    SaysUnknown => "not_knowing_is_said",
    NeverSure => "a_refusal_is_final",
    NeverExpires => "expired_credentials_are_refused",
    HidesTheExpiry => "expiry_is_stated",
} }

/// A sound authenticator with one flaw.
#[derive(Debug)]
pub struct Broken {
    pub inner: Judge,
    pub flaw: AuthFlaw,
}

fn secret_of(claimed: &Identity) -> Option<&'static str> {
    SECRETS.iter().find(|(name, _)| *name == claimed.to_string()).map(|(_, secret)| *secret)
}

impl Broken {
    /// Whether the flaw lets these credentials in.
    fn is_fooled(&self, claimed: &Identity, credentials: &Credentials) -> bool {
        match (self.flaw, credentials) {
            (AuthFlaw::OpenDoor, Credentials::None) => true,
            (AuthFlaw::AnyKnownSecret, Credentials::SasToken(shown)) => {
                SECRETS.iter().any(|(_, secret)| secret == shown)
            }
            (AuthFlaw::ComparesThePrefix, Credentials::SasToken(shown)) if !shown.is_empty() => {
                secret_of(claimed).is_some_and(|secret| secret.starts_with(shown.as_str()))
            }
            _ => false,
        }
    }
}

#[async_trait]
impl Authenticator for Broken {
    async fn authenticate(
        &self,
        claimed: &Identity,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let identity = claimed.clone();
        if self.is_fooled(claimed, credentials) {
            return Ok(Authenticated::new(identity, "sas", expiry()));
        }
        let now = if self.flaw == AuthFlaw::NeverExpires { NOW } else { now };
        let mut verdict = self.inner.authenticate(claimed, credentials, now).await;
        match (self.flaw, &mut verdict) {
            (AuthFlaw::LetsNobodyIn, Ok(_)) => Err(AuthError::Disabled { identity }),
            (AuthFlaw::SaysUnknown, Err(AuthError::Unavailable { .. })) => {
                Err(AuthError::Unknown { identity })
            }
            (AuthFlaw::NeverSure, Err(_)) => {
                Err(AuthError::Unavailable { identity, source: "perhaps".into() })
            }
            (AuthFlaw::NamesTheDevice, Ok(found)) => {
                found.identity = Identity::of_device(claimed.device().clone());
                verdict
            }
            (AuthFlaw::HidesTheExpiry, Ok(found)) => {
                found.expires = None;
                verdict
            }
            _ => verdict,
        }
    }
}
