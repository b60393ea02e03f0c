//! WebSocket frames, decoded where they stand. RFC 6455 §5.

/// The operation codes that matter. §5.2.
pub(super) mod op {
    pub(crate) const CONTINUATION: u8 = 0;
    pub(crate) const BINARY: u8 = 2;
    pub(crate) const CLOSE: u8 = 8;
    pub(crate) const PING: u8 = 9;
    pub(crate) const PONG: u8 = 10;
}

/// The most payload of a control frame. §5.5.
const MAX_CONTROL_BYTES: u64 = 125;
/// The most bytes of a frame's header: two, eight of length, four of mask. §5.2.
const MAX_HEADER_BYTES: usize = 14;

/// Why bytes are not the frames of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    #[error("a frame of a client is not masked")]
    NotMasked,
    #[error("reserved bits are set")]
    Reserved,
    #[error("a frame has the operation code {0}, which is not offered")]
    Operation(u8),
    #[error("a control frame is fragmented or longer than 125 bytes")]
    Control,
    #[error("fragments are out of order")]
    Fragment,
    #[error("a frame's length has its first bit set")]
    Length,
}

/// What came beside data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Control {
    /// The other side asks for a pong with this payload.
    Ping(Vec<u8>),
    /// The other side closes.
    Close,
}

/// Turns a client's frames into the bytes that they carry, however both are cut.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    header: [u8; MAX_HEADER_BYTES],
    header_bytes: usize,
    /// Payload bytes of the current frame that have not come.
    left: u64,
    operation: u8,
    mask: [u8; 4],
    /// Whether a fragmented message has begun and not ended.
    in_message: bool,
    control: Vec<u8>,
    closed: bool,
}

impl Decoder {
    /// Whether a close frame has come; nothing counts after it.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Decodes `bytes` in place: moves the data in them to their front, and returns how many bytes of data there are.
    ///
    /// `on_control` hears of pings and of the close.
    pub(super) fn decode(
        &mut self,
        bytes: &mut [u8],
        mut on_control: impl FnMut(Control),
    ) -> Result<usize, FrameError> {
        let (mut at, mut data) = (0, 0);
        while at < bytes.len() && !self.closed {
            if self.left == 0 {
                let Some(&byte) = bytes.get(at) else { break };
                at += 1;
                if !self.push_header(byte)? {
                    continue;
                }
            }
            let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len() - at);
            let payload = bytes.get_mut(at..at + len).unwrap_or_default();
            self.unmask(payload);
            self.left -= len as u64;
            if self.operation >= op::CLOSE {
                self.control.extend_from_slice(payload);
                if self.left == 0 {
                    self.end_control(&mut on_control);
                }
            } else {
                bytes.copy_within(at..at + len, data);
                data += len;
            }
            at += len;
        }
        Ok(data)
    }

    /// Adds a byte to the header; `true` when that is whole, so that the payload follows.
    fn push_header(&mut self, byte: u8) -> Result<bool, FrameError> {
        if let Some(slot) = self.header.get_mut(self.header_bytes) {
            *slot = byte;
        }
        self.header_bytes += 1;
        let [first, second, rest @ ..] = self.header;
        match self.header_bytes {
            1 => {
                self.check_first(first)?;
                return Ok(false);
            }
            2 if second & 0x80 == 0 => return Err(FrameError::NotMasked),
            _ => {}
        }
        let length_bytes = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if self.header_bytes < 2 + length_bytes + 4 {
            return Ok(false);
        }
        let (length, mask) = rest.split_at(length_bytes);
        self.left = match length_bytes {
            0 => u64::from(second & 0x7f),
            _ => length.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        if self.left >> 63 == 1 {
            return Err(FrameError::Length);
        }
        if let Some(mask) = mask.first_chunk() {
            self.mask = *mask;
        }
        self.operation = first & 0x0f;
        self.header_bytes = 0;
        if self.operation >= op::CLOSE {
            if self.left > MAX_CONTROL_BYTES {
                return Err(FrameError::Control);
            }
        } else {
            self.in_message = first & 0x80 == 0;
        }
        // An empty data frame is over already; an empty control frame is still to be noticed.
        Ok(self.left > 0 || self.operation >= op::CLOSE)
    }

    fn check_first(&self, first: u8) -> Result<(), FrameError> {
        let is_final = first & 0x80 != 0;
        if first & 0x70 != 0 {
            return Err(FrameError::Reserved);
        }
        match first & 0x0f {
            op::CONTINUATION if !self.in_message => Err(FrameError::Fragment),
            op::BINARY if self.in_message => Err(FrameError::Fragment),
            op::CONTINUATION | op::BINARY => Ok(()),
            op::CLOSE | op::PING | op::PONG if is_final => Ok(()),
            op::CLOSE | op::PING | op::PONG => Err(FrameError::Control),
            // Text too: MQTT-6.0.0-1 wants binary frames.
            other => Err(FrameError::Operation(other)),
        }
    }

    /// §5.3.
    fn unmask(&mut self, payload: &mut [u8]) {
        let mask = self.mask;
        let mut words = payload.chunks_exact_mut(4);
        for word in &mut words {
            word.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        }
        let rest = words.into_remainder();
        rest.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        self.mask.rotate_left(rest.len() % 4);
    }

    fn end_control(&mut self, on_control: &mut impl FnMut(Control)) {
        let payload = std::mem::take(&mut self.control);
        match self.operation {
            op::PING => on_control(Control::Ping(payload)),
            op::CLOSE => {
                self.closed = true;
                on_control(Control::Close);
            }
            _ => {}
        }
    }
}

