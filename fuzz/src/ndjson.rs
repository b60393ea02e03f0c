//! Recorded messages, one a line.

use edge_transport::upstream::ndjson::Record;

/// Reads a recorded message, and checks that it is written as one line, which says the same.
///
/// # Panics
/// Panics when something does not hold.
pub fn ndjson(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(first) = text.parse::<Record>() else { return };
    let line = first.to_string();
    assert!(!line.contains(['\n', '\r']), "{line:?} is more than one line");
    let second: Record = line.parse().expect("what is written can be read");
    assert_eq!(second.to_string(), line);
    assert_eq!(second.enqueued, first.enqueued);
    let (first, second) = (first.message, second.message);
    assert_eq!(second.source(), first.source());
    assert!(second.system().iter().eq(first.system().iter()));
    assert!(second.properties().iter().eq(first.properties().iter()));
    // White space around JSON and its line breaks are left out; what is no JSON stays as it is.
    let blank = first.body().iter().any(u8::is_ascii_whitespace);
    assert!(blank || second.body() == first.body(), "{line}");
}
