//! Round trips, malformed bytes, and the codec of another project beside ours.

use std::num::NonZeroU16;

use proptest::prelude::*;
use rumqttc::mqttbytes::v4 as theirs;

use super::*;

fn id(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}

fn check_error(bytes: &[u8], error: DecodeError) {
    assert_eq!(v4::decode(bytes), Err(error), "{bytes:02x?}");
}

#[test]
fn malformed_packets_have_typed_errors() {
    use DecodeError as E;
    check_error(&[], E::Short);
    check_error(&[0x00, 0], E::Type(0));
    check_error(&[0xf0, 0], E::Type(15));
    check_error(&[0xc1, 0], E::Flags(1));
    check_error(&[0x60, 2, 0, 1], E::Flags(0));
    check_error(&[0x30, 0xff, 0xff, 0xff, 0xff, 1], E::Length);
    check_error(&[0xc0, 1], E::Short);
    check_error(&[0xc0, 1, 0], E::Trailing(1));
    check_error(&[0xc0, 0, 0], E::Trailing(1));
    check_error(&[0x40, 2, 0, 0], E::PacketId);
    check_error(&[0x40, 1, 0], E::Short);
    check_error(&[0x40, 3, 0, 1, 2], E::Trailing(1));
    check_error(&[0x30, 2, 0, 0], E::Topic);
    check_error(&[0x30, 3, 0, 1, b'#'], E::Topic);
    check_error(&[0x30, 3, 0, 1, 0], E::Text);
    check_error(&[0x30, 3, 0, 1, 0xff], E::Text);
    check_error(&[0x30, 3, 0, 9, b'a'], E::Short);
    check_error(&[0x38, 3, 0, 1, b'a'], E::Duplicate);
    check_error(&[0x36, 5, 0, 1, b'a', 0, 1], E::QoS);
    check_error(&[0x32, 5, 0, 1, b'a', 0, 0], E::PacketId);
    check_error(&[0x32, 3, 0, 1, b'a'], E::Short);
    check_error(&[0x82, 2, 0, 1], E::NoFilter);
    check_error(&[0x82, 5, 0, 1, 0, 0, 1], E::Filter);
    check_error(&[0x82, 6, 0, 1, 0, 1, b'a', 3], E::QoS);
    check_error(&[0x82, 6, 0, 1, 0, 1, b'a', 4], E::Reserved(4));
    check_error(&[0x82, 5, 0, 1, 0, 1, b'a'], E::Short);
    check_error(&[0x82, 8, 0, 1, 0, 3, b'#', b'/', b'a', 0], E::Filter);
    check_error(&[0x82, 7, 0, 1, 0, 2, b'a', b'+', 0], E::Filter);
    check_error(&[0x20, 2, 2, 0], E::Reserved(2));
    check_error(&[0x20, 2, 0, 6], E::Reserved(6));
    check_error(&[0x90, 3, 0, 1, 3], E::Reserved(3));
    check_error(&connect_bytes(b"MQTX", 4, 2), E::ProtocolName);
    check_error(&connect_bytes(b"MQTT", 5, 2), E::ProtocolLevel(5));
    check_error(&connect_bytes(b"MQIsdp", 3, 2), E::ProtocolLevel(3));
    check_error(&connect_bytes(b"MQTT", 4, 1), E::ConnectFlags(1));
    check_error(&connect_bytes(b"MQTT", 4, 0b0100_0000), E::ConnectFlags(0b0100_0000));
    check_error(&connect_bytes(b"MQTT", 4, 0b0000_1000), E::ConnectFlags(0b0000_1000));
    check_error(&connect_bytes(b"MQTT", 4, 0b0001_1100), E::ConnectFlags(0b0001_1100));
    check_error(&connect_bytes(b"MQTT", 4, 0b0010_0000), E::ConnectFlags(0b0010_0000));
    check_error(&connect_bytes(b"MQTT", 4, 0b1000_0000), E::Short);
}

/// A CONNECT with these first fields, and the client id `d`.
fn connect_bytes(name: &[u8], level: u8, flags: u8) -> Vec<u8> {
    let mut body = vec![0, name.len() as u8];
    body.extend_from_slice(name);
    body.extend_from_slice(&[level, flags, 0, 60, 0, 1, b'd']);
    let mut packet = vec![0x10, body.len() as u8];
    packet.append(&mut body);
    packet
}

