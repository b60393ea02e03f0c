//! Lists of topic filters. MQTT 3.1.1 §3.8.3, §3.10.3.

use std::fmt;

use super::wire::{Reader, field_len, put_field};
use super::{DecodeError, EncodeError, QoS};

/// The topic filters of a SUBSCRIBE or UNSUBSCRIBE, checked, and read where they stand.
///
/// # Examples
/// ```
/// use edge_transport::mqtt::packet::{FiltersBuf, QoS};
///
/// let mut filters = FiltersBuf::for_subscribe();
/// filters.push("a/#", QoS::AtLeastOnce)?;
/// assert_eq!(filters.as_filters().iter().next(), Some(("a/#", QoS::AtLeastOnce)));
/// # Ok::<(), edge_transport::mqtt::packet::EncodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Filters<'a> {
    pub(super) block: &'a [u8],
    pub(super) with_qos: bool,
}

impl<'a> Filters<'a> {
    /// Checks a block of filters, each followed by its quality in a SUBSCRIBE.
    pub(super) fn parse(block: &'a [u8], with_qos: bool) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(block);
        if reader.is_empty() {
            return Err(DecodeError::NoFilter);
        }
        while !reader.is_empty() {
            check_filter(reader.text()?)?;
            if with_qos {
                let byte = reader.byte()?;
                if byte & !3 != 0 {
                    return Err(DecodeError::Reserved(byte));
                }
                QoS::from_bits(byte).ok_or(DecodeError::QoS)?;
            }
        }
        Ok(Self { block, with_qos })
    }

    /// Returns the filters in their order; those of an UNSUBSCRIBE all have QoS 0.
    #[must_use]
    pub fn iter(&self) -> FilterIter<'a> {
        FilterIter { reader: Reader::new(self.block), with_qos: self.with_qos }
    }
}

impl<'a> IntoIterator for Filters<'a> {
    type Item = (&'a str, QoS);
    type IntoIter = FilterIter<'a>;

    fn into_iter(self) -> FilterIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Filters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Iterates over (filter, quality) pairs.
#[derive(Clone, Debug)]
pub struct FilterIter<'a> {
    reader: Reader<'a>,
    with_qos: bool,
}

impl<'a> Iterator for FilterIter<'a> {
    type Item = (&'a str, QoS);

    fn next(&mut self) -> Option<Self::Item> {
        let filter = self.reader.text().ok()?;
        let bits = if self.with_qos { self.reader.byte().ok()? } else { 0 };
        Some((filter, QoS::from_bits(bits)?))
    }
}

/// A list of topic filters to send.
#[derive(Clone, Debug)]
pub struct FiltersBuf {
    block: Vec<u8>,
    with_qos: bool,
}

impl FiltersBuf {
    /// Returns an empty list for a SUBSCRIBE.
    #[must_use]
    pub fn for_subscribe() -> Self {
        Self { block: Vec::new(), with_qos: true }
    }

    /// Returns an empty list for an UNSUBSCRIBE; the qualities pushed to it are not sent.
    #[must_use]
    pub fn for_unsubscribe() -> Self {
        Self { block: Vec::new(), with_qos: false }
    }

    /// Adds a filter.
    ///
    /// # Errors
    /// [`EncodeError::Field`] when the filter has more than 65,535 bytes.
    pub fn push(&mut self, filter: &str, qos: QoS) -> Result<(), EncodeError> {
        field_len(filter.as_bytes())?;
        put_field(&mut self.block, filter.as_bytes());
        if self.with_qos {
            self.block.push(qos as u8);
        }
        Ok(())
    }

    /// Returns the list, as packets hold it.
    #[must_use]
    pub fn as_filters(&self) -> Filters<'_> {
        Filters { block: &self.block, with_qos: self.with_qos }
    }
}

/// Checks where the wildcards of a filter stand. MQTT 3.1.1 §4.7.1.
fn check_filter(filter: &str) -> Result<(), DecodeError> {
    if filter.is_empty() {
        return Err(DecodeError::Filter);
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let ok = match level {
            "#" => levels.peek().is_none(),
            "+" => true,
            _ => !level.contains(['#', '+']),
        };
        if !ok {
            return Err(DecodeError::Filter);
        }
    }
    Ok(())
}
