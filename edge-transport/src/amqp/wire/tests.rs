//! What is written is read back, and bytes that are no AMQP are refused.

use proptest::prelude::*;

use super::*;

fn written(performative: &Performative<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    performative.write(&mut out);
    out
}

fn check(performative: Performative<'_>) {
    assert_eq!(Performative::read(&written(&performative)), Ok(performative));
}

#[test]
fn performatives_are_read_back() {
    check(Performative::Open(Open {
        container_id: "c",
        hostname: Some("h"),
        max_frame_size: Some(65536),
        channel_max: Some(255),
        idle_time_out: Some(240_000),
    }));
    check(Performative::Open(Open { container_id: "c", ..Open::default() }));
    check(Performative::Begin(Begin {
        remote_channel: Some(3),
        next_outgoing_id: 0,
        incoming_window: 300,
        outgoing_window: 70_000,
        handle_max: None,
    }));
    let (mut source, mut target) = (Vec::new(), Vec::new());
    Terminus::source("a", &mut source);
    Terminus::target("b", &mut target);
    check(Performative::Attach(Attach {
        name: "l",
        handle: 7,
        role: Role::Receiver,
        snd_settle_mode: Some(1),
        rcv_settle_mode: None,
        source: Some(Terminus { address: Some("a"), dynamic: false, raw: &source }),
        target: Some(Terminus { address: Some("b"), dynamic: false, raw: &target }),
        initial_delivery_count: Some(0),
        max_message_size: Some(1 << 20),
        properties: Map::default(),
    }));
    check(Performative::Flow(Flow {
        handle: Some(1),
        link_credit: Some(100),
        drain: true,
        ..Flow::default()
    }));
    let transfer = Transfer {
        handle: 0,
        delivery_id: Some(9),
        delivery_tag: Some(b"tag"),
        message_format: Some(0),
        settled: Some(false),
        more: true,
        aborted: false,
        payload: b"payload",
    };
    check(Performative::Transfer(transfer));
    check(Performative::Transfer(Transfer { aborted: true, ..transfer }));
    let error = Some(AmqpError { condition: "amqp:not-found", description: "d" });
    for state in [
        None,
        Some(DeliveryState::Accepted),
        Some(DeliveryState::Rejected(error)),
        Some(DeliveryState::Rejected(None)),
        Some(DeliveryState::Released),
        Some(DeliveryState::Modified { undeliverable_here: true }),
    ] {
        let (role, first, last) = (Role::Receiver, 1, Some(u32::MAX));
        check(Performative::Disposition(Disposition { role, first, last, settled: true, state }));
    }
    check(Performative::Detach(Detach { handle: 1, closed: true, error }));
    check(Performative::End(End { error: None }));
    check(Performative::Close(Close { error }));
}

/// The OPEN of an other implementation, with an array and a map behind what is read.
#[test]
fn descriptors_may_be_symbols_and_lists_short() {
    let mut bytes = Vec::new();
    bytes.extend([0x00, 0xa3, 14]);
    bytes.extend(b"amqp:open:list");
    bytes.extend([0xc0, 4, 1, 0xa1, 1, b'x']);
    let open = Open { container_id: "x", ..Open::default() };
    assert_eq!(Performative::read(&bytes), Ok(Performative::Open(open)));
}

#[test]
fn absurd_values_are_refused() {
    let nested = [0x00; 64];
    assert_eq!(Reader::new(&nested).value(), Err(WireError::Depth));
    assert_eq!(Reader::new(&[0xb0, 0xff, 0xff, 0xff, 0xff]).value(), Err(WireError::Truncated));
    assert_eq!(Reader::new(&[0xd0, 0, 0, 0, 1, 0]).value(), Err(WireError::Truncated));
    assert_eq!(Reader::new(&[0xa1, 1, 0xff]).value(), Err(WireError::Text));
    assert_eq!(Reader::new(&[0x3f]).value(), Err(WireError::Constructor(0x3f)));
    assert_eq!(frame(&[0, 0, 0, 4, 2, 0, 0, 0], 100), Err(WireError::Head));
    assert_eq!(frame(&[0, 0, 0, 8, 3, 0, 0, 0], 100), Err(WireError::Head));
    assert_eq!(frame(&[0, 0, 0, 8, 2, 7, 0, 0], 100), Err(WireError::Head));
    assert_eq!(frame(&[0, 0, 1, 0, 2, 0, 0, 0], 100), Err(WireError::FrameSize { bytes: 256, max: 100 }));
    assert_eq!(frame(&[0, 0, 0, 8, 2, 0, 0], 100), Ok(None));
}

#[test]
fn several_symbols_are_an_array_or_one() {
    let mut out = Vec::new();
    Writer::new(&mut out).symbols(&["PLAIN", "ANONYMOUS"]);
    let value = Reader::new(&out).value().unwrap();
    assert_eq!(value.symbols().collect::<Vec<_>>(), ["PLAIN", "ANONYMOUS"]);
    assert_eq!(Value::Symbol("PLAIN").symbols().collect::<Vec<_>>(), ["PLAIN"]);
    assert_eq!(Value::Null.symbols().count(), 0);
}

#[test]
fn a_body_may_be_in_several_parts() {
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out);
    write_data(&mut w, b"ab");
    write_data(&mut w, &[b'c'; 300]);
    let sections = Sections::read(&out).unwrap();
    let mut buffer = Vec::new();
    assert_eq!(sections.body_bytes(&mut buffer).unwrap().len(), 302);
    for (value, expected) in [
        (Value::Text("t"), Some(&b"t"[..])),
        (Value::Binary(b"b"), Some(b"b")),
        (Value::Null, Some(b"")),
        (Value::Int(1), None),
    ] {
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out);
        w.descriptor(0x77);
        w.value(value);
        assert_eq!(Sections::read(&out).unwrap().body_bytes(&mut buffer), expected);
    }
    assert_eq!(Sections::read(b"").unwrap().body_bytes(&mut buffer), Some(&b""[..]));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
        let _either_way = (Performative::read(&bytes), SaslFrame::read(&bytes), frame(&bytes, 100));
        if let Ok(value) = Reader::new(&bytes).value() {
            let _either_way = value.symbols().count();
        }
        if let Ok(sections) = Sections::read(&bytes) {
            let _either_way = (sections.body_bytes(&mut Vec::new()), sections.application.iter().count());
        }
    }

    #[test]
    fn a_changed_frame_is_read_without_a_panic(at in 0usize..200, byte: u8) {
        let mut out = Vec::new();
        Properties { message_id: Value::Text("m"), ..Properties::default() }.write(&mut Writer::new(&mut out));
        let mut bytes = written(&Performative::Transfer(Transfer {
            handle: 300,
            delivery_id: Some(70_000),
            delivery_tag: Some(&[1; 16]),
            message_format: Some(0),
            settled: None,
            more: false,
            aborted: false,
            payload: &out,
        }));
        let len = bytes.len();
        bytes[at % len] = byte;
        if let Ok(Performative::Transfer(transfer)) = Performative::read(&bytes) {
            let _either_way = Sections::read(transfer.payload);
        }
    }
}
