//! The stored form of a record.
//!
//! Version 1, all numbers little-endian. A text is its length (u32) and its UTF-8; an optional one begins with a byte
//! that says whether it is there (0 or 1), and nothing follows when it is not.
//!
//! ```text
//! u8    version 1
//! u8    flags: 1 enabled, 2 edge device, 4 a configuration follows at the end
//! text  generation             text  etag
//! text? status reason          u64   status updated, milliseconds since 1970; all ones for never
//! auth  authentication         text? device scope
//! u32   how many parent scopes, that many texts
//! text? managed by
//! u8    configured: enabled;   auth  configured: authentication       when flag 4 is set
//!
//! auth  u8 0: none · 1: text primary, text? secondary · 2: text? primary, text? secondary · 3: certificate authority
//! ```

use edge_core::Timestamp;
use edge_core::service::{AuthRecord, Configured, IdentityRecord, Secret};

const VERSION: u8 = 1;
const NEVER: u64 = u64::MAX;

/// Returns a record in its stored form; who it is stands in the key.
pub(super) fn encode(record: &IdentityRecord) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    out.push(VERSION);
    out.push(flag(record.enabled, 1) | flag(record.edge, 2) | flag(record.configured.is_some(), 4));
    put_text(&mut out, &record.generation);
    put_text(&mut out, &record.etag);
    put_option(&mut out, record.status_reason.as_deref());
    let updated = record.status_updated.map_or(NEVER, Timestamp::as_unix_ms);
    out.extend_from_slice(&updated.to_le_bytes());
    put_auth(&mut out, &record.auth);
    put_option(&mut out, record.device_scope.as_deref());
    put_length(&mut out, record.parent_scopes.len());
    record.parent_scopes.iter().for_each(|scope| put_text(&mut out, scope));
    put_option(&mut out, record.managed_by.as_deref());
    if let Some(configured) = &record.configured {
        out.push(configured.enabled.into());
        put_auth(&mut out, &configured.auth);
    }
    out
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    // No text comes near 4 GiB: requests and configurations are far smaller.
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn put_option(out: &mut Vec<u8>, text: Option<&str>) {
    out.push(text.is_some().into());
    if let Some(text) = text {
        put_text(out, text);
    }
}

fn put_auth(out: &mut Vec<u8>, auth: &AuthRecord) {
    match auth {
        AuthRecord::Sas { primary, secondary } => {
            out.push(1);
            put_text(out, primary.expose());
            put_option(out, secondary.as_ref().map(Secret::expose));
        }
        AuthRecord::Thumbprints { primary, secondary } => {
            out.push(2);
            put_option(out, primary.as_deref());
            put_option(out, secondary.as_deref());
        }
        AuthRecord::CertificateAuthority => out.push(3),
        _ => out.push(0),
    }
}

/// Returns the record with this key and stored form; `None` when they are damaged.
pub(super) fn decode(key: &str, stored: &[u8]) -> Option<IdentityRecord> {
    let mut rest = Rest(stored);
    if rest.byte()? != VERSION {
        return None;
    }
    let flags = rest.byte().filter(|flags| flags & !7 == 0)?;
    let mut record = IdentityRecord::new(key.parse().ok()?, AuthRecord::None);
    record.enabled = flags & 1 != 0;
    record.edge = flags & 2 != 0;
    record.generation = rest.text()?;
    record.etag = rest.text()?;
    record.status_reason = rest.option()?;
    record.status_updated = Some(rest.u64()?).filter(|&at| at != NEVER).map(Timestamp::from_unix_ms);
    record.auth = rest.auth()?;
    record.device_scope = rest.option()?;
    for _ in 0..rest.u32()? {
        record.parent_scopes.push(rest.text()?);
    }
    record.managed_by = rest.option()?;
    if flags & 4 != 0 {
        let enabled = rest.flag()?;
        record.configured = Some(Configured::new(rest.auth()?, enabled));
    }
    rest.0.is_empty().then_some(record)
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn u32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*bytes))
    }

    fn u64(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*bytes))
    }

    fn text(&mut self) -> Option<Box<str>> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok().map(Into::into)
    }

    fn option(&mut self) -> Option<Option<Box<str>>> {
        if self.flag()? { self.text().map(Some) } else { Some(None) }
    }

    fn auth(&mut self) -> Option<AuthRecord> {
        match self.byte()? {
            0 => Some(AuthRecord::None),
            1 => {
                let primary = Secret::new(self.text()?);
                Some(AuthRecord::Sas { primary, secondary: self.option()?.map(Secret::new) })
            }
            2 => Some(AuthRecord::Thumbprints { primary: self.option()?, secondary: self.option()? }),
            3 => Some(AuthRecord::CertificateAuthority),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> IdentityRecord {
        let primary = Secret::new("a2V5");
        let mut record =
            IdentityRecord::new("d/m".parse().unwrap(), AuthRecord::Sas { primary, secondary: None });
        record.generation = "7".into();
        record.etag = "e".into();
        record.status_updated = Some(Timestamp::from_unix_ms(256));
        record.parent_scopes = vec!["p".into()];
        record.configured = Some(Configured::new(AuthRecord::CertificateAuthority, true));
        record
    }

    #[test]
    fn the_format_does_not_change() {
        let golden = b"\x01\x05\x01\0\0\x007\x01\0\0\0e\0\0\x01\0\0\0\0\0\0\x01\x04\0\0\0a2V5\0\0\x01\0\0\0\x01\0\0\0p\0\x01\x03";
        assert_eq!(encode(&sample()), golden);
        assert_eq!(decode("d/m", golden), Some(sample()));
    }

    #[test]
    fn damaged_records_are_refused() {
        let stored = encode(&sample());
        for end in 0..stored.len() {
            assert_eq!(decode("d/m", &stored[..end]), None, "{end}");
        }
        assert_eq!(decode("d/m", &[stored.as_slice(), &[0]].concat()), None);
        assert_eq!(decode("d/m/x", &stored), None);
        for at in 0..stored.len() {
            let mut damaged = stored.clone();
            damaged[at] ^= 0xff;
            // Refused, or another record; never a panic, and never as much memory as a length says.
            assert_ne!(decode("d/m", &damaged), Some(sample()), "{at}");
        }
    }
}
