use alloc::vec;

use super::*;

#[track_caller]
fn refused(text: &str) {
    assert!(parse(text, 64).is_err(), "{text}");
}

#[test]
fn reads_values() {
    let text = r#" {"a": [1, -2.5e1, true, null], "b\n\u00e9": {"c": "x\"\ud83d\ude00"}} "#;
    let json = parse(text, 64).expect("valid");
    let items = vec![Json::Number(1.0), Json::Number(-25.0), Json::Bool(true), Json::Null];
    assert_eq!(json.member("a"), Some(&Json::Array(items)));
    let inner = json.member("b\n\u{e9}").and_then(|b| b.member("c"));
    assert_eq!(inner, Some(&Json::Str("x\"\u{1F600}".into())));
}

#[test]
fn the_last_of_equal_names_counts() {
    assert_eq!(parse(r#"{"a":1,"a":2}"#, 64).expect("valid").member("a"), Some(&Json::Number(2.0)));
}

#[test]
fn refuses_what_is_not_json() {
    for text in [
        "",
        "{",
        "[1,]",
        "{a:1}",
        "01",
        "1.",
        "-",
        "\"\n\"",
        "\"\\x\"",
        "'a'",
        "tru",
        "1 2",
        "{\"a\" 1}",
        "\u{feff}{}",
    ] {
        refused(text);
    }
}

#[test]
fn depth_is_limited() {
    let nested = |n: usize| alloc::format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(parse(&nested(64), 64).is_ok());
    assert!(parse(&nested(65), 64).is_err());
}

#[test]
fn half_a_surrogate_pair_is_replaced() {
    assert_eq!(parse(r#""\ud800x""#, 64), Ok(Json::Str("\u{FFFD}x".into())));
}

#[test]
fn strings_of_every_length_and_ending() {
    for length in 0..40 {
        for odd in ["", "\u{7f}", "é", "\u{80}", "\\n", "!", "#", "[", "]"] {
            let inside = alloc::format!("{}{odd}{}", "a".repeat(length), "b".repeat(40 - length));
            let expected = inside.replace("\\n", "\n");
            assert_eq!(parse(&alloc::format!("\"{inside}\""), 1), Ok(Json::Str(expected)), "{inside}");
        }
        for bad in ["\u{1f}", "\n", "\0", "\\x", "\""] {
            let text = alloc::format!("\"{}{bad}{}\"", "é".repeat(length), "b".repeat(9));
            assert!(parse(&text, 1).is_err(), "{text}");
        }
    }
}
