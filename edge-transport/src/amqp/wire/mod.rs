//! AMQP 1.0 as bytes: types, performatives, frames and the sections of a message.
//!
//! Everything is read in place and borrows from the frame. Lists and maps are walked when they are asked for, so that
//! what nobody asks for costs its length and nothing else; only described types nest, to a bounded depth.
//!
//! | file | part of the specification |
//! |---|---|
//! | `value` | 1.6, reading |
//! | `write` | 1.6, writing |
//! | `frame` | 2.2, 2.3, 5.3.1 |
//! | `performative` | 2.7 |
//! | `state` | 3.4, 2.8.14 |
//! | `sections` | 3.2 |
//! | `sasl` | 5.3 |

mod error;
mod frame;
mod performative;
mod sasl;
mod sections;
mod state;
#[cfg(test)]
mod tests;
mod value;
mod write;

pub(crate) use error::WireError;
pub(crate) use frame::{FrameHead, FrameKind, Protocol, begin_frame, empty_frame, end_frame, frame};
pub(crate) use performative::{
    Attach, Begin, Close, Detach, Disposition, End, Flow, Open, Performative, Role, Terminus, Transfer,
};
pub(crate) use sasl::{SaslFrame, write_sasl};
pub(crate) use sections::{Body, Properties, Sections, write_data};
pub(crate) use state::{AmqpError, DeliveryState, condition};
pub(crate) use value::{Map, Reader, Value};
pub(crate) use write::Writer;