/// Writes the header of a server's frame, which is whole and not masked; returns how many bytes it has. §5.1, §5.2.
pub(super) fn put_header(operation: u8, len: usize, header: &mut [u8; 10]) -> usize {
    let [first, second, rest @ ..] = header;
    *first = 0x80 | operation;
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ ..=125), _) => {
            *second = len;
            2
        }
        (_, Ok(len)) => {
            *second = 126;
            rest.iter_mut().zip(len.to_be_bytes()).for_each(|(slot, byte)| *slot = byte);
            4
        }
        _ => {
            *second = 127;
            *rest = (len as u64).to_be_bytes();
            10
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A client's frame.
    pub(crate) fn masked(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
        let mut header = [0; 10];
        let len = put_header(0, payload.len(), &mut header);
        header[0] = first;
        header[1] |= 0x80;
        let mut frame = header[..len].to_vec();
        frame.extend_from_slice(&mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    fn check_error(bytes: &[u8], error: FrameError) {
        assert_eq!(Decoder::default().decode(&mut bytes.to_vec(), |_| ()), Err(error), "{bytes:02x?}");
    }

    #[test]
    fn what_is_no_frame_of_a_client() {
        check_error(&[0x82, 0x01, 0], FrameError::NotMasked);
        check_error(&[0xc2], FrameError::Reserved);
        check_error(&[0x81], FrameError::Operation(1));
        check_error(&[0x83], FrameError::Operation(3));
        check_error(&[0x8b], FrameError::Operation(11));
        check_error(&[0x80], FrameError::Fragment);
        check_error(&[0x09], FrameError::Control);
        check_error(&masked(0x89, &[0; 126], [0; 4]), FrameError::Control);
        check_error(&[masked(0x02, b"a", [0; 4]), masked(0x02, b"b", [0; 4])].concat(), FrameError::Fragment);
        check_error(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], FrameError::Length);
    }

    #[test]
    fn nothing_counts_after_the_close() {
        let mut bytes =
            [masked(0x82, b"a", [1; 4]), masked(0x88, &[3, 232], [2; 4]), masked(0x82, b"b", [3; 4])]
                .concat();
        let mut controls = Vec::new();
        let mut decoder = Decoder::default();
        assert_eq!(decoder.decode(&mut bytes, |control| controls.push(control)), Ok(1));
        assert!(decoder.is_closed());
        assert_eq!(controls, [Control::Close]);
    }

    #[derive(Clone, Debug)]
    struct Frame {
        operation: u8,
        payload: Vec<u8>,
        mask: [u8; 4],
    }

    fn frame() -> impl Strategy<Value = Frame> {
        let len = prop_oneof![0..200usize, Just(125), Just(126), Just(65_535), Just(65_536)];
        (
            prop_oneof![4 => Just(op::BINARY), 1 => Just(op::PING), 1 => Just(op::PONG)],
            len,
            any::<[u8; 4]>(),
            any::<u8>(),
        )
            .prop_map(|(operation, len, mask, seed)| {
                let len = if operation == op::BINARY { len } else { len.min(125) };
                let payload = (0..len).map(|n| (n as u8).wrapping_mul(31) ^ seed).collect();
                Frame { operation, payload, mask }
            })
    }

    proptest! {
        #[test]
        fn frames_are_decoded_however_they_are_cut(
            frames in proptest::collection::vec(frame(), 0..8),
            cuts in proptest::collection::vec(1..5000usize, 1..20),
        ) {
            let mut stream = Vec::new();
            let (mut data, mut pings) = (Vec::new(), Vec::new());
            for frame in &frames {
                stream.extend(masked(0x80 | frame.operation, &frame.payload, frame.mask));
                match frame.operation {
                    op::BINARY => data.extend_from_slice(&frame.payload),
                    op::PING => pings.push(Control::Ping(frame.payload.clone())),
                    _ => {}
                }
            }
            let mut decoder = Decoder::default();
            let (mut decoded, mut controls) = (Vec::new(), Vec::new());
            let mut rest = &mut stream[..];
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at_mut(cut.min(rest.len()));
                rest = after;
                let len = decoder.decode(piece, |control| controls.push(control)).unwrap();
                decoded.extend_from_slice(&piece[..len]);
            }
            prop_assert_eq!(decoded, data);
            prop_assert_eq!(controls, pings);
        }

        #[test]
        fn any_bytes_are_decoded_without_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let len = bytes.len();
            if let Ok(data) = Decoder::default().decode(&mut bytes, |_| ()) {
                prop_assert!(data <= len);
            }
        }
    }
}
