//! Lengths of time as people write them.

/// Reads `250ms`, `10s`, `5m`, `12h` or `7d`; returns milliseconds.
pub(super) fn parse(text: &str) -> Result<i64, String> {
    let help = "write a whole number and a unit, as 250ms, 10s, 5m, 12h or 7d";
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let unit = match unit.trim() {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(format!("{text:?} is no length of time: {help}")),
    };
    let ms = digits.parse::<i64>().ok().and_then(|number| number.checked_mul(unit));
    match ms {
        Some(ms) if ms <= MAX_MS => Ok(ms),
        Some(_) => Err(format!("{text:?} is longer than 3650 days")),
        None => Err(format!("{text:?} is no length of time: {help}")),
    }
}

/// The longest time, ten years.
pub(super) const MAX_MS: i64 = 3650 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn times_have_units() {
        assert_eq!(parse("250ms"), Ok(250));
        assert_eq!(parse("10s"), Ok(10_000));
        assert_eq!(parse("7d"), Ok(604_800_000));
        for text in ["", "10", "s", "1.5s", "-1s", "9999999999999999999s", "4000d", "1 fortnight"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
