//! What every connection does alike: its driver reads, writes, waits for time and closes, without buffers of its own;
//! its core keeps what waits for the socket.

mod driver;
mod outbound;

pub(crate) use driver::{Read, Wire, now};
pub(crate) use outbound::Outbound;
