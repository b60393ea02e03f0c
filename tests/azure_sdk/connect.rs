//! Who gets in.

use edge_e2e::script::Script;
use edge_e2e::site::{HUB, Site};
use serde_json::{Value, json};

const TLS: &str = "mqtt = \"IP:8883\"\nhttps = \"IP:443\"";
const UPSTREAM: &str = "[routes]\nall = \"FROM /messages/* INTO $upstream\"\n";

fn gets_in(script: &Value) {
    let script = Script::start("connect.py", script);
    script.expect("connected");
    script.expect("sent");
    script.finish();
}

/// Only `CredentialError` stops the SDK from trying again for ever.
fn is_refused(script: &Value) {
    let script = Script::start("connect.py", script);
    assert_eq!(script.expect("refused")["error"], "CredentialError");
    script.finish();
}

#[test]
fn the_right_key_gets_in_and_a_wrong_one_does_not() {
    let site = Site::new(20, 1).listen(TLS).tls(None).identity("sensor1").identity("other").and(UPSTREAM);
    let _gateway = site.start(8883);
    gets_in(&site.script("sensor1"));
    assert_eq!(site.wait_for_upstream(1).len(), 1);

    for (right, wrong) in
        [("SharedAccessKey=", "SharedAccessKey=AAAA"), ("DeviceId=sensor1", "DeviceId=nobody")]
    {
        let mut script = site.script("sensor1");
        script["connection_string"] = site.connection_string("sensor1").replace(right, wrong).into();
        is_refused(&script);
        script["websockets"] = true.into();
        is_refused(&script);
    }
    assert_eq!(site.upstream().len(), 1, "who is refused sends nothing");
}

#[test]
fn devices_show_certificates() {
    let site = Site::new(20, 2).listen(TLS);
    let (own, foreign) = (site.pki.self_signed("own"), site.pki.self_signed("foreign"));
    let (signed, authority) = site.pki.signed("signed");
    let (stray, _) = site.pki.signed("stray");
    let thumbprint = format!("type = \"x509_thumbprint\", primary = \"{}\"", own.thumbprint);
    let site = site
        .tls(Some(&authority))
        .identity_with("own", &thumbprint)
        .identity_with("signed", "type = \"x509_ca\"")
        .identity_with("stray", "type = \"x509_ca\"")
        .and(UPSTREAM);
    let _gateway = site.start(8883);
    let script = |device: &str, shown: &edge_e2e::pki::DeviceCertificate| {
        json!({
            "certificate": shown.certificate, "key": shown.key, "hub": HUB, "device": device,
            "gateway": site.ip.to_string(), "ca": site.pki.ca,
        })
    };
    gets_in(&script("own", &own));
    gets_in(&script("signed", &signed));
    is_refused(&script("own", &foreign));
    is_refused(&script("stray", &stray));
    is_refused(&script("own", &signed));
    assert_eq!(site.wait_for_upstream(2).len(), 2);
}
