//! The wire format of protocol buffers, as far as model files need it: borrowed, bounded, without panics.
//!
//! # Source
//! Protocol Buffers documentation, "Encoding".

use super::FileError;

/// The value of one field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Field<'a> {
    /// Returns the bytes, or nothing for a number.
    pub(crate) fn bytes(self) -> Result<&'a [u8], FileError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(FileError::Malformed { what: "a number where bytes belong".into() }),
        }
    }

    /// Returns the text.
    pub(crate) fn text(self) -> Result<&'a str, FileError> {
        std::str::from_utf8(self.bytes()?)
            .map_err(|_| FileError::Malformed { what: "a name that is no text".into() })
    }

    /// Returns a number.
    pub(crate) fn number(self) -> Result<u64, FileError> {
        match self {
            Self::Varint(value) | Self::Fixed64(value) => Ok(value),
            Self::Fixed32(value) => Ok(value.into()),
            Self::Bytes(_) => Err(FileError::Malformed { what: "bytes where a number belongs".into() }),
        }
    }

    /// Returns a signed number.
    pub(crate) fn signed(self) -> Result<i64, FileError> {
        self.number().map(u64::cast_signed)
    }

    /// Appends the integers of a repeated field, packed or not.
    pub(crate) fn integers(self, into: &mut Vec<i64>) -> Result<(), FileError> {
        match self {
            Self::Bytes(bytes) => {
                let mut wire = Wire::new(bytes);
                while !wire.is_empty() {
                    into.push(wire.varint()?.cast_signed());
                }
            }
            _ => into.push(self.signed()?),
        }
        Ok(())
    }

    /// Appends the floating-point numbers of a repeated field, packed or not.
    pub(crate) fn floats(self, into: &mut Vec<f32>) -> Result<(), FileError> {
        match self {
            Self::Fixed32(bits) => into.push(f32::from_bits(bits)),
            _ => into.extend(whole::<4>(self.bytes()?)?.map(f32::from_le_bytes)),
        }
        Ok(())
    }

    /// Appends the wide floating-point numbers of a repeated field, packed or not.
    pub(crate) fn doubles(self, into: &mut Vec<f64>) -> Result<(), FileError> {
        match self {
            Self::Fixed64(bits) => into.push(f64::from_bits(bits)),
            _ => into.extend(whole::<8>(self.bytes()?)?.map(f64::from_le_bytes)),
        }
        Ok(())
    }
}

/// Returns the elements of `N` bytes, or an error when there are not whole ones.
pub(crate) fn whole<const N: usize>(bytes: &[u8]) -> Result<impl Iterator<Item = [u8; N]>, FileError> {
    let (elements, rest) = bytes.as_chunks::<N>();
    if rest.is_empty() {
        Ok(elements.iter().copied())
    } else {
        Err(FileError::Malformed {
            what: format!("{} bytes are no whole number of {N}-byte elements", bytes.len()),
        })
    }
}

/// The fields of one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire<'a> {
    rest: &'a [u8],
}

impl<'a> Wire<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    fn is_empty(self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], FileError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(FileError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, FileError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?.first().copied().unwrap_or_default();
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(FileError::Malformed { what: "a number of more than ten bytes".into() })
    }

    /// Returns number and value of the next field.
    pub(crate) fn field(&mut self) -> Result<Option<(u64, Field<'a>)>, FileError> {
        if self.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(array(self.take(8)?))),
            2 => {
                let count = usize::try_from(self.varint()?).map_err(|_| FileError::Truncated)?;
                Field::Bytes(self.take(count)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(array(self.take(4)?))),
            other => return Err(FileError::Malformed { what: format!("a field of wire type {other}") }),
        };
        Ok(Some((key >> 3, value)))
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}
