//! Just enough of Rust's lexical rules to tell code from comments and strings.

/// A source text in two layers of equal length: what one layer holds is blank in the other.
#[derive(Debug)]
pub(crate) struct Masked {
    /// The code; the contents of strings and all comments are blank.
    pub(crate) code: String,
    /// The comments; everything else is blank.
    pub(crate) comments: String,
}

/// Splits a source text into code and comments, keeping every byte's place.
pub(crate) fn mask(text: &str) -> Masked {
    let bytes = text.as_bytes();
    let mut code = blank(bytes);
    let mut comments = code.clone();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let end = at
            + if rest.starts_with(b"//") {
                let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                comments[at..at + length].copy_from_slice(&rest[..length]);
                length
            } else if rest.starts_with(b"/*") {
                let length = block_comment(rest);
                comments[at..at + length].copy_from_slice(&rest[..length]);
                length
            } else if let Some(length) = raw_string(rest, at.checked_sub(1).map(|before| bytes[before])) {
                length
            } else if rest[0] == b'"' {
                let length = quoted(rest, b'"');
                code[at] = b'"';
                code[at + length - 1] = b'"';
                length
            } else if rest[0] == b'\'' && is_char_literal(rest) {
                quoted(rest, b'\'')
            } else {
                code[at] = rest[0];
                1
            };
        at = end;
    }
    Masked { code: text_of(code), comments: text_of(comments) }
}

/// Returns the code with every `#[cfg(test)]` item blanked.
pub(crate) fn without_tests(code: &str) -> String {
    let mut bytes = code.as_bytes().to_vec();
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let begin = from + found;
        let end = item_end(code, begin);
        let blanked = blank(&bytes[begin..end]);
        bytes[begin..end].copy_from_slice(&blanked);
        from = end;
    }
    text_of(bytes)
}

/// Returns where the item that begins here ends: behind its closing brace, or its semicolon.
pub(crate) fn item_end(code: &str, begin: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(begin) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return offset + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return offset + 1,
            _ => {}
        }
    }
    code.len()
}

/// Returns the number, counted from 1, of the line that holds this byte.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1
}

fn blank(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }).collect()
}

fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// Returns the length of a raw string that begins here, if one does.
fn raw_string(rest: &[u8], before: Option<u8>) -> Option<usize> {
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && before != Some(b'b') {
        return None;
    }
    let hashes = rest.strip_prefix(b"r")?.iter().take_while(|byte| **byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let body = &rest[2 + hashes..];
    let length = body.windows(close.len()).position(|window| window == close.as_slice());
    Some(length.map_or(rest.len(), |length| 2 + hashes + length + close.len()))
}

/// Returns the length of a literal between quotes, both included.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Tells `'a'` from the lifetime `'a`.
fn is_char_literal(rest: &[u8]) -> bool {
    match rest.get(1) {
        Some(b'\\') => true,
        Some(first) => {
            let width = match first {
                0..0x80 => 1,
                0x80..0xe0 => 2,
                0xe0..0xf0 => 3,
                _ => 4,
            };
            rest.get(1 + width) == Some(&b'\'')
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, code: &str) {
        let masked = mask(text);
        assert_eq!(masked.code, code, "of {text}");
        assert_eq!(masked.comments.len(), text.len(), "of {text}");
    }

    #[test]
    fn strings_and_comments_are_not_code() {
        check("a // b", "a     ");
        check("a /* b /* c */ d */ e", "a                   e");
        check(r#"f("x\"y")"#, r#"f("    ")"#);
        check("g(r#\"a\"b\"#)", "g(        )");
        check("let c = '\"'; x", "let c =    ; x");
        check("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)");
        check("'\\'' b'x' 'é' z", "     b         z");
    }

    #[test]
    fn test_modules_are_left_out() {
        let code = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { c() } }\nfn d() {}";
        let rest = without_tests(code);
        assert!(rest.contains("fn a") && rest.contains("fn d") && !rest.contains("fn b"), "{rest}");
        assert_eq!(line_of(&rest, rest.find("fn d").unwrap()), 4);
    }

    #[test]
    fn a_module_in_its_own_file_ends_at_the_semicolon() {
        assert_eq!(without_tests("#[cfg(test)]\nmod tests;\nfn d() {}").trim(), "fn d() {}");
    }
}
