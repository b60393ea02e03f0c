//! The core without a socket: whatever comes, it says what to do and never panics.

mod floods;

use edge_core::{Clock, SystemClock};
use proptest::prelude::*;

use super::*;
use crate::amqp::wire::{Begin, Detach, FrameKind, Open, Performative, Protocol, begin_frame, end_frame};

fn greeting() -> Vec<u8> {
    let mut bytes = Protocol::Amqp.header().to_vec();
    let begin = Begin {
        remote_channel: None,
        next_outgoing_id: 0,
        incoming_window: 10,
        outgoing_window: 10,
        handle_max: None,
    };
    for performative in
        [Performative::Open(Open { container_id: "c", ..Open::default() }), Performative::Begin(begin)]
    {
        put(&mut bytes, |bytes| performative.write(bytes));
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = begin_frame(bytes, FrameKind::Amqp, 0);
    body(bytes);
    end_frame(bytes, start);
}

proptest! {
    #[test]
    fn any_frames_in_any_parts_are_taken_without_a_panic(
        bodies in proptest::collection::vec(
            (0x10u8..0x19, proptest::collection::vec(any::<u8>(), 0..40)), 0..12),
        cut in 1usize..64,
    ) {
        let mut bytes = greeting();
        for (code, body) in &bodies {
            put(&mut bytes, |bytes| {
                let len = u8::try_from(body.len() + 1).unwrap();
                bytes.extend([0x00, 0x53, *code, 0xc0, len, 9]);
                bytes.extend(body);
            });
        }
        let resources = Resources::new(TransportLimits::default());
        let now = SystemClock.now();
        let mut core = ServerConnection::new(now, &resources, None, Vec::new());
        let mut scratch = Scratch::default();
        for part in bytes.chunks(cut) {
            core.handle_input(now, Input::Bytes(part), &mut scratch);
            while core.poll_output().is_some() {}
        }
        core.handle_input(now, Input::End, &mut scratch);
        prop_assert!(!core.wants_bytes());
        drop(core);
        prop_assert_eq!(resources.partial_bytes(), 0);
    }
}
