//! Application properties: a sorted block of names and values, read in place.

use super::text;

/// The value length that stands for a property without a value.
pub(super) const NULL: u32 = u32::MAX;

/// A message's application properties, by rising name, each name once.
///
/// A property may have no value at all (null), which is not the same as an empty one.
///
/// # Examples
/// ```
/// use edge_core::{Message, Source};
///
/// let message = Message::builder(&Source::telemetry()).property("Line", "7").null_property("spare").build();
/// let properties = message.properties();
/// assert_eq!(properties.value("Line"), Some(Some("7")));
/// assert_eq!(properties.value("spare"), Some(None));
/// assert_eq!(properties.value("line"), None);
/// assert_eq!(properties.value_ignoring_case("LINE"), Some(Some("7")));
/// ```
///
/// # Source
/// Azure IoT Hub, "Create and read messages"; a property without `=` in an MQTT property bag has no value.
#[derive(Clone, Copy, Debug)]
pub struct Properties<'m> {
    block: &'m [u8],
}

impl<'m> Properties<'m> {
    pub(super) fn new(block: &'m [u8]) -> Self {
        Self { block }
    }

    /// Returns the value of the property `name`: `None` when it is absent, `Some(None)` when it has no value.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<Option<&'m str>> {
        self.iter().find(|&(n, _)| n == name).map(|(_, value)| value)
    }

    /// Returns the value of the property `name` in any case of its letters; the first by rising name wins.
    #[must_use]
    pub fn value_ignoring_case(&self, name: &str) -> Option<Option<&'m str>> {
        self.iter().find(|&(n, _)| same_ignoring_case(n, name)).map(|(_, value)| value)
    }

    /// Returns the properties by rising name.
    #[must_use]
    pub fn iter(&self) -> PropertyIter<'m> {
        PropertyIter { rest: self.block }
    }

    /// Returns how many properties there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.block.is_empty()
    }

    /// Whether a block holds whole entries, UTF-8, by rising name.
    pub(super) fn is_valid(block: &[u8]) -> bool {
        let mut rest = block;
        let mut last: Option<&[u8]> = None;
        while !rest.is_empty() {
            let Some((name, value, after)) = split(rest) else { return false };
            let utf8 =
                std::str::from_utf8(name).is_ok() && std::str::from_utf8(value.unwrap_or_default()).is_ok();
            if !utf8 || last.is_some_and(|last| last >= name) {
                return false;
            }
            last = Some(name);
            rest = after;
        }
        true
    }
}

/// Compares two names the way property lookup does: by simple case mapping, character by character.
fn same_ignoring_case(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() {
        return a.eq_ignore_ascii_case(b);
    }
    a.chars().flat_map(char::to_uppercase).eq(b.chars().flat_map(char::to_uppercase))
}

impl<'m> IntoIterator for Properties<'m> {
    type Item = (&'m str, Option<&'m str>);
    type IntoIter = PropertyIter<'m>;

    fn into_iter(self) -> PropertyIter<'m> {
        self.iter()
    }
}

/// Iterates over a message's application properties as (name, value) pairs.
#[derive(Clone, Debug)]
pub struct PropertyIter<'m> {
    rest: &'m [u8],
}

impl<'m> Iterator for PropertyIter<'m> {
    type Item = (&'m str, Option<&'m str>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value, rest) = split(self.rest)?;
        self.rest = rest;
        Some((text(name), value.map(text)))
    }
}

type Entry<'m> = (&'m [u8], Option<&'m [u8]>, &'m [u8]);

/// Splits the first entry off a block.
fn split(block: &[u8]) -> Option<Entry<'_>> {
    let (head, rest) = block.split_first_chunk::<6>()?;
    let [n0, n1, v0, v1, v2, v3] = *head;
    let (name, rest) = rest.split_at_checked(u16::from_le_bytes([n0, n1]).into())?;
    match u32::from_le_bytes([v0, v1, v2, v3]) {
        NULL => Some((name, None, rest)),
        len => {
            let (value, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
            Some((name, Some(value), rest))
        }
    }
}
