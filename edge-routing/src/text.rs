//! Text as the original sees it: UTF-16 code units, compared by their numbers, cased one for one.

use core::cmp::Ordering;

use bumpalo::Bump;
use bumpalo::collections::String as BumpString;

/// Compares by UTF-16 code units: like the order of code points, save that U+E000 to U+FFFF come after all beyond.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let differing = a.bytes().zip(b.bytes()).find(|(a, b)| a != b);
    match differing {
        None => a.len().cmp(&b.len()),
        Some((0xEE..=0xEF, 0xF0..)) => Ordering::Greater,
        Some((0xF0.., 0xEE..=0xEF)) => Ordering::Less,
        Some((a, b)) => a.cmp(&b),
    }
}

/// Length in UTF-16 code units.
pub(crate) fn length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(char::len_utf16).sum() }
}

/// Index in UTF-16 code units of the first `part`.
pub(crate) fn index_of(text: &str, part: &str) -> Option<usize> {
    text.find(part).map(|at| length(text.get(..at).unwrap_or("")))
}

/// The code units from `start`, `count` of them; half a surrogate pair becomes U+FFFD.
pub(crate) fn substring<'m>(text: &'m str, start: usize, count: usize, bump: &'m Bump) -> &'m str {
    let end = start + count;
    if text.is_ascii() {
        return text.get(start..end).unwrap_or("");
    }
    let mut out = BumpString::with_capacity_in(count, bump);
    let mut at = 0;
    for c in text.chars() {
        let next = at + c.len_utf16();
        if at >= start && next <= end {
            out.push(c);
        } else if (at < start && next > start && start < end) || (at >= start && at < end && next > end) {
            out.push(char::REPLACEMENT_CHARACTER);
        }
        at = next;
    }
    out.into_bump_str()
}

/// The text in lower case, character by character.
pub(crate) fn lower<'m>(text: &'m str, bump: &'m Bump) -> &'m str {
    map(text, bump, lower_char)
}

/// The text in upper case, character by character.
pub(crate) fn upper<'m>(text: &'m str, bump: &'m Bump) -> &'m str {
    map(text, bump, upper_char)
}

/// Whether two texts are the same, case aside.
pub(crate) fn eq_ignore_case(a: &str, b: &str) -> bool {
    a.chars().map(upper_char).eq(b.chars().map(upper_char))
}

/// Whether `text` begins with `prefix`, case aside.
pub(crate) fn starts_with_ignore_case(text: &str, prefix: &str) -> bool {
    if let (Some(head), true) = (text.get(..prefix.len()), prefix.is_ascii())
        && head.eq_ignore_ascii_case(prefix)
    {
        return true;
    }
    let mut chars = text.chars().map(upper_char);
    prefix.chars().map(upper_char).all(|c| chars.next() == Some(c))
}

fn map<'m>(text: &'m str, bump: &'m Bump, change: fn(char) -> char) -> &'m str {
    if text.chars().all(|c| change(c) == c) {
        return text;
    }
    let mut out = BumpString::with_capacity_in(text.len(), bump);
    out.extend(text.chars().map(change));
    out.into_bump_str()
}

/// The simple lower case of `c`; `İ` stays, as in the invariant culture.
fn lower_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut mapped = c.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// The simple upper case of `c`; `ß` and `ı` stay, as in the invariant culture.
pub(crate) fn upper_char(c: char) -> char {
    match c {
        'a'..='z' => c.to_ascii_uppercase(),
        '\0'..='\u{7f}' | '\u{131}' => c,
        // Small letters with iota below: their full upper case is two characters, their simple one is one.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => shifted(c, 8),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => shifted(c, 9),
        _ => {
            let mut mapped = c.to_uppercase();
            match (mapped.next(), mapped.next()) {
                (Some(one), None) => one,
                _ => c,
            }
        }
    }
}

/// What names are compared by, case aside: small ASCII letters, capitals of all others.
pub(crate) fn fold_char(c: char) -> char {
    upper_char(c).to_ascii_lowercase()
}

/// The text in the letters that names are compared by.
pub(crate) fn fold<'m>(text: &'m str, bump: &'m Bump) -> &'m str {
    let folded = |c: &u8| c.is_ascii() && !c.is_ascii_uppercase();
    if text.as_bytes().iter().all(folded) { text } else { map(text, bump, fold_char) }
}

fn shifted(c: char, by: u32) -> char {
    char::from_u32(c as u32 + by).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_code_units() {
        assert_eq!(compare("a", "b"), Ordering::Less);
        assert_eq!(compare("a", "ab"), Ordering::Less);
        assert_eq!(compare("Z", "a"), Ordering::Less);
        assert_eq!(compare("\u{1F600}", "\u{E000}"), Ordering::Less);
        assert_eq!(compare("\u{FFFD}", "\u{1F600}"), Ordering::Greater);
        assert_eq!(compare("\u{1F600}", "\u{1F600}"), Ordering::Equal);
    }

    #[test]
    fn lengths_and_parts_count_code_units() {
        let bump = Bump::new();
        assert_eq!(length("a\u{1F600}é"), 4);
        assert_eq!(index_of("\u{1F600}é", "é"), Some(2));
        assert_eq!(substring("a\u{1F600}b", 1, 2, &bump), "\u{1F600}");
        assert_eq!(substring("a\u{1F600}b", 2, 2, &bump), "\u{FFFD}b");
        assert_eq!(substring("a\u{1F600}b", 0, 2, &bump), "a\u{FFFD}");
        assert_eq!(substring("a\u{1F600}b", 2, 0, &bump), "");
    }

    #[test]
    fn case_is_simple_and_invariant() {
        let bump = Bump::new();
        assert_eq!(upper("straße ıé\u{1f80}", &bump), "STRAßE ıÉ\u{1f88}");
        assert_eq!(lower("İÀΣ", &bump), "İàσ");
        assert!(starts_with_ignore_case("/Messages/x", "/messages/"));
        assert!(!starts_with_ignore_case("/mess", "/messages/"));
    }
}
