//! Lets in whoever knows the one secret: enough for an example, and for nothing else.

use async_trait::async_trait;
use edge_core::{AuthError, Authenticated, Authenticator, Credentials, Identity, Timestamp};

/// One secret for everybody.
#[derive(Debug)]
pub(crate) struct OneSecret(pub(crate) &'static str);

#[async_trait]
impl Authenticator for OneSecret {
    async fn authenticate(
        &self,
        claimed: &Identity,
        credentials: &Credentials,
        _now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let Credentials::SasToken(shown) = credentials else {
            let (identity, shown) = (claimed.clone(), credentials.kind());
            return Err(AuthError::Kind { identity, shown, wanted: "sas" });
        };
        // All bytes are compared, whatever the first ones are: the time taken tells nobody how far a guess got.
        let differences = shown.bytes().zip(self.0.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        if differences != 0 || shown.len() != self.0.len() {
            return Err(AuthError::Denied { identity: claimed.clone(), reason: "a wrong secret".to_owned() });
        }
        Ok(Authenticated::new(claimed.clone(), "sas", None))
    }
}
