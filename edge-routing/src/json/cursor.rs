//! A place in a JSON text.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Malformed;

/// A string as it stands in the text, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawStr<'t> {
    pub(crate) raw: &'t str,
    pub(crate) escaped: bool,
}

impl RawStr<'_> {
    /// The string without escapes.
    pub(crate) fn unescape(&self) -> String {
        let mut out = String::with_capacity(self.raw.len());
        self.unescape_to(&mut out);
        out
    }

    /// Writes the string without escapes; half a surrogate pair becomes U+FFFD.
    pub(crate) fn unescape_to(&self, out: &mut impl fmt::Write) {
        // Writing to strings does not fail, and they are all that is written to.
        let mut rest = self.raw;
        while let Some(at) = rest.find('\\') {
            let _ = out.write_str(rest.get(..at).unwrap_or(""));
            let escape = rest.get(at + 1..).unwrap_or("");
            let (c, used) = match escape.as_bytes().first() {
                Some(b'n') => ('\n', 1),
                Some(b't') => ('\t', 1),
                Some(b'r') => ('\r', 1),
                Some(b'b') => ('\u{8}', 1),
                Some(b'f') => ('\u{c}', 1),
                Some(b'u') => unicode(escape),
                other => (other.map_or('\\', |&b| char::from(b)), 1),
            };
            let _ = out.write_char(c);
            rest = escape.get(used..).unwrap_or("");
        }
        let _ = out.write_str(rest);
    }
}

/// Decodes the character of `uXXXX`, or of a pair `uXXXX\uXXXX`, and how many bytes that takes.
fn unicode(text: &str) -> (char, usize) {
    let unit = |at: usize| text.get(at..at + 4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
    let first = unit(1).unwrap_or(0xFFFD);
    let second = if text.get(5..7) == Some("\\u") { unit(7) } else { None };
    let pair = char::decode_utf16([first].into_iter().chain(second)).next();
    match pair {
        Some(Ok(c)) => (c, if c.len_utf16() == 2 { 11 } else { 5 }),
        _ => (char::REPLACEMENT_CHARACTER, 5),
    }
}

/// Whether a byte ends a string, begins an escape, or may not stand in a string.
const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// How many of eight bytes come before a special one; `None` when none is special.
#[inline]
fn plain_word(word: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    // The top bit of every byte that is below `limit`, exact up to the first such byte.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word;
    let equal = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let word = u64::from_le_bytes(word);
    let special = (below(word, 0x20) | equal(word, b'"') | equal(word, b'\\')) & TOPS;
    (special != 0).then(|| (special.trailing_zeros() / 8) as usize)
}

/// Where in `bytes`, from `at` on, the first special one is.
#[inline]
fn plain_end(bytes: &[u8], at: usize) -> usize {
    // Most names and many texts end within eight bytes.
    match bytes.get(at..).and_then(<[u8]>::first_chunk::<8>).map(|word| plain_word(*word)) {
        Some(Some(run)) => at + run,
        Some(None) => plain_end_far(bytes, at + 8),
        None => plain_end_far(bytes, at),
    }
}

fn plain_end_far(bytes: &[u8], mut at: usize) -> usize {
    let mut words = 0_u32;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        if let Some(run) = plain_word(*word) {
            return at + run;
        }
        at += 8;
        words += 1;
        // Long texts go in blocks, which the compiler turns into wide instructions.
        while words >= 2
            && let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk::<32>)
            && !block.iter().fold(false, |found, &byte| found | is_special(byte))
        {
            at += 32;
        }
    }
    while bytes.get(at).is_some_and(|&byte| !is_special(byte)) {
        at += 1;
    }
    at
}

