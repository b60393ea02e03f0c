//! Routing of `edge_core::Message`.

use edge_core::{Message, SystemKey};

use crate::fields::Fields;

impl Fields for Message {
    fn source(&self) -> &str {
        Self::source(self)
    }

    fn property(&self, name: &str) -> Option<Option<&str>> {
        self.properties().value_ignoring_case(name)
    }

    fn each_property<'f>(&'f self, visit: &mut dyn FnMut(&'f str, Option<&'f str>)) {
        self.properties().iter().for_each(|(name, value)| visit(name, value));
    }

    fn system_property(&self, name: &str) -> Option<Option<&str>> {
        SystemKey::from_name(name).and_then(|key| self.system().value(key)).map(Some)
    }

    fn body(&self) -> &[u8] {
        Self::body(self)
    }

    fn content_type(&self) -> Option<&str> {
        self.system().value(SystemKey::ContentType)
    }

    fn content_encoding(&self) -> Option<&str> {
        self.system().value(SystemKey::ContentEncoding)
    }
}

#[cfg(test)]
mod tests {
    use edge_core::{Message, Source, SystemKey};

    use crate::{Condition, Truth};

    #[test]
    fn conditions_see_all_parts_of_a_message() {
        let message = Message::builder(&Source::telemetry())
            .property("Level", "3")
            .system(SystemKey::ContentType, "application/json")
            .system(SystemKey::ContentEncoding, "utf-8")
            .body(br#"{"a": {"b": 1}}"#)
            .build();
        for text in ["level = '3'", "$contentType = 'application/json'", "$body.a.b = 1"] {
            let condition = Condition::compile(text).expect("compiles");
            assert_eq!(condition.evaluate(&message), Truth::True, "{text}");
        }
    }
}
