//! Conditions, evaluated for any body.

use edge_routing::{Condition, Sample, Truth};

/// Content types and encodings that change how a body is read.
const ENCODINGS: [&str; 4] = ["utf-8", "utf-16", "utf-32", "us-ascii"];

/// Compiles the input up to its first zero byte, and evaluates it for the rest as the body of a message.
///
/// # Panics
/// Panics when something does not hold.
pub fn condition(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let Ok(text) = std::str::from_utf8(parts.next().unwrap_or_default()) else { return };
    let Ok(condition) = Condition::compile(text) else { return };
    let body = parts.next().unwrap_or_default();
    let inverse = Condition::compile(&format!("NOT ({text})"));
    for encoding in ENCODINGS {
        let message = Sample::new("/messages/modules/m/outputs/o/")
            .with_property("a", Some("1"))
            .with_property("b", Some(""))
            .with_property("n", None)
            .with_json(body)
            .with_system_property("contentEncoding", Some(encoding));
        let truth = condition.evaluate(&message);
        assert_eq!(condition.evaluate(&message), truth, "the same message has the same outcome");
        // Only of a text that means all that it says: no comment, nothing ignored behind it.
        if let Ok(inverse) = &inverse
            && condition.warnings().iter().next().is_none()
            && !text.contains("--")
            && !text.contains("/*")
        {
            let never_both = truth == Truth::True && inverse.evaluate(&message) == Truth::True;
            assert!(!never_both, "{text:?} and its inverse are both true");
        }
    }
}