/// Where the digits that begin at `at` end.
fn digits(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// Reads one token after the other; every method leaves the cursor behind what it read.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    pub(crate) const fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) const fn malformed<T>(&self) -> Result<T, Malformed> {
        Err(Malformed { at: self.at })
    }

    /// The next byte that is not blank, without reading it.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Reads `byte`, which must come next.
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            self.malformed()
        }
    }

    /// Reads `byte` if it comes next.
    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Reads a word such as `true`.
    pub(crate) fn word(&mut self, word: &str) -> Result<(), Malformed> {
        if self.text.as_bytes().get(self.at..self.at + word.len()) == Some(word.as_bytes()) {
            self.at += word.len();
            Ok(())
        } else {
            self.malformed()
        }
    }

    /// Reads a string, its opening quote included.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<RawStr<'t>, Malformed> {
        self.peek();
        let start = self.at + 1;
        let Some(escaped) = self.skip_string() else { return self.malformed() };
        Ok(RawStr { raw: self.text.get(start..self.at - 1).unwrap_or(""), escaped })
    }

    /// Reads a string that begins here, without keeping it, and returns whether it has escapes; `None` when it is
    /// none.
    #[inline]
    fn skip_string(&mut self) -> Option<bool> {
        let bytes = self.text.as_bytes();
        if bytes.get(self.at) != Some(&b'"') {
            return None;
        }
        self.at = plain_end(bytes, self.at + 1);
        let escaped = bytes.get(self.at) != Some(&b'"');
        if escaped {
            self.behind_escapes()?;
        }
        self.at += 1;
        Some(escaped)
    }

    /// Goes from a special byte of a string to its closing quote.
    fn behind_escapes(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b'"') => return Some(()),
                Some(b'\\') => {
                    self.at += match bytes.get(self.at + 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                        Some(b'u')
                            if bytes
                                .get(self.at + 2..self.at + 6)
                                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
                        {
                            6
                        }
                        _ => return None,
                    };
                }
                _ => return None,
            }
            self.at = plain_end(bytes, self.at);
        }
    }

    /// Reads a number and returns its text.
    pub(crate) fn number(&mut self) -> Result<&'t str, Malformed> {
        let start = self.at;
        self.skip_number()?;
        Ok(self.text.get(start..self.at).unwrap_or(""))
    }

    fn skip_number(&mut self) -> Result<(), Malformed> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        self.at += usize::from(bytes.get(start) == Some(&b'-'));
        let whole = self.at;
        self.at = digits(bytes, whole);
        if self.at == whole || (self.at > whole + 1 && bytes.get(whole) == Some(&b'0')) {
            self.at = whole;
            return self.malformed();
        }
        if bytes.get(self.at) == Some(&b'.') {
            self.some_digits(1)?;
        }
        if matches!(bytes.get(self.at), Some(b'e' | b'E')) {
            let sign = matches!(bytes.get(self.at + 1), Some(b'+' | b'-'));
            self.some_digits(1 + usize::from(sign))?;
        }
        Ok(())
    }

    /// Reads so many bytes, and digits behind them, at least one.
    fn some_digits(&mut self, behind: usize) -> Result<(), Malformed> {
        let first = self.at + behind;
        let end = digits(self.text.as_bytes(), first);
        if end == first {
            return self.malformed();
        }
        self.at = end;
        Ok(())
    }

    /// Reads a whole value of any depth and returns its text.
    pub(crate) fn raw_of_any_depth(&mut self) -> Result<&'t str, Malformed> {
        self.peek();
        let start = self.at;
        self.skip_any_depth()?;
        Ok(self.text.get(start..self.at).unwrap_or(""))
    }

    /// Reads a whole value without keeping it, however deep it is: its levels take memory, a byte each, and no stack.
    pub(crate) fn skip_any_depth(&mut self) -> Result<(), Malformed> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    self.at += 1;
                    // A closing bracket stands two behind its opening one.
                    if !self.eat(bracket + 2) {
                        open.push(bracket);
                        if bracket == b'{' {
                            self.name()?;
                        }
                        continue;
                    }
                }
                _ => self.skip(0)?,
            }
            // A value is complete: what follows is the next one, or the end of those it was the last of.
            loop {
                let Some(&bracket) = open.last() else { return Ok(()) };
                if self.eat(b',') {
                    if bracket == b'{' {
                        self.name()?;
                    }
                    break;
                }
                self.expect(bracket + 2)?;
                open.pop();
            }
        }
    }

    /// Reads the name of a member and the colon behind it.
    fn name(&mut self) -> Result<(), Malformed> {
        self.string()?;
        self.expect(b':')
    }

    /// Reads a value that is no object and no array, and returns its text.
    pub(crate) fn raw_scalar(&mut self) -> Result<&'t str, Malformed> {
        self.peek();
        let start = self.at;
        self.skip(0)?;
        Ok(self.text.get(start..self.at).unwrap_or(""))
    }

    /// Reads a whole value without keeping it.
    pub(crate) fn skip(&mut self, depth: usize) -> Result<(), Malformed> {
        match self.peek() {
            Some(b'"') => self.skip_string().map_or_else(|| self.malformed(), |_| Ok(())),
            Some(b'{') => self.members(depth, |cursor, _| cursor.skip(depth.saturating_sub(1))),
            Some(b'[') => self.items(depth, |cursor, _| cursor.skip(depth.saturating_sub(1))),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => self.skip_number(),
        }
    }

    /// Reads an object; `member` reads each value. `depth` is how many levels are left.
    pub(crate) fn members(
        &mut self,
        depth: usize,
        mut member: impl FnMut(&mut Self, RawStr<'t>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.expect(b'{')?;
        if depth == 0 {
            return self.malformed();
        }
        if self.eat(b'}') {
            return Ok(());
        }
        loop {
            let name = self.string()?;
            self.expect(b':')?;
            member(self, name)?;
            if !self.eat(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// Reads an array; `item` reads each value and is told its index. `depth` is how many levels are left.
    pub(crate) fn items(
        &mut self,
        depth: usize,
        mut item: impl FnMut(&mut Self, usize) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.expect(b'[')?;
        if depth == 0 {
            return self.malformed();
        }
        if self.eat(b']') {
            return Ok(());
        }
        let mut index = 0;
        loop {
            item(self, index)?;
            index += 1;
            if !self.eat(b',') {
                return self.expect(b']');
            }
        }
    }

    /// Checks that nothing but blanks is left.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        if self.peek().is_none() { Ok(()) } else { self.malformed() }
    }
}
