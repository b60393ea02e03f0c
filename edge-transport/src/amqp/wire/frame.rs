//! Frames and protocol headers.

use super::WireError;

/// The bytes of a frame's head.
const HEAD_BYTES: usize = 8;

/// Which protocol a header announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// AMQP itself.
    Amqp,
    /// The SASL layer.
    Sasl,
}

impl Protocol {
    /// The bytes of the header.
    pub(crate) const fn header(self) -> [u8; 8] {
        match self {
            Self::Amqp => *b"AMQP\x00\x01\x00\x00",
            Self::Sasl => *b"AMQP\x03\x01\x00\x00",
        }
    }

    /// The protocol that a header announces; `None` for one that is not spoken here.
    pub(crate) fn of_header(header: &[u8; 8]) -> Option<Self> {
        [Self::Amqp, Self::Sasl].into_iter().find(|protocol| protocol.header() == *header)
    }
}

/// What kind of frame it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    Amqp,
    Sasl,
}

/// A frame's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    /// The bytes of the whole frame.
    pub(crate) total: usize,
    /// Where the body begins.
    pub(crate) body: usize,
    pub(crate) kind: FrameKind,
    pub(crate) channel: u16,
}

/// Reads the head of the first frame in `bytes`; `None` when it has not arrived whole.
pub(crate) fn frame(bytes: &[u8], max: usize) -> Result<Option<FrameHead>, WireError> {
    let Some(&[s0, s1, s2, s3, offset, kind, c0, c1]) = bytes.first_chunk::<HEAD_BYTES>() else {
        return Ok(None);
    };
    let total = usize::try_from(u32::from_be_bytes([s0, s1, s2, s3])).map_err(|_| WireError::Head)?;
    if total > max {
        return Err(WireError::FrameSize { bytes: total, max });
    }
    let body = usize::from(offset) * 4;
    if body < HEAD_BYTES || body > total {
        return Err(WireError::Head);
    }
    let kind = match kind {
        0 => FrameKind::Amqp,
        1 => FrameKind::Sasl,
        _ => return Err(WireError::Head),
    };
    Ok(Some(FrameHead { total, body, kind, channel: u16::from_be_bytes([c0, c1]) }))
}

/// Begins a frame, and returns what [`end_frame`] wants.
pub(crate) fn begin_frame(out: &mut Vec<u8>, kind: FrameKind, channel: u16) -> usize {
    let start = out.len();
    let kind = if kind == FrameKind::Sasl { 1 } else { 0 };
    let [c0, c1] = channel.to_be_bytes();
    out.extend_from_slice(&[0, 0, 0, 0, 2, kind, c0, c1]);
    start
}

/// Ends the frame that began at `start`.
pub(crate) fn end_frame(out: &mut [u8], start: usize) {
    let size = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(at) = out.get_mut(start..start + 4) {
        at.copy_from_slice(&size.to_be_bytes());
    }
}

/// Writes a frame without a body, which says that the sender is alive.
pub(crate) fn empty_frame(out: &mut Vec<u8>) {
    let start = begin_frame(out, FrameKind::Amqp, 0);
    end_frame(out, start);
}
