//! How MQTT writes what waits for the socket.

use crate::mqtt::packet::{EncodeError, Packet, v4};
use crate::wire::Outbound;

impl Outbound {
    pub(super) fn put(&mut self, packet: &Packet<'_>) -> Result<(), EncodeError> {
        v4::encode(packet, self.bytes())
    }
}
