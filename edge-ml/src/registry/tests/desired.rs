use serde_json::{Value, json};

use crate::registry::{Desired, Sha256};

fn good() -> Value {
    json!({
        "model": "anomaly", "version": "3", "sha256": Sha256::of(b"x").to_string(), "file": "/models/x.onnx",
        "mapping": { "inputs": [] },
        "policy": {
            "shadow": { "samples": 10, "seconds": 5 },
            "canary": { "percent": 12.5, "samples": 20, "seconds": 6 },
            "probation": { "samples": 30, "seconds": 7 },
            "gates": { "errorRate": 0.5, "p99Ms": 20, "p99Ratio": 2, "divergence": 0.1, "drift": 0.25 },
            "timeLimitMs": 100, "starts": 2
        }
    })
}

/// Checks which members are told to be wrong after a change.
#[track_caller]
fn check(change: impl FnOnce(&mut Value), wrong: &[&str]) {
    let mut document = good();
    change(&mut document);
    let mistakes = Desired::parse(&document).map(|_| ()).map_err(|mistakes| mistakes.all);
    let paths = mistakes.err().unwrap_or_default();
    assert_eq!(paths.iter().map(|mistake| mistake.path.as_str()).collect::<Vec<_>>(), wrong, "{paths:?}");
}

#[test]
fn a_full_document_is_read_and_written_the_same() {
    let desired = Desired::parse(&good()).unwrap();
    let written = serde_json::to_value(&desired).unwrap();
    assert_eq!(Desired::parse(&written).unwrap(), desired);
    assert_eq!(serde_json::from_value::<Desired>(written).unwrap(), desired);
    assert_eq!(desired.policy.gates.p99_ms, Some(20.0));
    assert_eq!(desired.policy.canary.unwrap().rule.samples, 20);
}

#[test]
fn what_the_twin_adds_is_left_out() {
    check(|document| document["$version"] = json!(7), &[]);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let change = |document: &mut Value| {
        document["version"] = json!("");
        document["sha256"] = json!("abc");
        document["url"] = json!("https://x/y");
        document["policy"]["canary"]["percent"] = json!(101);
        document["policy"]["gates"]["drfit"] = json!(1);
        document["policy"]["starts"] = json!(0);
    };
    let wrong = ["version", "sha256", "url", "policy.canary.percent", "policy.gates.drfit", "policy.starts"];
    check(change, &wrong);
}

#[test]
fn a_near_name_is_suggested() {
    let mut document = good();
    document["polcy"] = json!({});
    let mistakes = Desired::parse(&document).unwrap_err().to_string();
    assert_eq!(mistakes, "polcy: is not known; did you mean \"policy\"?");
}

#[test]
fn each_member_has_its_type() {
    check(|document| document["model"] = json!(7), &["model"]);
    check(|document| document["policy"] = json!([]), &["policy"]);
    check(|document| document["policy"]["shadow"] = json!(3), &["policy.shadow"]);
    check(|document| document["policy"]["shadow"]["samples"] = json!(-3), &["policy.shadow.samples"]);
    check(|document| document["policy"]["canary"] = json!({}), &["policy.canary.percent"]);
    check(|document| document["signature"] = json!({ "valeu": "" }), &["signature"]);
    check(|document| *document = json!("text"), &["the document", "model", "version", "sha256", "url"]);
}

#[test]
fn the_origin_is_one_of_two() {
    check(|document| document["file"] = json!("models/x.onnx"), &["file"]);
    check(|document| document["file"] = Value::Null, &["url"]);
    let url = |url: &str| {
        let url = url.to_owned();
        move |document: &mut Value| {
            document["file"] = Value::Null;
            document["url"] = json!(url);
        }
    };
    check(url("https://models.example/x"), &[]);
    check(url("ftp://models.example/x"), &["url"]);
    check(url("https://models.example/a b"), &["url"]);
    check(url(&format!("https://{}", "x".repeat(3000))), &["url"]);
}

#[test]
fn names_stay_in_their_folder() {
    for name in ["..", ".", "a/b", "", "-a", &"x".repeat(65)] {
        check(|document| document["model"] = json!(name), &["model"]);
    }
}

#[test]
fn the_key_is_that_of_what_serves() {
    let key = |change: fn(&mut Value)| {
        let mut document = good();
        change(&mut document);
        Desired::parse(&document).unwrap().key()
    };
    let same = key(|_| ());
    assert_eq!(key(|document| document["policy"] = json!({})), same);
    assert_eq!(key(|document| document["file"] = json!("/other")), same);
    assert_ne!(key(|document| document["mapping"] = json!({})), same);
    assert_ne!(key(|document| document["version"] = json!("4")), same);
}
