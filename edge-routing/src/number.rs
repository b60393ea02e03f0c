//! Numbers: what `as_number` reads, and the functions that `core` lacks.

use alloc::vec::Vec;

/// Reads a number as the original does, or `None`.
///
/// # Source
/// Route language §9: `NumberStyles.Any` of .NET in the invariant culture. Blanks around, a sign before or behind,
/// thousands commas, parentheses for negative, the currency sign, an exponent.
pub(crate) fn parse(text: &str) -> Option<f64> {
    if let Some(value) = parse_plain(text) {
        return Some(value);
    }
    let mut reader = Reader { rest: text, state: State::default(), digits: Digits::default() };
    if let Some(value) = reader.read() {
        return Some(value);
    }
    let word = text.trim();
    let is = |name: &str| word.eq_ignore_ascii_case(name);
    if is("Infinity") || is("+Infinity") {
        Some(f64::INFINITY)
    } else if is("-Infinity") {
        Some(f64::NEG_INFINITY)
    } else {
        None
    }
}

/// Reads a number as JSON writes it; `text` is one.
pub(crate) fn parse_json(text: &str) -> f64 {
    parse_short(text.as_bytes()).unwrap_or_else(|| text.parse().unwrap_or(f64::NAN))
}

/// The usual case: digits, perhaps a sign before and a point between.
fn parse_plain(text: &str) -> Option<f64> {
    if let Some(value) = parse_short(text.as_bytes()) {
        return Some(value);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let usual = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if usual { text.parse().ok() } else { None }
}

/// The same with so few digits that they and the power of ten below them are numbers without loss, so that their
/// quotient is the nearest number there is.
fn parse_short(bytes: &[u8]) -> Option<f64> {
    const TENS: [f64; 16] =
        [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (negative, digits) = match bytes.split_first()? {
        (b'-', digits) => (true, digits),
        _ => (false, bytes),
    };
    if digits.len() > 15 || !digits.first()?.is_ascii_digit() {
        return None;
    }
    let (mut whole, mut point) = (0_u64, None);
    for (at, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => whole = whole * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let value = match point {
        Some(at) => whole as f64 / TENS.get(digits.len() - 1 - at)?,
        None => whole as f64,
    };
    Some(if negative { -value } else { value })
}

#[derive(Debug, Default)]
struct State {
    signed: bool,
    negative: bool,
    open: bool,
    currency: bool,
}

/// A number without what is only for the eye; most fit without allocating.
#[derive(Debug)]
struct Digits {
    few: [u8; 48],
    len: usize,
    many: Vec<u8>,
}

impl Default for Digits {
    fn default() -> Self {
        Self { few: [0; 48], len: 0, many: Vec::new() }
    }
}

impl Digits {
    fn push(&mut self, digit: u8) {
        if let Some(place) = self.few.get_mut(self.len).filter(|_| self.many.is_empty()) {
            *place = digit;
            self.len += 1;
            return;
        }
        if self.many.is_empty() {
            self.many.extend_from_slice(&self.few);
        }
        self.many.push(digit);
    }

    fn extend(&mut self, digits: &[u8]) {
        digits.iter().for_each(|&digit| self.push(digit));
    }

    fn text(&self) -> &str {
        let bytes = if self.many.is_empty() { self.few.get(..self.len).unwrap_or(&[]) } else { &self.many };
        core::str::from_utf8(bytes).unwrap_or("")
    }
}

struct Reader<'t> {
    rest: &'t str,
    state: State,
    digits: Digits,
}

impl Reader<'_> {
    fn eat(&mut self, c: char) -> bool {
        let found = self.rest.strip_prefix(c);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn eat_blank(&mut self) -> bool {
        [' ', '\t', '\n', '\u{b}', '\u{c}', '\r'].into_iter().any(|blank| self.eat(blank))
    }

    fn eat_sign(&mut self) -> bool {
        if self.state.signed {
            return false;
        }
        let negative = self.eat('-');
        self.state.signed = negative || self.eat('+');
        self.state.negative |= negative;
        self.state.signed
    }

    fn eat_currency(&mut self) -> bool {
        if self.state.currency {
            return false;
        }
        self.state.currency = self.eat('\u{a4}');
        self.state.currency
    }

    fn read(&mut self) -> Option<f64> {
        loop {
            let blank_allowed = !self.state.signed || self.state.currency;
            if blank_allowed && self.eat_blank() {
                continue;
            }
            if self.eat_sign() || self.eat_currency() {
                continue;
            }
            if !self.state.signed && self.eat('(') {
                (self.state.signed, self.state.negative, self.state.open) = (true, true, true);
                continue;
            }
            break;
        }
        self.read_digits()?;
        self.read_exponent();
        loop {
            if self.eat_blank() || self.eat_sign() || self.eat_currency() {
                continue;
            }
            if self.state.open && self.eat(')') {
                self.state.open = false;
                continue;
            }
            break;
        }
        // A text may end in zero characters, as a buffer of a fixed size does.
        let ended = self.rest.bytes().all(|b| b == 0);
        if self.state.open || !ended {
            return None;
        }
        let value: f64 = self.digits.text().parse().ok()?;
        Some(if self.state.negative { -value } else { value })
    }

    fn read_digits(&mut self) -> Option<()> {
        let (mut any, mut point) = (false, false);
        while let Some(c) = self.rest.chars().next() {
            match c {
                '0'..='9' => {
                    any = true;
                    self.digits.push(c as u8);
                }
                '.' if !point => {
                    point = true;
                    if !any {
                        self.digits.push(b'0');
                    }
                    self.digits.push(b'.');
                }
                ',' if any && !point => {}
                _ => break,
            }
            self.rest = self.rest.get(1..).unwrap_or("");
        }
        any.then_some(())
    }

    fn read_exponent(&mut self) {
        let Some(tail) = self.rest.strip_prefix(['e', 'E']) else { return };
        let negative = tail.starts_with('-');
        let digits = tail.strip_prefix(['+', '-']).unwrap_or(tail);
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return;
        }
        self.digits.push(b'e');
        if negative {
            self.digits.push(b'-');
        }
        // More digits than these make no difference.
        let significant = digits.get(..count).unwrap_or("").trim_start_matches('0');
        if significant.len() > 5 {
            self.digits.extend(b"99999");
        } else {
            self.digits.push(b'0');
            self.digits.extend(significant.as_bytes());
        }
        self.rest = digits.get(count..).unwrap_or("");
    }
}

macro_rules! mathematics {
    ($($(#[$doc:meta])* $name:ident($($arg:ident),+) = $std:ident, $libm:ident;)*) => {
        $($(#[$doc])*
        pub(crate) fn $name($($arg: f64),+) -> f64 {
            #[cfg(feature = "std")]
            return f64::$std($($arg),+);
            #[cfg(not(feature = "std"))]
            return libm::$libm($($arg),+);
        })*
    };
}

mathematics! {
    /// e to the power of `x`.
    exp(x) = exp, exp;
    /// `x` to the power of `y`.
    power(x, y) = powf, pow;
    /// The smallest whole number that is not below `x`.
    ceiling(x) = ceil, ceil;
    /// The largest whole number that is not above `x`.
    floor(x) = floor, floor;
    /// The square root of `x`.
    sqrt(x) = sqrt, sqrt;
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_what_the_original_reads() {
        for (text, value) in [
            ("3", 3.0),
            (" -3.5 ", -3.5),
            ("1,234,5.5", 12345.5),
            ("(5)", -5.0),
            ("5-", -5.0),
            ("+5", 5.0),
            ("\u{a4}5", 5.0),
            ("-\u{a4} 5", -5.0),
            ("5 \u{a4}", 5.0),
            ("1e3", 1000.0),
            ("1E+3", 1000.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("10e1000", f64::INFINITY),
            ("-1e999999999999", f64::NEG_INFINITY),
            ("infinity", f64::INFINITY),
            (" -Infinity ", f64::NEG_INFINITY),
            ("( 5 )", f64::NAN),
            ("5\0\0", 5.0),
        ] {
            match parse(text) {
                Some(found) => assert_eq!(found, value, "{text}"),
                None => assert!(value.is_nan(), "{text}"),
            }
        }
    }

    #[test]
    fn short_numbers_are_the_nearest() {
        for text in [
            "0",
            "-0",
            "5.",
            "0.1",
            "31.5",
            "-2.675",
            "123456789.12345",
            "0.0000000000001",
            "999999999999999",
        ] {
            let expected: f64 = text.parse().expect("a number");
            assert_eq!(parse(text).map(f64::to_bits), Some(expected.to_bits()), "{text}");
        }
        let mut seed = 7_u64;
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (whole, decimals) = (seed >> 40, (seed >> 8) % 10_000_000);
            let text = alloc::format!("-{}.{decimals}", whole % 10_000_000);
            assert_eq!(parse(&text), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn long_numbers_are_read_too() {
        let long = alloc::format!("1,{}000.5", "000".repeat(40));
        assert_eq!(parse(&long), alloc::format!("1{}000.5", "000".repeat(40)).parse().ok());
        assert_eq!(parse(&alloc::format!("1e{}5", "0".repeat(100))), Some(1e5));
        assert_eq!(parse("1e-99999999"), Some(0.0));
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "", " ", "x", "0x10", "- 5", "5 5", "5e", "--5", "-5-", "(5", "5)", "()", ",5", "1.5,0", ".",
            "NaN", "$5", "٣",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