#[test]
fn a_frame_is_measured_before_it_is_there() {
    assert_eq!(v4::frame(&[], 10), Ok(None));
    assert_eq!(v4::frame(&[0x30], 10), Ok(None));
    assert_eq!(v4::frame(&[0x30, 0x80, 0x80, 0x80], 10), Ok(None));
    assert_eq!(v4::frame(&[0x30, 9], 10), Err(DecodeError::TooLarge { bytes: 11, max: 10 }));
    let frame = v4::frame(&[0x30, 0x80, 1], 200).unwrap().unwrap();
    assert_eq!((frame.header_bytes, frame.total_bytes), (3, 131));
}

#[test]
fn too_long_fields_are_not_written() {
    let long = "x".repeat(65_536);
    let publish =
        Publish { topic: &long, quality: Quality::AtMostOnce, dup: false, retain: false, payload: &[] };
    let mut out = vec![7];
    assert_eq!(v4::encode(&Packet::Publish(publish), &mut out), Err(EncodeError::Field { bytes: 65_536 }));
    assert_eq!(out, [7]);
}

/// What an owned packet needs, to borrow a packet from.
#[derive(Clone, Debug)]
struct Parts {
    kind: u8,
    id: u16,
    text: [String; 3],
    bytes: Vec<u8>,
    filters: Vec<(String, u8)>,
    bits: u8,
}

fn parts() -> impl Strategy<Value = Parts> {
    let text = "[a-zA-Z0-9/$ é€😀-]{1,20}";
    let filter = ("([a-z]{1,4}/){0,3}([a-z+]|#)", 0..3u8);
    (
        0..14u8,
        1..=u16::MAX,
        [text, text, text],
        proptest::collection::vec(any::<u8>(), 0..300),
        proptest::collection::vec(filter, 1..5),
        any::<u8>(),
    )
        .prop_map(|(kind, id, text, bytes, filters, bits)| Parts {
            kind,
            id,
            text,
            bytes,
            filters,
            bits,
        })
}

