//! Who is let in, and by what.
#![allow(missing_docs, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use edge_core::{AuthError, Authenticator, Credentials, Identity, Timestamp};
use edge_hub::{IdentityAuth, IdentityEntry, Registry};
use edge_transport::iothub::{CertificateFacts, SasKey, SasToken, Thumbprint};
use rcgen::{CertificateParams, DnType, KeyPair};

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
const LATER: Timestamp = Timestamp::from_unix_ms(1_800_003_600_000);

fn identity(text: &str) -> Identity {
    text.parse().unwrap()
}

fn key(text: &str) -> SasKey {
    text.parse().unwrap()
}

fn registry() -> Registry {
    let sas = |name: &str, keys: &[&str]| {
        IdentityEntry::new(identity(name), IdentityAuth::sas(keys.iter().map(|k| key(k)).collect()))
    };
    Registry::new(["hub.local", "gateway.local"]).with_identities([
        sas("press", &["cHJlc3M=", "cHJlc3My"]),
        sas("press/filter", &["ZmlsdGVy"]),
        sas("mill", &["bWlsbA=="]),
        sas("off", &["b2Zm"]).enabled(false),
        sas("off/filter", &["ZmlsdGVy"]),
    ])
}

async fn judge(claimed: &str, credentials: Credentials) -> Result<Option<Timestamp>, AuthError> {
    registry().authenticate(&identity(claimed), &credentials, NOW).await.map(|found| found.expires)
}

/// Signs a token for `subject` with a key, until `LATER`.
fn token(host: &str, subject: &str, with: &str) -> Credentials {
    Credentials::SasToken(SasToken::sign(host, &identity(subject), &key(with), LATER))
}

#[tokio::test]
async fn the_right_key_lets_in_until_the_token_runs_out() {
    let until = Some(LATER + Duration::from_secs(300));
    assert_eq!(judge("press", token("hub.local", "press", "cHJlc3M=")).await.unwrap(), until);
    assert_eq!(judge("press", token("GATEWAY.local", "press", "cHJlc3My")).await.unwrap(), until);
    assert_eq!(judge("press/filter", token("hub.local", "press/filter", "ZmlsdGVy")).await.unwrap(), until);
    let by_device = judge("press/filter", token("hub.local", "press/filter", "cHJlc3M=")).await;
    assert_eq!(by_device.unwrap(), until, "a device's key signs for its modules");
    assert_eq!(judge("press/filter", token("hub.local", "press", "cHJlc3M=")).await.unwrap(), until);
}

#[tokio::test]
async fn what_is_not_right_is_refused() {
    for (claimed, credentials) in [
        ("press", token("hub.local", "press", "bWlsbA==")),
        ("press", token("hub.local", "mill", "bWlsbA==")),
        ("press", token("hub.local", "press/filter", "ZmlsdGVy")),
        ("press", token("other.hub", "press", "cHJlc3M=")),
        ("press/filter", token("hub.local", "press", "ZmlsdGVy")),
        ("press/filter", token("hub.local", "mill", "bWlsbA==")),
        ("press", Credentials::SasToken("SharedAccessSignature sr=x".into())),
        ("press", Credentials::SasToken(String::new())),
    ] {
        let judged = judge(claimed, credentials.clone()).await;
        assert!(matches!(judged, Err(AuthError::Denied { .. })), "{claimed} {judged:?}");
    }
    let unknown = judge("nobody", token("hub.local", "nobody", "cHJlc3M=")).await;
    assert!(matches!(unknown, Err(AuthError::Unknown { .. })));
    let disabled = judge("off", token("hub.local", "off", "b2Zm")).await;
    assert!(matches!(disabled, Err(AuthError::Disabled { .. })));
    let of_disabled = judge("off/filter", token("hub.local", "off/filter", "ZmlsdGVy")).await;
    assert!(matches!(of_disabled, Err(AuthError::Disabled { .. })), "a module goes with its device");
    assert!(matches!(judge("press", Credentials::None).await, Err(AuthError::Kind { .. })));
}

#[tokio::test]
async fn an_old_token_is_refused_after_five_minutes_of_grace() {
    let old = |seconds: u64| {
        let expires = Timestamp::from_unix_ms(NOW.as_unix_ms() - seconds * 1000);
        Credentials::SasToken(SasToken::sign("hub.local", &identity("press"), &key("cHJlc3M="), expires))
    };
    assert!(judge("press", old(299)).await.is_ok());
    assert!(judge("press", old(300)).await.is_err());
}

#[tokio::test]
async fn a_certificate_is_judged_by_its_thumbprint_and_its_time() {
    let made = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    };
    let (camera, stranger) = (made("camera"), made("camera"));
    let auth = IdentityAuth::thumbprints(vec![Thumbprint::of(&camera)]);
    let registry =
        Registry::new(["hub.local"]).with_identities([IdentityEntry::new(identity("camera"), auth)]);
    let judge = async |der: &[u8], now| {
        let shown = Credentials::X509(vec![der.to_vec()]);
        let found = registry.authenticate(&identity("camera"), &shown, now).await;
        found.map(|found| (found.method, found.expires))
    };
    let until = CertificateFacts::read(&camera).unwrap().not_after;
    assert_eq!(judge(&camera, NOW).await.unwrap(), ("x509Thumbprint", Some(until)));
    assert!(judge(&stranger, NOW).await.is_err());
    assert!(
        judge(&camera, Timestamp::from_unix_ms(2_000_000_000_000)).await.is_err(),
        "it has run out by then"
    );
    assert!(judge(b"rubbish", NOW).await.is_err());
    let by_token = token("hub.local", "camera", "cHJlc3M=");
    let refused = registry.authenticate(&identity("camera"), &by_token, NOW).await;
    assert!(matches!(refused, Err(AuthError::Kind { wanted: "x509", .. })));
}

#[tokio::test]
async fn changed_identities_are_told() {
    let registry = Arc::new(registry());
    let sas = |name: &str, k: &str| IdentityEntry::new(identity(name), IdentityAuth::sas(vec![key(k)]));
    let mut changed =
        registry.replace([sas("press", "bmV3"), sas("press/filter", "ZmlsdGVy"), sas("mill", "bWlsbA==")]);
    changed.sort();
    let expected = ["off", "off/filter", "press", "press/filter"].map(identity);
    assert_eq!(changed, expected, "a module goes with its device, whose key may sign for it");
    assert_eq!(registry.replace([sas("mill", "bWlsbA==")]).len(), 2);
}
