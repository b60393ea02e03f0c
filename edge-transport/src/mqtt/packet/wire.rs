//! The fields that packets are made of. MQTT 3.1.1 §1.5.

use std::num::NonZeroU16;

use super::{DecodeError, EncodeError};

/// Reads fields off the front of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn byte(&mut self) -> Result<u8, DecodeError> {
        let (&byte, rest) = self.rest.split_first().ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        let (&bytes, rest) = self.rest.split_first_chunk::<2>().ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(u16::from_be_bytes(bytes))
    }

    pub(super) fn packet_id(&mut self) -> Result<NonZeroU16, DecodeError> {
        NonZeroU16::new(self.u16()?).ok_or(DecodeError::PacketId)
    }

    pub(super) fn binary(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u16()?.into();
        let (field, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(field)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, DecodeError> {
        let text = std::str::from_utf8(self.binary()?).map_err(|_| DecodeError::Text)?;
        if text.as_bytes().contains(&0) { Err(DecodeError::Text) } else { Ok(text) }
    }

    /// Returns all that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Checks that nothing is left.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing(left)),
        }
    }
}

/// Returns the size of a field of bytes.
pub(super) fn field_len(bytes: &[u8]) -> Result<usize, EncodeError> {
    match u16::try_from(bytes.len()) {
        Ok(len) => Ok(2 + usize::from(len)),
        Err(_) => Err(EncodeError::Field { bytes: bytes.len() }),
    }
}

/// Writes a field of bytes whose size was checked.
pub(super) fn put_field(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Writes a remaining length. MQTT 3.1.1 §2.2.3.
pub(super) fn put_remaining_length(out: &mut Vec<u8>, mut len: usize) -> Result<(), EncodeError> {
    if len > 268_435_455 {
        return Err(EncodeError::Packet { bytes: len });
    }
    loop {
        let low = (len % 128) as u8;
        len /= 128;
        if len == 0 {
            out.push(low);
            return Ok(());
        }
        out.push(low | 0x80);
    }
}
