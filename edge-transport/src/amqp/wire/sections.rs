//! The sections of a message.

use super::{Map, Reader, Value, WireError, Writer};

/// The immutable properties of a message, as they stand; null where there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Properties<'a> {
    pub(crate) message_id: Value<'a>,
    pub(crate) user_id: Value<'a>,
    pub(crate) to: Value<'a>,
    pub(crate) subject: Value<'a>,
    pub(crate) reply_to: Value<'a>,
    pub(crate) correlation_id: Value<'a>,
    pub(crate) content_type: Value<'a>,
    pub(crate) content_encoding: Value<'a>,
    pub(crate) absolute_expiry_time: Value<'a>,
    pub(crate) creation_time: Value<'a>,
}

impl Default for Properties<'_> {
    fn default() -> Self {
        let null = Value::Null;
        Self {
            message_id: null,
            user_id: null,
            to: null,
            subject: null,
            reply_to: null,
            correlation_id: null,
            content_type: null,
            content_encoding: null,
            absolute_expiry_time: null,
            creation_time: null,
        }
    }
}

impl Properties<'_> {
    /// Writes the section.
    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        let fields = [
            self.message_id,
            self.user_id,
            self.to,
            self.subject,
            self.reply_to,
            self.correlation_id,
            self.content_type,
            self.content_encoding,
            self.absolute_expiry_time,
            self.creation_time,
        ];
        let count = fields.iter().rposition(|value| *value != Value::Null).map_or(0, |last| last + 1);
        w.descriptor(0x73);
        w.list(count, |w| fields.into_iter().take(count).for_each(|value| w.value(value)));
    }
}

/// The body of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Body<'a> {
    /// There is none.
    Empty,
    /// One data section.
    Data(&'a [u8]),
    /// The data sections of a message that has several, as they stand one after the other.
    ManyData(&'a [u8]),
    /// A value.
    Value(Value<'a>),
    /// A list, which nothing here is made of.
    Sequence,
}

/// A message taken apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sections<'a> {
    pub(crate) annotations: Map<'a>,
    pub(crate) properties: Properties<'a>,
    pub(crate) application: Map<'a>,
    pub(crate) body: Body<'a>,
}

impl<'a> Sections<'a> {
    /// Reads a whole message.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut sections = Self {
            annotations: Map::default(),
            properties: Properties::default(),
            application: Map::default(),
            body: Body::Empty,
        };
        let mut reader = Reader::new(bytes);
        // Where the data sections begin, and how many there are.
        let mut data: Option<(&[u8], usize)> = None;
        while !reader.is_empty() {
            let before = reader.rest();
            let Value::Described(code, raw) = reader.value()? else {
                return Err(WireError::Field("a section"));
            };
            let value = Reader::new(raw).value()?;
            match (code, value) {
                (0x70 | 0x71 | 0x78, _) => {}
                (0x72, Value::Map(map)) => sections.annotations = map,
                (0x73, Value::List(list)) => sections.properties = properties(list)?,
                (0x74, Value::Map(map)) => sections.application = map,
                (0x72..=0x74, Value::Null) => {}
                (0x75, Value::Binary(bytes)) => {
                    let (first, count) = data.unwrap_or((before, 0));
                    data = Some((first, count + 1));
                    sections.body = if count == 0 {
                        Body::Data(bytes)
                    } else {
                        let len = first.len() - reader.rest().len();
                        Body::ManyData(first.get(..len).unwrap_or_default())
                    };
                }
                (0x76, _) => sections.body = Body::Sequence,
                (0x77, value) => sections.body = Body::Value(value),
                (0x72..=0x75, _) => return Err(WireError::Field("a section")),
                (other, _) => return Err(WireError::Descriptor(other)),
            }
        }
        Ok(sections)
    }

    /// The body as bytes: a data section, or a value that is binary or text; `buffer` takes what is in several parts.
    ///
    /// `None` for a body that is no bytes.
    pub(crate) fn body_bytes<'b>(&self, buffer: &'b mut Vec<u8>) -> Option<&'b [u8]>
    where
        'a: 'b,
    {
        match self.body {
            Body::Empty | Body::Value(Value::Null) => Some(&[]),
            Body::Data(bytes) | Body::Value(Value::Binary(bytes)) => Some(bytes),
            Body::Value(Value::Text(text)) => Some(text.as_bytes()),
            Body::ManyData(sections) => {
                buffer.clear();
                let mut reader = Reader::new(sections);
                while !reader.is_empty() {
                    // The reader gets on with each value, and none is unreadable: it was read before.
                    // What is between two data sections is none, and was read before.
                    if let Ok(Value::Described(0x75, raw)) = reader.value()
                        && let Ok(Value::Binary(bytes)) = Reader::new(raw).value()
                    {
                        buffer.extend_from_slice(bytes);
                    }
                }
                Some(buffer)
            }
            Body::Value(_) | Body::Sequence => None,
        }
    }
}

fn properties(list: &[u8]) -> Result<Properties<'_>, WireError> {
    let mut f = Reader::new(list);
    Ok(Properties {
        message_id: f.field()?,
        user_id: f.field()?,
        to: f.field()?,
        subject: f.field()?,
        reply_to: f.field()?,
        correlation_id: f.field()?,
        content_type: f.field()?,
        content_encoding: f.field()?,
        absolute_expiry_time: f.field()?,
        creation_time: f.field()?,
    })
}

/// Writes a data section.
pub(crate) fn write_data(w: &mut Writer<'_>, body: &[u8]) {
    w.descriptor(0x75);
    w.binary(body);
}
