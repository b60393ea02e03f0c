//! Reads JSON.

use crate::{Map, Value};

/// How deep a text may be nested, whatever the limits say: reading and writing recurse.
pub(crate) const MAX_LEVELS: usize = 64;

/// Why a text is no JSON that can be held.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {why}")]
#[non_exhaustive]
pub struct JsonError {
    /// Where reading stopped, in bytes from the start.
    pub at: usize,
    /// What is wrong there.
    pub why: &'static str,
}

/// Reads a text that holds one value and blanks around it.
pub(crate) fn read(text: &[u8]) -> Result<Value, JsonError> {
    let mut reader = Reader { text, at: 0 };
    reader.blanks();
    let value = reader.value(0)?;
    reader.blanks();
    if reader.at < text.len() {
        return Err(reader.error("something follows the value"));
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn error(&self, why: &'static str) -> JsonError {
        JsonError { at: self.at, why }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Returns what follows, nothing at the end.
    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Steps over `byte` and the blanks around it; returns whether it was there.
    fn take(&mut self, byte: u8) -> bool {
        self.blanks();
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
            self.blanks();
        }
        found
    }

    fn value(&mut self, level: usize) -> Result<Value, JsonError> {
        match self.peek() {
            Some(b'{') => self.object(level + 1).map(Value::Object),
            Some(b'[') => self.array(level + 1).map(Value::Array),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true", Value::Bool(true)),
            Some(b'f') => self.word(b"false", Value::Bool(false)),
            Some(b'n') => self.word(b"null", Value::Null),
            Some(_) => Err(self.error("no value begins like this")),
            None => Err(self.error("the text ends where a value is expected")),
        }
    }

    fn word(&mut self, word: &[u8], value: Value) -> Result<Value, JsonError> {
        if !self.rest().starts_with(word) {
            return Err(self.error("no value begins like this"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn object(&mut self, level: usize) -> Result<Map, JsonError> {
        self.open(level)?;
        let mut members = Map::new();
        if self.take(b'}') {
            return Ok(members);
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.error("a key is expected"));
            }
            let key = self.string()?;
            if !self.take(b':') {
                return Err(self.error("a colon is expected"));
            }
            members.insert(key, self.value(level)?);
            if !self.take(b',') {
                break;
            }
        }
        self.close(b'}', "a comma or the end of the object is expected")?;
        Ok(members)
    }

    fn array(&mut self, level: usize) -> Result<Vec<Value>, JsonError> {
        self.open(level)?;
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(items);
        }
        loop {
            items.push(self.value(level)?);
            if !self.take(b',') {
                break;
            }
        }
        self.close(b']', "a comma or the end of the array is expected")?;
        Ok(items)
    }

    fn open(&mut self, level: usize) -> Result<(), JsonError> {
        if level > MAX_LEVELS {
            return Err(self.error("more than 64 levels"));
        }
        self.at += 1;
        self.blanks();
        Ok(())
    }

    fn close(&mut self, byte: u8, why: &'static str) -> Result<(), JsonError> {
        if self.peek() != Some(byte) {
            return Err(self.error(why));
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<Box<str>, JsonError> {
        self.at += 1;
        let plain = self.plain()?;
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(plain.into());
        }
        let mut text = plain.to_owned();
        while self.peek() == Some(b'\\') {
            self.at += 1;
            text.push(self.escape()?);
            text.push_str(self.plain()?);
        }
        if self.peek() != Some(b'"') {
            return Err(self.error("the text ends inside a string"));
        }
        self.at += 1;
        Ok(text.into())
    }

    /// Returns what comes before the next quote or backslash, or the end.
    fn plain(&mut self) -> Result<&'a str, JsonError> {
        let rest = self.rest();
        let len = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len());
        let plain = std::str::from_utf8(rest.get(..len).unwrap_or_default())
            .map_err(|error| JsonError { at: self.at + error.valid_up_to(), why: "not UTF-8" })?;
        self.at += len;
        if self.peek().is_some_and(|byte| byte < 0x20) {
            return Err(self.error("a control character in a string"));
        }
        Ok(plain)
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let escaped = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.error("no such escape")),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// Reads `uXXXX`, and the second half of a surrogate pair behind it.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.hex()?;
        if (0xd800..0xdc00).contains(&first) {
            if self.peek() != Some(b'\\') {
                return Err(self.error("half of a surrogate pair"));
            }
            self.at += 1;
            let second = self.hex()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(self.error("half of a surrogate pair"));
            }
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            return char::from_u32(code).ok_or_else(|| self.error("half of a surrogate pair"));
        }
        char::from_u32(first).ok_or_else(|| self.error("half of a surrogate pair"))
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let digits = match self.rest().first_chunk::<5>() {
            Some([b'u', digits @ ..]) if digits.iter().all(u8::is_ascii_hexdigit) => digits,
            _ => return Err(self.error("four hexadecimal digits are expected")),
        };
        let code = digits
            .iter()
            .fold(0, |code, &digit| (code << 4) | char::from(digit).to_digit(16).unwrap_or_default());
        self.at += 5;
        Ok(code)
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let first = self.peek();
        let digits = self.digits()?;
        if first == Some(b'0') && digits > 1 {
            return Err(self.error("a number begins with a zero"));
        }
        let mut is_integer = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
            is_integer = false;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
            is_integer = false;
        }
        let too_large = || JsonError { at: start, why: "the number is too large" };
        let text = self.text.get(start..self.at).and_then(|text| std::str::from_utf8(text).ok());
        let text = text.ok_or_else(too_large)?;
        if is_integer {
            return text.parse().map(Value::Integer).map_err(|_| too_large());
        }
        let number: f64 = text.parse().map_err(|_| too_large())?;
        if number.is_finite() { Ok(Value::Float(number)) } else { Err(too_large()) }
    }

    fn digits(&mut self) -> Result<usize, JsonError> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.error("a digit is expected"));
        }
        self.at += count;
        Ok(count)
    }
}
