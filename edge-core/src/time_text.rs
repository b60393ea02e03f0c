//! Reads times. RFC 3339 §5.6.

use std::str::FromStr;

use crate::Timestamp;

/// Why a text is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no time: write it as 2026-01-31T12:00:00Z")]
#[non_exhaustive]
pub struct TimestampError {
    /// The refused text.
    pub text: String,
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads `2026-01-01T00:00:00Z`, with any number of digits behind the second, of which what is finer than a
    /// millisecond is cut; `+00:00` and other offsets stand in the place of `Z`.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        parse(text).ok_or_else(|| TimestampError { text: text.chars().take(64).collect() })
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let (local, ahead_ms) = zone(text)?;
    let ms = parse_local(local)?;
    let utc = i128::from(ms) - i128::from(ahead_ms);
    u64::try_from(utc).ok().map(Timestamp::from_unix_ms)
}

/// Splits off the zone, and returns by how many milliseconds its clocks are ahead of UTC.
fn zone(text: &str) -> Option<(&str, i64)> {
    if let Some(local) = text.strip_suffix('Z') {
        return Some((local, 0));
    }
    let (local, zone) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (sign, offset) = match zone.split_at_checked(1)? {
        ("+", offset) => (1, offset),
        ("-", offset) => (-1, offset),
        _ => return None,
    };
    let (hours, minutes) = offset.split_once(':')?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let is_valid = hours < 24 && minutes < 60;
    let ms = i64::try_from((hours * 60 + minutes) * 60_000).ok()?;
    is_valid.then_some((local, sign * ms))
}

fn parse_local(text: &str) -> Option<u64> {
    let (date, time) = text.split_once('T')?;
    let mut date = date.splitn(3, '-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut clock = clock.splitn(3, ':').map(number);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let is_valid = (1970..=MAX_YEAR).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !is_valid || fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ms = fraction.bytes().chain(*b"00").take(3).fold(0, |ms, digit| 10 * ms + u64::from(digit - b'0'));
    let seconds = (days_from_civil(year, month, day) * 24 + hour) * 3600 + minute * 60 + second;
    seconds.checked_mul(1000)?.checked_add(ms)
}

/// The year of the latest time that can be said.
const MAX_YEAR: u64 = 584_556_019;

fn number(digits: &str) -> Option<u64> {
    let is_plain = (2..10).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { digits.parse().ok() } else { None }
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the days from 1970-01-01 to a day of the Gregorian calendar that is not before it.
fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let leap_days = |years: u64| years / 4 - years / 100 + years / 400;
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    let months: u64 = (1..month).map(|month| days_in(year, month)).sum();
    years + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, ms: Option<u64>) {
        assert_eq!(parse(text).map(Timestamp::as_unix_ms), ms, "{text}");
    }

    #[test]
    fn times_are_read() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("2000-02-29T00:00:00.000Z", Some(951_782_400_000));
        check("2026-01-01T00:00:00.0019Z", Some(1_767_225_600_001));
        check("2026-01-01T00:00:00.5Z", Some(1_767_225_600_500));
        check("2026-01-01T01:30:00+01:30", Some(1_767_225_600_000));
        check("2025-12-31T23:00:00.5-01:00", Some(1_767_225_600_500));
        check(&Timestamp::MAX.to_string(), Some(u64::MAX));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "Z",
            "T",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:00+24:00",
            "1970-01-01T00:00:00+00:01",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "1969-12-31T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.xZ",
            "2026-1-1T0:0:0Z",
            "584556020-01-01T00:00:00Z",
            "584556019-12-31T23:59:59Z",
            "+026-01-01T00:00:00Z",
            "9999999999999-01-01T00:00:00Z",
        ] {
            check(text, None);
        }
    }
}
