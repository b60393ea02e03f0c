//! Conformance kit for [`Authenticator`].
//!
//! A kit that reads no clock cannot see how long a comparison takes: of the bullet on constant time it checks that a
//! secret which begins rightly is refused, and the rest is for a review.
//!
//! | contract | case | saboteur that fails it |
//! |---|---|---|
//! | An identity MUST NOT be let in by credentials of another one | [`credentials_of_another_are_refused`] | `AnyKnownSecret` |
//! | An identity MUST NOT be let in … | [`no_credentials_are_refused`] | `OpenDoor` |
//! | Secrets MUST be compared in constant time | [`nearly_right_secrets_are_refused`] | `ComparesThePrefix` |
//! | [`AuthError::Unavailable`] MUST be used when the answer is not known | [`not_knowing_is_said`] | `SaysUnknown` |
//! | … and only then | [`a_refusal_is_final`] | `NeverSure` |
//! | `Ok` MUST name the identity that was claimed | [`valid_credentials_let_in`] | `LetsNobodyIn` |
//! | `Ok` MUST name the identity that was claimed | [`ok_names_who_was_claimed`] | `NamesTheDevice` |
//! | Expired credentials MUST be refused | [`expired_credentials_are_refused`] | `NeverExpires` |
//! | … and `expires` MUST say when valid ones run out | [`expiry_is_stated`] | `HidesTheExpiry` |
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use std::time::Duration;

use async_trait::async_trait;

use crate::{AuthError, Authenticator, Credentials, Disposition, Identity, Timestamp};

/// A client that may connect, and what it shows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Client {
    /// Who it is.
    pub identity: Identity,
    /// What it shows; valid at [`AuthHarness::now`].
    pub credentials: Credentials,
    /// When the credentials run out, later than [`AuthHarness::now`]; `None` is never.
    pub expires: Option<Timestamp>,
    /// Credentials that are nearly right and must be refused: a key with its last bit flipped, a signature cut short.
    pub nearly: Vec<Credentials>,
}

impl Client {
    /// Returns a client without credentials that are nearly right.
    #[must_use]
    pub fn new(identity: Identity, credentials: Credentials, expires: Option<Timestamp>) -> Self {
        Self { identity, credentials, expires, nearly: Vec::new() }
    }

    /// Adds credentials that are nearly right.
    #[must_use]
    pub fn nearly(mut self, credentials: Credentials) -> Self {
        self.nearly.push(credentials);
        self
    }
}

/// How the kit gets at an authenticator.
#[async_trait]
pub trait AuthHarness: Send + Sync {
    /// The authenticator under test.
    type Authenticator: Authenticator;

    /// Returns an authenticator that knows all of [`AuthHarness::clients`].
    async fn open(&self) -> Self::Authenticator;

    /// Returns the time that the kit tells.
    fn now(&self) -> Timestamp;

    /// Returns at least two clients that may connect, each with credentials of its own; a device and its module
    /// among them where both exist.
    fn clients(&self) -> Vec<Client>;

    /// Returns an authenticator that cannot ask anybody and remembers nothing; `None` when it never asks.
    async fn cut_off(&self) -> Option<Self::Authenticator> {
        None
    }
}

/// > `Ok` MUST name the identity that was claimed.
///
/// Clients with valid credentials are let in at all.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn valid_credentials_let_in(harness: &impl AuthHarness) {
    let judge = harness.open().await;
    let clients = harness.clients();
    assert!(clients.len() >= 2, "the kit needs two clients to tell them apart");
    for client in clients {
        let verdict = judge.authenticate(&client.identity, &client.credentials, harness.now()).await;
        assert!(verdict.is_ok(), "{}: {verdict:?}", client.identity);
    }
}

/// > `Ok` MUST name the identity that was claimed.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn ok_names_who_was_claimed(harness: &impl AuthHarness) {
    let judge = harness.open().await;
    for client in harness.clients() {
        if let Ok(found) = judge.authenticate(&client.identity, &client.credentials, harness.now()).await {
            assert_eq!(found.identity, client.identity);
        }
    }
}

/// > An identity MUST NOT be let in by credentials of another one.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn credentials_of_another_are_refused(harness: &impl AuthHarness) {
    let judge = harness.open().await;
    let clients = harness.clients();
    for claimed in &clients {
        for other in clients.iter().filter(|other| other.identity != claimed.identity) {
            let verdict = judge.authenticate(&claimed.identity, &other.credentials, harness.now()).await;
            assert!(verdict.is_err(), "{} came in as {}", other.identity, claimed.identity);
        }
    }
}

