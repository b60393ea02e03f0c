//! The few requests of HTTP/1.1 that a load generator needs.

use crate::mqtt::{Login, Packet};

/// Returns a request that sends a message of a device.
#[must_use]
pub fn request(login: &Login, body: &[u8]) -> Vec<u8> {
    let (path, length) = (&login.publishes_to, body.len());
    let token = login.password.as_deref().unwrap_or_default();
    let head = format!(
        "POST {path}?api-version=2021-04-12 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Reads the first answer of what a server has sent, and says how long it is.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<(Packet, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let total = end + length.unwrap_or(0);
    (bytes.len() >= total).then_some((Packet::Answered(status), total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_with_and_without_a_body() {
        let bytes = b"HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n";
        assert_eq!(read(bytes), Some((Packet::Answered(204), bytes.len())));
        let bytes = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(read(bytes), Some((Packet::Answered(401), bytes.len())));
        assert_eq!(read(&bytes[..bytes.len() - 1]), None);
    }
}
