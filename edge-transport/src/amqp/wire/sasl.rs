//! The SASL layer.

use super::{FrameKind, Reader, Value, WireError, Writer, begin_frame, end_frame};

/// A frame of the SASL layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum SaslFrame<'a> {
    /// The server's offer, as a value that [`Value::symbols`] reads.
    Mechanisms(Value<'a>),
    Init {
        mechanism: &'a str,
        response: &'a [u8],
    },
    /// 0 is success.
    Outcome(u8),
}

impl<'a> SaslFrame<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, WireError> {
        let Value::Described(code, raw) = Reader::new(body).value()? else {
            return Err(WireError::Field("a SASL frame"));
        };
        let Value::List(list) = Reader::new(raw).value()? else {
            return Err(WireError::Field("a SASL frame"));
        };
        let mut fields = Reader::new(list);
        match code {
            0x40 => Ok(Self::Mechanisms(fields.field()?)),
            0x41 => {
                let mechanism = fields.field()?.text().ok_or(WireError::Field("mechanism"))?;
                let response = match fields.field()? {
                    Value::Null => &[],
                    Value::Binary(response) => response,
                    _ => return Err(WireError::Field("initial-response")),
                };
                Ok(Self::Init { mechanism, response })
            }
            0x44 => match fields.field()? {
                Value::Ubyte(code) => Ok(Self::Outcome(code)),
                _ => Err(WireError::Field("code")),
            },
            other => Err(WireError::Descriptor(other)),
        }
    }
}

/// Writes a frame of the SASL layer that one side sends.
pub(crate) fn write_sasl(out: &mut Vec<u8>, code: u8, fields: impl FnOnce(&mut Writer<'_>) -> usize) {
    let start = begin_frame(out, FrameKind::Sasl, 0);
    let mut body = Vec::new();
    let count = fields(&mut Writer::new(&mut body));
    let mut w = Writer::new(out);
    w.descriptor(code);
    w.list(count, |w| w.raw(&body));
    end_frame(out, start);
}
