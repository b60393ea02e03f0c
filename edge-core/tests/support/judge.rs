//! An authenticator over a list of secrets.

use async_trait::async_trait;
use edge_core::testing::authenticator::{AuthHarness, Client};
use edge_core::{AuthError, Authenticated, Authenticator, Credentials, Identity, Timestamp};

pub const NOW: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

pub fn expiry() -> Option<Timestamp> {
    Some(NOW + std::time::Duration::from_secs(60))
}

/// Everybody who may connect, with their secrets.
pub const SECRETS: [(&str, &str); 3] =
    [("edge1", "key of edge1"), ("edge1/m", "key of m"), ("s", "key of s")];

#[derive(Debug, Default)]
pub struct Judge {
    pub cut_off: bool,
}

#[async_trait]
impl Authenticator for Judge {
    async fn authenticate(
        &self,
        claimed: &Identity,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let identity = claimed.clone();
        if self.cut_off {
            return Err(AuthError::Unavailable { identity, source: "the line is cut".into() });
        }
        let Some((_, secret)) = SECRETS.iter().find(|(name, _)| *name == claimed.to_string()) else {
            return Err(AuthError::Unknown { identity });
        };
        let Credentials::SasToken(shown) = credentials else {
            return Err(AuthError::Kind { identity, shown: credentials.kind(), wanted: "sas" });
        };
        let same = shown.len() == secret.len();
        let same = same && shown.bytes().zip(secret.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0;
        if !same || expiry().is_some_and(|expiry| now >= expiry) {
            return Err(AuthError::Denied { identity, reason: "wrong or too late".into() });
        }
        Ok(Authenticated::new(identity, "sas", expiry()))
    }
}

#[derive(Debug)]
pub struct JudgeHarness<F> {
    pub make: F,
}

#[async_trait]
impl<A: Authenticator, F: Fn(Judge) -> A + Send + Sync> AuthHarness for JudgeHarness<F> {
    type Authenticator = A;

    async fn open(&self) -> A {
        (self.make)(Judge::default())
    }

    fn now(&self) -> Timestamp {
        NOW
    }

    fn clients(&self) -> Vec<Client> {
        let client = |(name, secret): (&str, &str)| {
            Client::new(name.parse().unwrap(), Credentials::SasToken(secret.into()), expiry())
                .nearly(Credentials::SasToken(secret.get(..6).unwrap().into()))
                .nearly(Credentials::SasToken(format!("{secret}!")))
        };
        SECRETS.into_iter().map(client).collect()
    }

    async fn cut_off(&self) -> Option<A> {
        Some((self.make)(Judge { cut_off: true }))
    }
}