fn with_packet<R>(parts: &Parts, check: impl FnOnce(Packet<'_>) -> R) -> R {
    let bit = |n: u8| parts.bits >> n & 1 == 1;
    let [a, b, c] = &parts.text;
    let qos = QoS::from_bits(parts.bits % 3).unwrap();
    let id = id(parts.id);
    let quality = [Quality::AtMostOnce, Quality::AtLeastOnce(id), Quality::ExactlyOnce(id)]
        [usize::from(parts.bits % 3)];
    let mut subscribe = FiltersBuf::for_subscribe();
    let mut unsubscribe = FiltersBuf::for_unsubscribe();
    for (filter, qos) in &parts.filters {
        subscribe.push(filter, QoS::from_bits(*qos).unwrap()).unwrap();
        unsubscribe.push(filter, QoS::AtMostOnce).unwrap();
    }
    let codes: Vec<u8> = parts.bytes.iter().map(|byte| [0, 1, 2, 0x80][usize::from(byte % 4)]).collect();
    check(match parts.kind {
        0 => Packet::Connect(Connect {
            client_id: a,
            clean_session: bit(3),
            keep_alive_secs: parts.id,
            will: bit(4).then_some(Will { topic: b, payload: &parts.bytes, qos, retain: bit(5) }),
            user_name: (bit(6) || bit(7)).then_some(c),
            password: bit(7).then_some(&parts.bytes),
        }),
        1 => {
            Packet::ConnAck { session_present: bit(7), code: ConnectCode::from_bits(parts.bits % 6).unwrap() }
        }
        2 => Packet::PubAck(id),
        3 => Packet::PubRec(id),
        4 => Packet::PubRel(id),
        5 => Packet::PubComp(id),
        6 => Packet::Subscribe { packet_id: id, filters: subscribe.as_filters() },
        7 => Packet::SubAck { packet_id: id, codes: &codes },
        8 => Packet::Unsubscribe { packet_id: id, filters: unsubscribe.as_filters() },
        9 => Packet::UnsubAck(id),
        10 => Packet::PingReq,
        11 => Packet::PingResp,
        12 => Packet::Disconnect,
        _ => {
            let dup = bit(6) && quality != Quality::AtMostOnce;
            Packet::Publish(Publish { topic: a, quality, dup, retain: bit(7), payload: &parts.bytes })
        }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(parts in parts()) {
        with_packet(&parts, |packet| {
            let mut bytes = Vec::new();
            v4::encode(&packet, &mut bytes).unwrap();
            assert_eq!(v4::decode(&bytes), Ok(packet));
            for cut in 0..bytes.len() {
                assert!(v4::decode(&bytes[..cut]).is_err());
            }
        });
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(packet) = v4::decode(&bytes) {
            let mut again = Vec::new();
            v4::encode(&packet, &mut again).unwrap();
            assert_eq!(v4::decode(&again), Ok(packet));
        }
    }

    #[test]
    fn a_damaged_packet_is_read_without_a_panic(parts in parts(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = Vec::new();
        with_packet(&parts, |packet| v4::encode(&packet, &mut bytes).unwrap());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _either_way = v4::decode(&bytes);
    }

    #[test]
    fn rumqttc_reads_the_same(parts in parts()) {
        with_packet(&parts, |packet| {
            // rumqttc wants passwords to be text, and a SUBACK to have a code; MQTT 3.1.1 asks for neither.
            match packet {
                Packet::SubAck { codes: [], .. } => return,
                Packet::Connect(Connect { password: Some(p), .. }) if std::str::from_utf8(p).is_err() => return,
                _ => {}
            }
            let mut bytes = Vec::new();
            v4::encode(&packet, &mut bytes).unwrap();
            let mut stream = bytes::BytesMut::from(&bytes[..]);
            let read = theirs::Packet::read(&mut stream, 1 << 20).unwrap();
            assert!(stream.is_empty());
            assert_same(&packet, &read);
        });
    }
}

fn assert_same(ours: &Packet<'_>, read: &theirs::Packet) {
    match (ours, read) {
        (Packet::Publish(a), theirs::Packet::Publish(b)) => {
            let (qos, id) = match a.quality {
                Quality::AtMostOnce => (0, 0),
                Quality::AtLeastOnce(id) => (1, id.get()),
                Quality::ExactlyOnce(id) => (2, id.get()),
            };
            assert_eq!((a.topic, a.payload, a.dup, a.retain), (&*b.topic, &b.payload[..], b.dup, b.retain));
            assert_eq!((qos, id), (b.qos as u8, b.pkid));
        }
        (Packet::Connect(a), theirs::Packet::Connect(b)) => {
            assert_eq!((a.client_id, a.clean_session), (&*b.client_id, b.clean_session));
            assert_eq!(a.keep_alive_secs, b.keep_alive);
            assert_eq!(
                a.will.map(|w| (w.topic, w.payload)),
                b.last_will.as_ref().map(|w| (&*w.topic, &w.message[..]))
            );
            assert_eq!(a.user_name, b.login.as_ref().map(|login| &*login.username));
        }
        (Packet::Subscribe { packet_id, filters }, theirs::Packet::Subscribe(b)) => {
            let b_filters: Vec<_> = b.filters.iter().map(|f| (&*f.path, f.qos as u8)).collect();
            assert_eq!(packet_id.get(), b.pkid);
            assert_eq!(filters.iter().map(|(f, q)| (f, q as u8)).collect::<Vec<_>>(), b_filters);
        }
        (Packet::Unsubscribe { packet_id, filters }, theirs::Packet::Unsubscribe(b)) => {
            assert_eq!(packet_id.get(), b.pkid);
            assert_eq!(filters.iter().map(|(f, _)| f).collect::<Vec<_>>(), b.topics);
        }
        (Packet::SubAck { packet_id, codes }, theirs::Packet::SubAck(b)) => {
            assert_eq!((packet_id.get(), codes.len()), (b.pkid, b.return_codes.len()));
        }
        (Packet::PubAck(a), theirs::Packet::PubAck(b)) => assert_eq!(a.get(), b.pkid),
        (Packet::PubRec(a), theirs::Packet::PubRec(b)) => assert_eq!(a.get(), b.pkid),
        (Packet::PubRel(a), theirs::Packet::PubRel(b)) => assert_eq!(a.get(), b.pkid),
        (Packet::PubComp(a), theirs::Packet::PubComp(b)) => assert_eq!(a.get(), b.pkid),
        (Packet::UnsubAck(a), theirs::Packet::UnsubAck(b)) => assert_eq!(a.get(), b.pkid),
        (Packet::ConnAck { session_present, .. }, theirs::Packet::ConnAck(b)) => {
            assert_eq!(*session_present, b.session_present);
        }
        (Packet::PingReq, theirs::Packet::PingReq)
        | (Packet::PingResp, theirs::Packet::PingResp)
        | (Packet::Disconnect, theirs::Packet::Disconnect) => {}
        (ours, read) => panic!("{ours:?} was read as {read:?}"),
    }
}