/// > An identity MUST NOT be let in by credentials of another one.
///
/// No credentials are nobody's.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn no_credentials_are_refused(harness: &impl AuthHarness) {
    let judge = harness.open().await;
    for client in harness.clients() {
        let empty = [
            Credentials::None,
            Credentials::SasToken(String::new()),
            Credentials::X509(Vec::new()),
            Credentials::X509(vec![Vec::new()]),
        ];
        for credentials in empty.iter().filter(|empty| **empty != client.credentials) {
            let verdict = judge.authenticate(&client.identity, credentials, harness.now()).await;
            assert!(verdict.is_err(), "{} came in by {credentials:?} without content", client.identity);
        }
    }
}

/// > Secrets MUST be compared in constant time: a comparison that stops early tells an attacker how far it got.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn nearly_right_secrets_are_refused(harness: &impl AuthHarness) {
    let judge = harness.open().await;
    for client in harness.clients() {
        for (number, credentials) in client.nearly.iter().enumerate() {
            let verdict = judge.authenticate(&client.identity, credentials, harness.now()).await;
            assert!(verdict.is_err(), "{} came in by nearly right credentials {number}", client.identity);
        }
    }
}

/// > [`AuthError::Unavailable`] MUST be used when the answer is not known, and only then: a client takes any other
/// > refusal as final.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn not_knowing_is_said(harness: &impl AuthHarness) {
    let Some(judge) = harness.cut_off().await else {
        return super::absent("not_knowing_is_said", "authenticator that asks somebody");
    };
    for client in harness.clients() {
        let verdict = judge.authenticate(&client.identity, &client.credentials, harness.now()).await;
        assert!(matches!(verdict, Err(AuthError::Unavailable { .. })), "{}: {verdict:?}", client.identity);
    }
}

/// > [`AuthError::Unavailable`] MUST be used when the answer is not known, and only then: a client takes any other
/// > refusal as final.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_refusal_is_final(harness: &impl AuthHarness) {
    let judge = harness.open().await;
    for client in harness.clients() {
        let verdict = judge.authenticate(&client.identity, &Credentials::None, harness.now()).await;
        let error = verdict.expect_err("no credentials are refused");
        assert_eq!(error.disposition(), Disposition::Reject, "{}: {error}", client.identity);
    }
}

/// > Expired credentials MUST be refused, and [`Authenticated::expires`] MUST say when valid ones run out.
///
/// Checked one second after the expiry, since tokens count in seconds.
///
/// [`Authenticated::expires`]: crate::Authenticated::expires
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn expired_credentials_are_refused(harness: &impl AuthHarness) {
    let judge = harness.open().await;
    for client in harness.clients() {
        let Some(expires) = client.expires else { continue };
        let late = expires + Duration::from_secs(1);
        let verdict = judge.authenticate(&client.identity, &client.credentials, late).await;
        assert!(verdict.is_err(), "{} came in after {expires}", client.identity);
    }
}

/// > Expired credentials MUST be refused, and [`Authenticated::expires`] MUST say when valid ones run out.
///
/// [`Authenticated::expires`]: crate::Authenticated::expires
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn expiry_is_stated(harness: &impl AuthHarness) {
    let judge = harness.open().await;
    for client in harness.clients() {
        let verdict = judge.authenticate(&client.identity, &client.credentials, harness.now()).await;
        let stated = verdict.map(|found| found.expires);
        assert!(matches!(stated, Ok(when) if when == client.expires), "{}: {stated:?}", client.identity);
    }
}

/// Makes one test of each case of the [authenticator kit](crate::testing::authenticator); the argument makes a
/// harness.
#[macro_export]
macro_rules! authenticator_conformance {
    ($harness:expr) => {
        $crate::__authenticator_cases! { __kit_tests! [$harness] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __authenticator_cases {
    ($then:ident! $args:tt) => {
        $crate::$then! { $args authenticator:
            valid_credentials_let_in,
            ok_names_who_was_claimed,
            credentials_of_another_are_refused,
            no_credentials_are_refused,
            nearly_right_secrets_are_refused,
            not_knowing_is_said,
            a_refusal_is_final,
            expired_credentials_are_refused,
            expiry_is_stated,
        }
    };
}

__authenticator_cases! { __kit_index! [AuthHarness] }
