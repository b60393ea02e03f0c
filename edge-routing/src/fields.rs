//! What a condition can see of a message.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// The parts of a message that routes look at; implement it to route your own message type.
///
/// # Contract
/// - `property` and `system_property` MUST ignore the case of the name, and MUST give the same answer each time while
///   a message is routed; otherwise routes that name one property may disagree about it.
/// - `each_property` MUST visit exactly the properties that `property` finds; a property left out is invisible to
///   routes that were indexed by it.
/// - `content_type` and `content_encoding` MUST be what `system_property` gives for these names; they are there to be
///   quicker.
/// - `Some(None)` is a property that is present without a value.
pub trait Fields {
    /// Where the message comes from, as in `/messages/modules/m/outputs/o`; a `/` at the end makes no difference.
    fn source(&self) -> &str;

    /// The application property `name`.
    fn property(&self, name: &str) -> Option<Option<&str>>;

    /// Visits every application property.
    fn each_property<'f>(&'f self, visit: &mut dyn FnMut(&'f str, Option<&'f str>));

    /// The system property `name`, as it is called behind `$`: `contentType`, `connectionDeviceId` and so on.
    fn system_property(&self, name: &str) -> Option<Option<&str>>;

    /// The body as it came.
    fn body(&self) -> &[u8];

    /// What the message says that its body is: the system property `contentType`.
    fn content_type(&self) -> Option<&str> {
        self.system_property("contentType").flatten()
    }

    /// The encoding of the body: the system property `contentEncoding`.
    fn content_encoding(&self) -> Option<&str> {
        self.system_property("contentEncoding").flatten()
    }
}

impl<F: Fields + ?Sized> Fields for &F {
    fn source(&self) -> &str {
        (**self).source()
    }

    fn property(&self, name: &str) -> Option<Option<&str>> {
        (**self).property(name)
    }

    fn each_property<'f>(&'f self, visit: &mut dyn FnMut(&'f str, Option<&'f str>)) {
        (**self).each_property(visit);
    }

    fn system_property(&self, name: &str) -> Option<Option<&str>> {
        (**self).system_property(name)
    }

    fn body(&self) -> &[u8] {
        (**self).body()
    }

    fn content_type(&self) -> Option<&str> {
        (**self).content_type()
    }

    fn content_encoding(&self) -> Option<&str> {
        (**self).content_encoding()
    }
}

/// A plain message of its own: for tools, tests, and programs without `edge_core::Message`.
///
/// # Examples
/// ```
/// use edge_routing::{Fields, Sample};
/// let message = Sample::new("/messages/modules/sensor")
///     .with_property("Temperature", Some("31"))
///     .with_json(br#"{"machine": {"status": "warning"}}"#);
/// assert_eq!(message.property("temperature"), Some(Some("31")));
/// assert_eq!(message.system_property("contenttype"), Some(Some("application/json")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    source: String,
    properties: Vec<(String, Option<String>)>,
    system: Vec<(String, Option<String>)>,
    body: Vec<u8>,
}

impl Sample {
    /// A message from `source` without properties and body.
    #[must_use]
    pub fn new(source: impl Into<String>) -> Self {
        Self { source: source.into(), ..Self::default() }
    }

    /// Replaces the source.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// Adds an application property, or replaces the one of this name.
    #[must_use]
    pub fn with_property(mut self, name: &str, value: Option<&str>) -> Self {
        put(&mut self.properties, name, value);
        self
    }

    /// Adds a system property, or replaces the one of this name.
    #[must_use]
    pub fn with_system_property(mut self, name: &str, value: Option<&str>) -> Self {
        put(&mut self.system, name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body, and the system properties that say it is JSON in UTF-8.
    #[must_use]
    pub fn with_json(self, body: impl Into<Vec<u8>>) -> Self {
        self.with_body(body)
            .with_system_property("contentType", Some("application/json"))
            .with_system_property("contentEncoding", Some("utf-8"))
    }

    /// The application properties, in the order they were added.
    pub fn properties(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.properties.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// The system properties, in the order they were added.
    pub fn system_properties(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.system.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }
}

fn put(list: &mut Vec<(String, Option<String>)>, name: &str, value: Option<&str>) {
    let value = value.map(ToOwned::to_owned);
    match list.iter_mut().find(|(key, _)| same_name(key, name)) {
        Some(entry) => entry.1 = value,
        None => list.push((name.to_owned(), value)),
    }
}

fn look<'a>(list: &'a [(String, Option<String>)], name: &str) -> Option<Option<&'a str>> {
    list.iter().find(|(key, _)| same_name(key, name)).map(|(_, value)| value.as_deref())
}

/// Whether two names are the same, case aside.
fn same_name(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    for (x, y) in a.bytes().zip(b.bytes()) {
        if x != y && !x.eq_ignore_ascii_case(&y) {
            // Folding maps one character to one, so what differs in ASCII differs.
            return !(x.is_ascii() && y.is_ascii()) && crate::text::eq_ignore_case(a, b);
        }
    }
    a.len() == b.len()
}

impl Fields for Sample {
    fn source(&self) -> &str {
        &self.source
    }

    fn property(&self, name: &str) -> Option<Option<&str>> {
        look(&self.properties, name)
    }

    fn each_property<'f>(&'f self, visit: &mut dyn FnMut(&'f str, Option<&'f str>)) {
        self.properties.iter().for_each(|(name, value)| visit(name, value.as_deref()));
    }

    fn system_property(&self, name: &str) -> Option<Option<&str>> {
        look(&self.system, name)
    }

    fn body(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::same_name;

    #[test]
    fn names_ignore_case() {
        for (a, b) in [("Temp", "tEMP"), ("", ""), ("ÄÖ", "äö"), ("aÄ", "Aä"), ("s\u{17f}", "Ss")] {
            assert!(same_name(a, b), "{a} {b}");
        }
        for (a, b) in [("temp", "tem"), ("", "a"), ("ä", "ö"), ("a", "ä"), ("äb", "äc")] {
            assert!(!same_name(a, b), "{a} {b}");
        }
    }
}
