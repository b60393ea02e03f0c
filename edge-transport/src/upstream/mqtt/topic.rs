//! Which topic a message goes to.

use std::fmt::{self, Write};
use std::str::FromStr;

use edge_core::{Message, SystemKey};

/// The longest topic, in bytes. MQTT 5.0 §1.5.4.
const MAX_TOPIC_BYTES: usize = 65_535;

/// A topic with places for who sent the message: `{device_id}`, `{module_id}` and `{output}`.
///
/// A level that is nothing but a place which the message does not fill is left out: a device has no `{module_id}`.
/// What fills a place is percent-encoded where it holds `/`, `+`, `#`, `%` or a control character, and `$` at the start
/// of the topic: device ids may hold what a topic may not.
///
/// # Examples
/// ```
/// use edge_core::{Message, Source, SystemKey};
/// use edge_transport::upstream::TopicTemplate;
///
/// let template: TopicTemplate = "edge/{device_id}/{module_id}/events".parse()?;
/// let message = Message::builder(&Source::telemetry()).system(SystemKey::ConnectionDeviceId, "press#7").build();
/// assert_eq!(template.topic(&message), "edge/press%237/events");
/// assert!("edge/{deviceId}".parse::<TopicTemplate>().is_err());
/// # Ok::<(), edge_transport::upstream::TopicError>(())
/// ```
///
/// # Source
/// MQTT 5.0 §4.7: a topic name holds no wildcards and no U+0000, and one that begins with `$` is the broker's own.
/// Which levels are left out is our choice, because an empty level matches no subscription that anybody would write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicTemplate {
    levels: Vec<Vec<Part>>,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(Place),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Device,
    Module,
    Output,
}

impl Place {
    fn value(self, message: &Message) -> Option<&str> {
        let key = match self {
            Self::Device => SystemKey::ConnectionDeviceId,
            Self::Module => SystemKey::ConnectionModuleId,
            Self::Output => SystemKey::OutputName,
        };
        message.system().value(key).filter(|value| !value.is_empty())
    }
}

/// Why a text is not a topic template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// The text is empty.
    #[error("the topic is empty: write for instance edge/{{device_id}}/events")]
    Empty,
    /// A place has a name that is not known.
    #[error("{{{found}}} is not known in a topic: write {{device_id}}, {{module_id}} or {{output}}")]
    Place {
        /// The name found.
        found: String,
    },
    /// A brace has no partner.
    #[error("a brace of the topic has no partner: write a place as {{device_id}}")]
    Brace,
    /// The text holds a character that no topic may hold.
    #[error("the topic holds {found:?}: a topic to publish to has no wildcards and no control characters")]
    Character {
        /// The offending character.
        found: char,
    },
    /// The text is too long for a topic.
    #[error("the topic has {bytes} bytes, at most 65535 are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The text begins with `$`.
    #[error("the topic begins with `$`: such topics are the broker's own")]
    Dollar,
}

impl TopicTemplate {
    /// Returns the topic of `message`.
    #[must_use]
    pub fn topic(&self, message: &Message) -> String {
        let mut topic = String::with_capacity(self.text.len() + 64);
        let is_filled = |level: &&Vec<Part>| !matches!(level.as_slice(), [Part::Place(place)] if place.value(message).is_none());
        for (number, level) in self.levels.iter().filter(is_filled).enumerate() {
            if number > 0 {
                topic.push('/');
            }
            for part in level {
                match part {
                    Part::Text(text) => topic.push_str(text),
                    Part::Place(place) => encode(place.value(message).unwrap_or_default(), &mut topic),
                }
            }
        }
        topic
    }
}

/// Writes what fills a place so that it stays within its level.
fn encode(value: &str, topic: &mut String) {
    for c in value.chars() {
        let is_first_dollar = c == '$' && topic.is_empty();
        if is_first_dollar || c.is_control() || matches!(c, '/' | '+' | '#' | '%') {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _writing_to_a_string_succeeds = write!(topic, "%{byte:02X}");
            }
        } else {
            topic.push(c);
        }
    }
}

impl FromStr for TopicTemplate {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        if text.is_empty() {
            return Err(TopicError::Empty);
        }
        if text.len() > MAX_TOPIC_BYTES {
            return Err(TopicError::TooLong { bytes: text.len() });
        }
        if let Some(found) = text.chars().find(|c| c.is_control() || matches!(c, '+' | '#')) {
            return Err(TopicError::Character { found });
        }
        if text.starts_with('$') {
            return Err(TopicError::Dollar);
        }
        let levels = text.split('/').map(level).collect::<Result<_, _>>()?;
        Ok(Self { levels, text: text.into() })
    }
}

fn level(text: &str) -> Result<Vec<Part>, TopicError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or(TopicError::Brace)?;
        if before.contains('}') {
            return Err(TopicError::Brace);
        }
        if !before.is_empty() {
            parts.push(Part::Text(before.into()));
        }
        parts.push(Part::Place(match name {
            "device_id" => Place::Device,
            "module_id" => Place::Module,
            "output" => Place::Output,
            _ => return Err(TopicError::Place { found: name.into() }),
        }));
        rest = after;
    }
    if rest.contains('}') {
        return Err(TopicError::Brace);
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.into()));
    }
    Ok(parts)
}

impl fmt::Display for TopicTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use edge_core::Source;

    use super::*;

    fn check(template: &str, sender: &[(SystemKey, &str)], expected: &str) {
        let mut builder = Message::builder(&Source::telemetry());
        sender.iter().for_each(|(key, value)| builder.set_system(*key, value));
        let template: TopicTemplate = template.parse().unwrap();
        assert_eq!(template.topic(&builder.build()), expected);
    }

    #[test]
    fn places_are_filled() {
        let all = [
            (SystemKey::ConnectionDeviceId, "edge1"),
            (SystemKey::ConnectionModuleId, "filter"),
            (SystemKey::OutputName, "hot"),
        ];
        check("edge/{device_id}/events", &all, "edge/edge1/events");
        check("{device_id}-{module_id}/{output}", &all, "edge1-filter/hot");
        check("/a//{output}/", &all, "/a//hot/");
        check("plain", &all, "plain");
    }

    #[test]
    fn levels_without_a_value_are_left_out() {
        let device = [(SystemKey::ConnectionDeviceId, "s1")];
        check("edge/{device_id}/{module_id}/{output}", &device, "edge/s1");
        check("edge/{device_id}/m-{module_id}/x", &device, "edge/s1/m-/x");
        check("{module_id}/{device_id}", &device, "s1");
    }

    #[test]
    fn ids_cannot_leave_their_level() {
        check("{device_id}/x", &[(SystemKey::ConnectionDeviceId, "$a+b#c%/\n")], "%24a%2Bb%23c%25%2F%0A/x");
        check("x/{device_id}", &[(SystemKey::ConnectionDeviceId, "$a")], "x/$a");
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (text, expected) in [
            ("", "edge/{device_id}/events"),
            ("a/{deviceId}", "write {device_id}, {module_id} or {output}"),
            ("a/{device_id", "no partner"),
            ("a/device_id}", "no partner"),
            ("a}/{output}", "no partner"),
            ("a/#", "no wildcards"),
            ("$SYS/a", "broker's own"),
        ] {
            let error = text.parse::<TopicTemplate>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
