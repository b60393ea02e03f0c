//! What every driver of a connection does alike: reads, writes, waits for time and closes, without buffers of its own.

mod driver;

pub(crate) use driver::{Read, Wire, now};
