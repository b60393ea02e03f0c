//! Writes values of AMQP's type system.

use super::Value;

/// Writes values to the end of a buffer.
#[derive(Debug)]
pub(crate) struct Writer<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Writer<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out }
    }

    pub(crate) fn null(&mut self) {
        self.out.push(0x40);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.out.push(if value { 0x41 } else { 0x42 });
    }

    pub(crate) fn ubyte(&mut self, value: u8) {
        self.out.extend([0x50, value]);
    }

    pub(crate) fn ushort(&mut self, value: u16) {
        self.fixed(0x60, &value.to_be_bytes());
    }

    pub(crate) fn uint(&mut self, value: u32) {
        match u8::try_from(value) {
            Ok(0) => self.out.push(0x43),
            Ok(small) => self.out.extend([0x52, small]),
            Err(_) => self.fixed(0x70, &value.to_be_bytes()),
        }
    }

    pub(crate) fn ulong(&mut self, value: u64) {
        match u8::try_from(value) {
            Ok(0) => self.out.push(0x44),
            Ok(small) => self.out.extend([0x53, small]),
            Err(_) => self.fixed(0x80, &value.to_be_bytes()),
        }
    }

    pub(crate) fn int(&mut self, value: i32) {
        self.fixed(0x71, &value.to_be_bytes());
    }

    pub(crate) fn long(&mut self, value: i64) {
        self.fixed(0x81, &value.to_be_bytes());
    }

    pub(crate) fn timestamp(&mut self, unix_ms: i64) {
        self.fixed(0x83, &unix_ms.to_be_bytes());
    }

    pub(crate) fn uuid(&mut self, value: &[u8; 16]) {
        self.fixed(0x98, value);
    }

    pub(crate) fn binary(&mut self, value: &[u8]) {
        self.sized(0xa0, value);
    }

    pub(crate) fn string(&mut self, value: &str) {
        self.sized(0xa1, value.as_bytes());
    }

    pub(crate) fn symbol(&mut self, value: &str) {
        self.sized(0xa3, value.as_bytes());
    }

    /// Writes an array of symbols.
    pub(crate) fn symbols(&mut self, values: &[&str]) {
        let start = self.begin(0xf0);
        self.out.push(0xb3);
        for value in values {
            self.len(value.len());
            self.out.extend_from_slice(value.as_bytes());
        }
        self.end(start, values.len());
    }

    /// Writes a value that was read; compound ones are not written back, and become null.
    pub(crate) fn value(&mut self, value: Value<'_>) {
        match value {
            Value::Bool(value) => self.bool(value),
            Value::Ubyte(value) => self.ubyte(value),
            Value::Ushort(value) => self.ushort(value),
            Value::Uint(value) => self.uint(value),
            Value::Ulong(value) => self.ulong(value),
            Value::Int(value) => self.int(value),
            Value::Long(value) => self.long(value),
            Value::Timestamp(value) => self.timestamp(value),
            Value::Uuid(value) => self.uuid(&value),
            Value::Binary(value) => self.binary(value),
            Value::Text(value) => self.string(value),
            Value::Symbol(value) => self.symbol(value),
            _ => self.null(),
        }
    }

    /// Begins a described value with this descriptor: the value comes next.
    pub(crate) fn descriptor(&mut self, code: u8) {
        self.out.extend([0x00, 0x53, code]);
    }

    /// Writes a list of `count` fields, which `fields` writes.
    pub(crate) fn list(&mut self, count: usize, fields: impl FnOnce(&mut Writer<'_>)) {
        let start = self.begin(0xd0);
        fields(&mut Writer { out: self.out });
        self.end(start, count);
    }

    /// Writes a map; `pairs` writes keys and values, and returns how many pairs.
    pub(crate) fn map(&mut self, pairs: impl FnOnce(&mut Writer<'_>) -> usize) {
        let start = self.begin(0xd1);
        let count = pairs(&mut Writer { out: self.out });
        self.end(start, count * 2);
    }

    /// Writes bytes that are values already.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn fixed(&mut self, constructor: u8, bytes: &[u8]) {
        self.out.push(constructor);
        self.out.extend_from_slice(bytes);
    }

    /// Writes a value with its length, in the short form where it fits; `constructor` is that of the short form.
    fn sized(&mut self, constructor: u8, bytes: &[u8]) {
        match u8::try_from(bytes.len()) {
            Ok(len) => self.out.extend([constructor, len]),
            Err(_) => {
                self.out.push(constructor + 0x10);
                self.len(bytes.len());
            }
        }
        self.out.extend_from_slice(bytes);
    }

    /// Writes a length; nothing here comes near 4 GiB.
    fn len(&mut self, len: usize) {
        self.out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
    }

    /// Begins a compound value, and returns where its size stands.
    fn begin(&mut self, constructor: u8) -> usize {
        self.out.push(constructor);
        let start = self.out.len();
        self.out.extend_from_slice(&[0; 8]);
        start
    }

    fn end(&mut self, start: usize, count: usize) {
        let size = u32::try_from(self.out.len() - start - 4).unwrap_or(u32::MAX);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if let Some(head) = self.out.get_mut(start..start + 8) {
            let (size_at, count_at) = head.split_at_mut(4);
            size_at.copy_from_slice(&size.to_be_bytes());
            count_at.copy_from_slice(&count.to_be_bytes());
        }
    }
}
