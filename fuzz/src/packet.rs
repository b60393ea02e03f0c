//! MQTT packets.

use edge_transport::mqtt::packet::v4;

/// A limit that few inputs reach.
const MAX_PACKET_BYTES: usize = 64 * 1024;

/// Reads one MQTT 3.1.1 packet, and checks that it is written and read again as the same.
///
/// # Panics
/// Panics when something does not hold.
pub fn mqtt_packet(data: &[u8]) {
    // A caller may hand over anything.
    let _either_way = v4::decode(data);
    let Ok(Some(frame)) = v4::frame(data, MAX_PACKET_BYTES) else { return };
    assert!(frame.header_bytes <= frame.total_bytes && frame.total_bytes <= MAX_PACKET_BYTES);
    for cut in 0..data.len().min(frame.header_bytes) {
        let early = v4::frame(data.get(..cut).unwrap_or_default(), MAX_PACKET_BYTES);
        assert!(
            matches!(early, Ok(None)),
            "{early:?} after {cut} bytes of a header of {}",
            frame.header_bytes
        );
    }
    let Some(bytes) = data.get(..frame.total_bytes) else { return };
    let Ok(packet) = v4::decode(bytes) else { return };
    let mut written = Vec::new();
    v4::encode(&packet, &mut written).expect("what was read can be written");
    assert!(written.len() <= bytes.len(), "what is written is no longer than what was read");
    assert_eq!(v4::decode(&written).as_ref(), Ok(&packet));
    let frame = v4::frame(&written, MAX_PACKET_BYTES).expect("what was written is a packet");
    assert_eq!(frame.map(|frame| frame.total_bytes), Some(written.len()));
}
