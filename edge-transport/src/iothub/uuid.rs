//! UUIDs as text. RFC 9562 §4.

/// Returns the text of a UUID, in small letters.
pub(crate) fn to_text(uuid: &[u8; 16]) -> String {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let mut text = String::with_capacity(36);
    for (at, byte) in uuid.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    text
}

/// Returns the UUID that a text stands for; `None` when it is none.
pub(crate) fn from_text(text: &str) -> Option<[u8; 16]> {
    let mut uuid = [0; 16];
    let is_hyphen_at = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    if text.len() != 36 || text.bytes().enumerate().any(|(at, byte)| (byte == b'-') != is_hyphen_at(at)) {
        return None;
    }
    let mut digits = text.chars().filter(|c| *c != '-').map(|c| c.to_digit(16));
    for byte in &mut uuid {
        let (high, low) = (digits.next()??, digits.next()??);
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    Some(uuid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_uuid_is_refused() {
        for text in ["", "00000000-0000-0000-0000-00000000000g", "00000000000000000000000000000000", "-"] {
            assert_eq!(from_text(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_and_back(uuid: [u8; 16]) {
            prop_assert_eq!(from_text(&to_text(&uuid)), Some(uuid));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,40}") {
            let _either_way = from_text(&text);
        }
    }
}
