//! Reads values of AMQP's type system.

use super::WireError;

/// How deep described types may nest; the specification itself needs two.
const MAX_DEPTH: usize = 8;

/// One value; compound ones are walked when asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Ubyte(u8),
    Ushort(u16),
    Uint(u32),
    Ulong(u64),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    Char(char),
    /// Milliseconds since 1970.
    Timestamp(i64),
    Uuid([u8; 16]),
    /// One of the three decimal types: nobody here calculates with them.
    Decimal,
    Binary(&'a [u8]),
    Text(&'a str),
    Symbol(&'a str),
    List(&'a [u8]),
    Map(Map<'a>),
    Array(&'a [u8]),
    /// A descriptor's code, and the value's bytes.
    Described(u64, &'a [u8]),
}

impl<'a> Value<'a> {
    /// The value as text, when it is a string or a symbol.
    pub(crate) fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) | Self::Symbol(text) => Some(text),
            _ => None,
        }
    }

    /// The value as a number, whatever integer type it has.
    pub(crate) fn integer(self) -> Option<i64> {
        Some(match self {
            Self::Ubyte(n) => n.into(),
            Self::Ushort(n) => n.into(),
            Self::Uint(n) => n.into(),
            Self::Ulong(n) => i64::try_from(n).ok()?,
            Self::Byte(n) => n.into(),
            Self::Short(n) => n.into(),
            Self::Int(n) => n.into(),
            Self::Long(n) | Self::Timestamp(n) => n,
            _ => return None,
        })
    }

    /// The symbols of an array, or the one symbol that stands in its place; for fields that are `multiple`.
    pub(crate) fn symbols(self) -> impl Iterator<Item = &'a str> {
        let (one, array) = match self {
            Self::Symbol(one) => (Some(one), None),
            Self::Array(bytes) => (None, bytes.split_first()),
            _ => (None, None),
        };
        let (wide, mut rest) = match array {
            Some((0xa3, rest)) => (false, rest),
            Some((0xb3, rest)) => (true, rest),
            _ => (false, &[][..]),
        };
        let many = std::iter::from_fn(move || {
            let mut reader = Reader::new(rest);
            let bytes = if wide { reader.sized32() } else { reader.sized8() }.ok()?;
            rest = reader.rest;
            std::str::from_utf8(bytes).ok()
        });
        one.into_iter().chain(many)
    }
}

/// A map, unread.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Map<'a>(&'a [u8]);

impl<'a> Map<'a> {
    /// The pairs, up to the first that cannot be read.
    pub(crate) fn iter(self) -> impl Iterator<Item = Result<(Value<'a>, Value<'a>), WireError>> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            let pair = reader.value().and_then(|key| Ok((key, reader.value()?)));
            if pair.is_err() {
                reader.rest = &[];
            }
            Some(pair)
        })
    }

    /// The value of a key that is a symbol or a string.
    pub(crate) fn value(self, key: &str) -> Option<Value<'a>> {
        self.iter().filter_map(Result::ok).find(|(k, _)| k.text() == Some(key)).map(|(_, value)| value)
    }
}

