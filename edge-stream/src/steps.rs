//! Steps as bytes, as they stand in the journal.

use crate::event::Event;
use crate::seen::Mark;
use crate::snapshot::message;
use crate::state::Step;
use crate::wire::{Broken, Reader, Writer};

impl Step {
    pub(crate) fn encode(&self, out: &mut Writer) {
        match self {
            Self::Event { mark, event, now, message } => {
                out.u8(1);
                put_mark(out, mark);
                out.bytes(event.key.as_bytes());
                out.i64(event.time);
                out.i64(*now);
                out.u8(event.distinct.is_some().into());
                out.u64(event.distinct.unwrap_or_default());
                out.len(event.values.len());
                event.values.iter().for_each(|value| out.f64(*value));
                put_message(out, message.as_ref());
            }
            Self::Error { mark, message } => {
                out.u8(2);
                put_mark(out, mark);
                put_message(out, message.as_ref());
            }
            Self::Tick { now } => {
                out.u8(3);
                out.i64(*now);
            }
            Self::Sent { messages } => {
                out.u8(4);
                out.u64(*messages as u64);
            }
        }
    }

    pub(crate) fn decode(input: &mut Reader<'_>, fields: usize) -> Result<Self, Broken> {
        match input.u8()? {
            1 => {
                let mark = mark(input)?;
                let key = input.text()?.into();
                let (time, now) = (time(input)?, time(input)?);
                let distinct = (input.u8()? == 1, input.u64()?);
                let len = input.count(8)?;
                let values = (0..len).map(|_| input.f64()).collect::<Result<Vec<_>, _>>()?;
                let sound = values.len() == fields && values.iter().all(|value| !value.is_infinite());
                let event = Event { key, time, values, distinct: distinct.0.then_some(distinct.1) };
                let message = maybe_message(input)?;
                if sound { Ok(Self::Event { mark, event, now, message }) } else { Err(Broken) }
            }
            2 => Ok(Self::Error { mark: mark(input)?, message: maybe_message(input)? }),
            3 => Ok(Self::Tick { now: time(input)? }),
            4 => Ok(Self::Sent { messages: usize::try_from(input.u64()?).map_err(|_| Broken)? }),
            _ => Err(Broken),
        }
    }
}

fn time(input: &mut Reader<'_>) -> Result<i64, Broken> {
    let time = input.i64()?;
    if (0..=crate::event::MAX_TIME).contains(&time) { Ok(time) } else { Err(Broken) }
}

fn put_mark(out: &mut Writer, mark: &Mark) {
    out.bytes(mark.route.as_bytes());
    out.u64(mark.offset);
    out.u64(mark.print);
}

fn mark(input: &mut Reader<'_>) -> Result<Mark, Broken> {
    Ok(Mark { route: input.text()?.into(), offset: input.u64()?, print: input.u64()? })
}

fn put_message(out: &mut Writer, message: Option<&edge_core::Message>) {
    out.u8(message.is_some().into());
    if let Some(message) = message {
        out.bytes(message.encoded());
    }
}

fn maybe_message(input: &mut Reader<'_>) -> Result<Option<edge_core::Message>, Broken> {
    match input.u8()? {
        0 => Ok(None),
        _ => message(input.bytes()?).map(Some),
    }
}
