//! Strings that the original's JSON reader turns into points in time, which conditions then cannot see.
//!
//! # Source
//! Route language §6, and the date formats of that reader: `yyyy-MM-ddTHH:mm:ss`, up to seven decimals, an optional
//! zone; and `/Date(1234)/`.

/// Whether the reader takes `text` for a point in time.
pub(crate) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(b'/') => slash_date(text),
        Some(first) if first.is_ascii_digit() && (19..=40).contains(&text.len()) => iso_date(bytes).is_some(),
        _ => false,
    }
}

fn slash_date(text: &str) -> bool {
    let Some(inner) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) else {
        return false;
    };
    let (sign, digits) = if let Some(rest) = inner.strip_prefix('-') { ("-", rest) } else { ("", inner) };
    let (ticks, zone) = digits
        .find(['+', '-'])
        .map_or((digits, None), |at| (digits.get(..at).unwrap_or(""), digits.get(at + 1..)));
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let zone_fits = zone.is_none_or(|zone| all_digits(zone) && matches!(zone.len(), 2 | 4));
    let fits = alloc::format!("{sign}{ticks}")
        .parse::<i64>()
        .is_ok_and(|ms| ms.unsigned_abs() < 253_402_300_800_000);
    all_digits(ticks) && zone_fits && fits
}

fn number(bytes: &[u8], at: usize, digits: usize) -> Option<u32> {
    bytes
        .get(at..at + digits)?
        .iter()
        .try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))
}

fn sign(bytes: &[u8], at: usize, expected: u8) -> Option<()> {
    (bytes.get(at) == Some(&expected)).then_some(())
}

fn iso_date(bytes: &[u8]) -> Option<()> {
    let (year, month, day) = (number(bytes, 0, 4)?, number(bytes, 5, 2)?, number(bytes, 8, 2)?);
    sign(bytes, 4, b'-')?;
    sign(bytes, 7, b'-')?;
    sign(bytes, 10, b'T')?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => return None,
    };
    let (hour, minute, second) = (number(bytes, 11, 2)?, number(bytes, 14, 2)?, number(bytes, 17, 2)?);
    sign(bytes, 13, b':')?;
    sign(bytes, 16, b':')?;
    if year == 0 || day == 0 || day > days || hour > 24 || minute > 59 || second > 59 {
        return None;
    }
    let mut at = 19;
    let mut fraction_is_zero = true;
    if bytes.get(at) == Some(&b'.') {
        let digits = bytes.get(at + 1..)?.iter().take(7).take_while(|b| b.is_ascii_digit()).count();
        fraction_is_zero = bytes.get(at + 1..at + 1 + digits)?.iter().all(|&b| b == b'0');
        if digits == 0 {
            return None;
        }
        at += 1 + digits;
    }
    if hour == 24 && !(minute == 0 && second == 0 && fraction_is_zero) {
        return None;
    }
    zone(bytes, at)
}

fn zone(bytes: &[u8], at: usize) -> Option<()> {
    match bytes.get(at) {
        None => Some(()),
        Some(b'Z' | b'z') => (bytes.len() == at + 1).then_some(()),
        Some(b'+' | b'-') => {
            number(bytes, at + 1, 2)?;
            let rest = at + 3;
            let minutes = if bytes.get(rest) == Some(&b':') { rest + 1 } else { rest };
            (bytes.len() == rest || (number(bytes, minutes, 2).is_some() && bytes.len() == minutes + 2))
                .then_some(())
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_date;

    #[test]
    fn dates_and_near_dates() {
        for date in [
            "2017-03-09T00:00:00.000Z",
            "2017-03-09T00:00:00",
            "2020-02-29T24:00:00z",
            "2017-03-09T10:11:12.1234567+02:00",
            "2017-03-09T10:11:12-0530",
            "/Date(1489017600000)/",
        ] {
            assert!(is_date(date), "{date}");
        }
        for text in [
            "2017-03-09",
            "2017-03-09 00:00:00",
            "2017-02-29T00:00:00",
            "2017-13-01T00:00:00",
            "2017-03-09T25:00:00",
            "2017-03-09T00:00:00.",
            "2017-03-09T00:00:00.12345678",
            "2017-03-09T00:00:00Z ",
            "/Date(x)/",
            "",
        ] {
            assert!(!is_date(text), "{text}");
        }
    }
}