/// Reads values one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, WireError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn sized8(&mut self) -> Result<&'a [u8], WireError> {
        let len = self.byte()?;
        self.take(len.into())
    }

    fn sized32(&mut self) -> Result<&'a [u8], WireError> {
        let len = u32::from_be_bytes(self.array()?);
        self.take(usize::try_from(len).map_err(|_| WireError::Truncated)?)
    }

    /// The bytes of a compound value behind its count.
    fn compound(&mut self, wide: bool) -> Result<&'a [u8], WireError> {
        let all = if wide { self.sized32()? } else { self.sized8()? };
        all.get(if wide { 4 } else { 1 }..).ok_or(WireError::Truncated)
    }

    fn text(bytes: &'a [u8]) -> Result<&'a str, WireError> {
        std::str::from_utf8(bytes).map_err(|_| WireError::Text)
    }

    /// Reads the next value.
    pub(crate) fn value(&mut self) -> Result<Value<'a>, WireError> {
        self.value_at(0)
    }

    fn value_at(&mut self, depth: usize) -> Result<Value<'a>, WireError> {
        Ok(match self.byte()? {
            0x00 => {
                if depth >= MAX_DEPTH {
                    return Err(WireError::Depth);
                }
                let code = match self.value_at(depth + 1)? {
                    Value::Ulong(code) => code,
                    Value::Symbol(name) => named_descriptor(name),
                    _ => return Err(WireError::Field("a descriptor")),
                };
                let before = self.rest;
                self.value_at(depth + 1)?;
                let len = before.len() - self.rest.len();
                Value::Described(code, before.get(..len).unwrap_or_default())
            }
            0x40 => Value::Null,
            0x41 => Value::Bool(true),
            0x42 => Value::Bool(false),
            0x43 => Value::Uint(0),
            0x44 => Value::Ulong(0),
            0x45 => Value::List(&[]),
            0x50 => Value::Ubyte(self.byte()?),
            0x51 => Value::Byte(i8::from_be_bytes(self.array()?)),
            0x52 => Value::Uint(self.byte()?.into()),
            0x53 => Value::Ulong(self.byte()?.into()),
            0x54 => Value::Int(i8::from_be_bytes(self.array()?).into()),
            0x55 => Value::Long(i8::from_be_bytes(self.array()?).into()),
            0x56 => Value::Bool(self.byte()? != 0),
            0x60 => Value::Ushort(u16::from_be_bytes(self.array()?)),
            0x61 => Value::Short(i16::from_be_bytes(self.array()?)),
            0x70 => Value::Uint(u32::from_be_bytes(self.array()?)),
            0x71 => Value::Int(i32::from_be_bytes(self.array()?)),
            0x72 => Value::Float(f32::from_be_bytes(self.array()?)),
            0x73 => {
                let code = u32::from_be_bytes(self.array()?);
                Value::Char(char::from_u32(code).ok_or(WireError::Text)?)
            }
            0x80 => Value::Ulong(u64::from_be_bytes(self.array()?)),
            0x81 => Value::Long(i64::from_be_bytes(self.array()?)),
            0x82 => Value::Double(f64::from_be_bytes(self.array()?)),
            0x83 => Value::Timestamp(i64::from_be_bytes(self.array()?)),
            0x98 => Value::Uuid(self.array()?),
            0x74 => self.take(4).map(|_| Value::Decimal)?,
            0x84 => self.take(8).map(|_| Value::Decimal)?,
            0x94 => self.take(16).map(|_| Value::Decimal)?,
            0xa0 => Value::Binary(self.sized8()?),
            0xb0 => Value::Binary(self.sized32()?),
            0xa1 => Value::Text(Self::text(self.sized8()?)?),
            0xb1 => Value::Text(Self::text(self.sized32()?)?),
            0xa3 => Value::Symbol(Self::text(self.sized8()?)?),
            0xb3 => Value::Symbol(Self::text(self.sized32()?)?),
            0xc0 => Value::List(self.compound(false)?),
            0xd0 => Value::List(self.compound(true)?),
            0xc1 => Value::Map(Map(self.compound(false)?)),
            0xd1 => Value::Map(Map(self.compound(true)?)),
            0xe0 => Value::Array(self.compound(false)?),
            0xf0 => Value::Array(self.compound(true)?),
            other => return Err(WireError::Constructor(other)),
        })
    }

    /// Reads the next field of a list; a field that is not there is null.
    pub(crate) fn field(&mut self) -> Result<Value<'a>, WireError> {
        if self.is_empty() { Ok(Value::Null) } else { self.value() }
    }
}

/// The codes of the descriptors that may be written as symbols.
fn named_descriptor(name: &str) -> u64 {
    const NAMES: &[(&str, u64)] = &[
        ("amqp:open:list", 0x10),
        ("amqp:begin:list", 0x11),
        ("amqp:attach:list", 0x12),
        ("amqp:flow:list", 0x13),
        ("amqp:transfer:list", 0x14),
        ("amqp:disposition:list", 0x15),
        ("amqp:detach:list", 0x16),
        ("amqp:end:list", 0x17),
        ("amqp:close:list", 0x18),
        ("amqp:error:list", 0x1d),
        ("amqp:received:list", 0x23),
        ("amqp:accepted:list", 0x24),
        ("amqp:rejected:list", 0x25),
        ("amqp:released:list", 0x26),
        ("amqp:modified:list", 0x27),
        ("amqp:source:list", 0x28),
        ("amqp:target:list", 0x29),
        ("amqp:coordinator:list", 0x30),
        ("amqp:sasl-mechanisms:list", 0x40),
        ("amqp:sasl-init:list", 0x41),
        ("amqp:sasl-outcome:list", 0x44),
        ("amqp:header:list", 0x70),
        ("amqp:delivery-annotations:map", 0x71),
        ("amqp:message-annotations:map", 0x72),
        ("amqp:properties:list", 0x73),
        ("amqp:application-properties:map", 0x74),
        ("amqp:data:binary", 0x75),
        ("amqp:amqp-sequence:list", 0x76),
        ("amqp:amqp-value:*", 0x77),
        ("amqp:footer:map", 0x78),
    ];
    NAMES.iter().find(|(known, _)| *known == name).map_or(u64::MAX, |(_, code)| *code)
}
