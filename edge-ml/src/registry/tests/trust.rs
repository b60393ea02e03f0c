use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edge_core::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SignatureAlgorithm, SigningKey as _,
};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::registry::{ModelSignature, Sha256, Trust, TrustError, signed_text};

const NOW: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

fn text(model: &str, version: &str, content: &[u8]) -> String {
    signed_text(&model.parse().unwrap(), &version.parse().unwrap(), &Sha256::of(content))
}

fn check(trust: &Trust, signature: Option<&ModelSignature>) -> Result<(), TrustError> {
    trust.check(&"m".parse().unwrap(), &"1".parse().unwrap(), &Sha256::of(b"file"), signature, NOW)
}

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn by_key(name: &str, pair: &Ed25519KeyPair, text: &str) -> ModelSignature {
    let value = STANDARD.encode(pair.sign(text.as_bytes()));
    ModelSignature { key: Some(name.into()), certificates: Vec::new(), value }
}

#[test]
fn a_key_vouches_for_one_version_of_one_model_with_one_content() {
    let pair = key(1);
    let trust = Trust::anybody().with_key("release", pair.public_key().as_ref()).unwrap();
    let good = text("m", "1", b"file");
    check(&trust, Some(&by_key("release", &pair, &good))).unwrap();
    for other in [text("n", "1", b"file"), text("m", "2", b"file"), text("m", "1", b"other"), "file".into()] {
        let refused = check(&trust, Some(&by_key("release", &pair, &other)));
        assert!(matches!(refused, Err(TrustError::Wrong)), "{other}");
    }
    assert!(matches!(check(&trust, Some(&by_key("release", &key(2), &good))), Err(TrustError::Wrong)));
    assert!(matches!(
        check(&trust, Some(&by_key("other", &pair, &good))),
        Err(TrustError::UnknownKey { .. })
    ));
    assert!(matches!(check(&trust, None), Err(TrustError::Unsigned)));
    check(&Trust::anybody(), None).unwrap();
    let broken = ModelSignature { value: "%".into(), ..by_key("release", &pair, &good) };
    assert!(matches!(check(&trust, Some(&broken)), Err(TrustError::Unreadable { .. })));
}

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pair = KeyPair::generate().unwrap();
    let pem = params.self_signed(&pair).unwrap().pem();
    Authority { pem, issuer: Issuer::new(params, pair) }
}

fn by_certificate(
    authority: &Authority,
    algorithm: &'static SignatureAlgorithm,
    change: impl FnOnce(&mut CertificateParams),
) -> ModelSignature {
    let pair = KeyPair::generate_for(algorithm).unwrap();
    let mut params = CertificateParams::new(vec!["models.example".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2025, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    change(&mut params);
    let certificate = params.signed_by(&pair, &authority.issuer).unwrap();
    let value = pair.sign(text("m", "1", b"file").as_bytes()).unwrap();
    ModelSignature {
        key: None,
        certificates: vec![STANDARD.encode(certificate.der())],
        value: STANDARD.encode(value),
    }
}

#[test]
fn a_certificate_vouches_when_it_leads_to_an_authority() {
    let (ours, theirs) = (authority(), authority());
    let trust = Trust::anybody().with_authorities(ours.pem.as_bytes()).unwrap();
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ED25519] {
        check(&trust, Some(&by_certificate(&ours, algorithm, |_| ()))).unwrap();
        let refused = check(&trust, Some(&by_certificate(&theirs, algorithm, |_| ())));
        assert!(matches!(refused, Err(TrustError::Certificate { .. })), "{refused:?}");
    }
    let signature = by_certificate(&ours, &PKCS_ED25519, |_| ());
    let other = by_certificate(&ours, &PKCS_ED25519, |_| ());
    let mixed = ModelSignature { value: other.value, ..signature.clone() };
    assert!(matches!(check(&trust, Some(&mixed)), Err(TrustError::Wrong)));
    let both = ModelSignature { key: Some("release".into()), ..signature };
    assert!(matches!(check(&trust, Some(&both)), Err(TrustError::Unreadable { .. })));
}

#[test]
fn a_certificate_vouches_in_its_time_and_for_its_use_only() {
    let ours = authority();
    let trust = Trust::anybody().with_authorities(ours.pem.as_bytes()).unwrap();
    let refused = |change: fn(&mut CertificateParams)| {
        let outcome = check(&trust, Some(&by_certificate(&ours, &PKCS_ED25519, change)));
        assert!(matches!(outcome, Err(TrustError::Certificate { .. })), "{outcome:?}");
    };
    refused(|params| params.not_after = rcgen::date_time_ymd(2025, 2, 1));
    refused(|params| params.not_before = rcgen::date_time_ymd(2026, 6, 1));
    refused(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    let signing = by_certificate(&ours, &PKCS_ED25519, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    });
    check(&trust, Some(&signing)).unwrap();
    let many = ModelSignature { certificates: vec![signing.certificates[0].clone(); 9], ..signing };
    assert!(matches!(check(&trust, Some(&many)), Err(TrustError::Unreadable { .. })));
}

#[test]
fn an_authority_must_be_one() {
    assert!(Trust::anybody().with_authorities(b"no certificate").is_err());
    assert!(Trust::anybody().with_key("short", &[0; 31]).is_err());
}
