//! The nine performatives.

use super::{AmqpError, DeliveryState, Map, Reader, Value, WireError, Writer};

/// Which end of a link somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Sender,
    Receiver,
}

impl Role {
    pub(crate) const fn is_receiver(self) -> bool {
        matches!(self, Self::Receiver)
    }

    pub(crate) const fn other(self) -> Self {
        if self.is_receiver() { Self::Sender } else { Self::Receiver }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Open<'a> {
    pub(crate) container_id: &'a str,
    pub(crate) hostname: Option<&'a str>,
    pub(crate) max_frame_size: Option<u32>,
    pub(crate) channel_max: Option<u16>,
    pub(crate) idle_time_out: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Begin {
    pub(crate) remote_channel: Option<u16>,
    pub(crate) next_outgoing_id: u32,
    pub(crate) incoming_window: u32,
    pub(crate) outgoing_window: u32,
    pub(crate) handle_max: Option<u32>,
}

/// A source or target, as far as anybody here looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Terminus<'a> {
    pub(crate) address: Option<&'a str>,
    /// Whether the receiver asks for an address of the sender's choice.
    pub(crate) dynamic: bool,
    /// The whole of it, to be echoed.
    pub(crate) raw: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Attach<'a> {
    pub(crate) name: &'a str,
    pub(crate) handle: u32,
    pub(crate) role: Role,
    pub(crate) snd_settle_mode: Option<u8>,
    pub(crate) rcv_settle_mode: Option<u8>,
    pub(crate) source: Option<Terminus<'a>>,
    pub(crate) target: Option<Terminus<'a>>,
    pub(crate) initial_delivery_count: Option<u32>,
    pub(crate) max_message_size: Option<u64>,
    pub(crate) properties: Map<'a>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Flow {
    pub(crate) next_incoming_id: Option<u32>,
    pub(crate) incoming_window: u32,
    pub(crate) next_outgoing_id: u32,
    pub(crate) outgoing_window: u32,
    pub(crate) handle: Option<u32>,
    pub(crate) delivery_count: Option<u32>,
    pub(crate) link_credit: Option<u32>,
    pub(crate) drain: bool,
    pub(crate) echo: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Transfer<'a> {
    pub(crate) handle: u32,
    pub(crate) delivery_id: Option<u32>,
    pub(crate) delivery_tag: Option<&'a [u8]>,
    pub(crate) message_format: Option<u32>,
    pub(crate) settled: Option<bool>,
    pub(crate) more: bool,
    pub(crate) aborted: bool,
    pub(crate) payload: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Disposition<'a> {
    pub(crate) role: Role,
    pub(crate) first: u32,
    pub(crate) last: Option<u32>,
    pub(crate) settled: bool,
    pub(crate) state: Option<DeliveryState<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Detach<'a> {
    pub(crate) handle: u32,
    pub(crate) closed: bool,
    pub(crate) error: Option<AmqpError<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct End<'a> {
    pub(crate) error: Option<AmqpError<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Close<'a> {
    pub(crate) error: Option<AmqpError<'a>>,
}

/// The body of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Performative<'a> {
    Open(Open<'a>),
    Begin(Begin),
    Attach(Attach<'a>),
    Flow(Flow),
    Transfer(Transfer<'a>),
    Disposition(Disposition<'a>),
    Detach(Detach<'a>),
    End(End<'a>),
    Close(Close<'a>),
}

/// The fields of a performative, each with the type that it must have.
struct Fields<'a>(Reader<'a>);

macro_rules! field {
    ($name:ident, $type:ty, $($pattern:pat => $value:expr),+) => {
        fn $name(&mut self, what: &'static str) -> Result<Option<$type>, WireError> {
            match self.0.field()? {
                Value::Null => Ok(None),
                $($pattern => Ok(Some($value)),)+
                _ => Err(WireError::Field(what)),
            }
        }
    };
}

impl<'a> Fields<'a> {
    field!(uint, u32, Value::Uint(n) => n);
    field!(ushort, u16, Value::Ushort(n) => n);
    field!(ubyte, u8, Value::Ubyte(n) => n);
    field!(ulong, u64, Value::Ulong(n) => n);
    field!(bool, bool, Value::Bool(b) => b);
    field!(text, &'a str, Value::Text(text) => text, Value::Symbol(text) => text);
    field!(binary, &'a [u8], Value::Binary(bytes) => bytes);
    field!(map, Map<'a>, Value::Map(map) => map);

    fn skip(&mut self, count: usize) -> Result<(), WireError> {
        (0..count).try_for_each(|_| self.0.field().map(drop))
    }

    fn need<T>(value: Option<T>, what: &'static str) -> Result<T, WireError> {
        value.ok_or(WireError::Field(what))
    }

    fn role(&mut self) -> Result<Role, WireError> {
        let receiver = Self::need(self.bool("role")?, "role")?;
        Ok(if receiver { Role::Receiver } else { Role::Sender })
    }

    fn error(&mut self) -> Result<Option<AmqpError<'a>>, WireError> {
        Ok(AmqpError::read(self.0.field()?))
    }

    /// A source or target: the address is its first field, whether it is dynamic the fifth.
    fn terminus(&mut self) -> Result<Option<Terminus<'a>>, WireError> {
        let before = self.0.rest();
        let value = self.0.field()?;
        let raw = before.get(..before.len() - self.0.rest().len()).unwrap_or_default();
        let (code, list) = match value {
            Value::Null => return Ok(None),
            Value::Described(code, list) => (code, list),
            _ => return Err(WireError::Field("a source or target")),
        };
        let Value::List(list) = Reader::new(list).value()? else {
            return Err(WireError::Field("a source or target"));
        };
        if code != 0x28 && code != 0x29 {
            // A coordinator of transactions: there are none here, so it has no address that could be found.
            return Ok(Some(Terminus { address: None, dynamic: false, raw }));
        }
        let mut fields = Self(Reader::new(list));
        let address = match fields.0.field()? {
            Value::Null => None,
            Value::Text(address) => Some(address),
            _ => return Err(WireError::Field("an address")),
        };
        fields.skip(3)?;
        let dynamic = fields.bool("dynamic")?.unwrap_or(false);
        Ok(Some(Terminus { address, dynamic, raw }))
    }
}

impl<'a> Performative<'a> {
    /// Reads the body of a frame.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(body);
        let Value::Described(code, raw) = reader.value()? else {
            return Err(WireError::Field("a performative"));
        };
        let Value::List(list) = Reader::new(raw).value()? else {
            return Err(WireError::Field("a performative"));
        };
        let mut f = Fields(Reader::new(list));
        let need = "a mandatory field";
        Ok(match code {
            0x10 => Self::Open(Open {
                container_id: Fields::need(f.text("container-id")?, "container-id")?,
                hostname: f.text("hostname")?,
                max_frame_size: f.uint("max-frame-size")?,
                channel_max: f.ushort("channel-max")?,
                idle_time_out: f.uint("idle-time-out")?,
            }),
            0x11 => Self::Begin(Begin {
                remote_channel: f.ushort("remote-channel")?,
                next_outgoing_id: Fields::need(f.uint("next-outgoing-id")?, "next-outgoing-id")?,
                incoming_window: Fields::need(f.uint("incoming-window")?, "incoming-window")?,
                outgoing_window: Fields::need(f.uint("outgoing-window")?, "outgoing-window")?,
                handle_max: f.uint("handle-max")?,
            }),
            0x12 => {
                let name = Fields::need(f.text("name")?, "name")?;
                let handle = Fields::need(f.uint("handle")?, "handle")?;
                let role = f.role()?;
                let snd_settle_mode = f.ubyte("snd-settle-mode")?;
                let rcv_settle_mode = f.ubyte("rcv-settle-mode")?;
                let (source, target) = (f.terminus()?, f.terminus()?);
                f.skip(2)?;
                let initial_delivery_count = f.uint("initial-delivery-count")?;
                let max_message_size = f.ulong("max-message-size")?;
                f.skip(2)?;
                let properties = f.map("properties")?.unwrap_or_default();
                Self::Attach(Attach {
                    name,
                    handle,
                    role,
                    snd_settle_mode,
                    rcv_settle_mode,
                    source,
                    target,
                    initial_delivery_count,
                    max_message_size,
                    properties,
                })
            }
            0x13 => {
                let next_incoming_id = f.uint("next-incoming-id")?;
                let incoming_window = Fields::need(f.uint("incoming-window")?, "incoming-window")?;
                let next_outgoing_id = Fields::need(f.uint("next-outgoing-id")?, "next-outgoing-id")?;
                let outgoing_window = Fields::need(f.uint("outgoing-window")?, "outgoing-window")?;
                let handle = f.uint("handle")?;
                let delivery_count = f.uint("delivery-count")?;
                let link_credit = f.uint("link-credit")?;
                f.skip(1)?;
                let drain = f.bool("drain")?.unwrap_or(false);
                let echo = f.bool("echo")?.unwrap_or(false);
                Self::Flow(Flow {
                    next_incoming_id,
                    incoming_window,
                    next_outgoing_id,
                    outgoing_window,
                    handle,
                    delivery_count,
                    link_credit,
                    drain,
                    echo,
                })
            }
            0x14 => {
                let handle = Fields::need(f.uint("handle")?, "handle")?;
                let delivery_id = f.uint("delivery-id")?;
                let delivery_tag = f.binary("delivery-tag")?;
                let message_format = f.uint("message-format")?;
                let settled = f.bool("settled")?;
                let more = f.bool("more")?.unwrap_or(false);
                f.skip(3)?;
                let aborted = f.bool("aborted")?.unwrap_or(false);
                Self::Transfer(Transfer {
                    handle,
                    delivery_id,
                    delivery_tag,
                    message_format,
                    settled,
                    more,
                    aborted,
                    payload: reader.rest(),
                })
            }
            0x15 => {
                let role = f.role()?;
                let first = Fields::need(f.uint("first")?, need)?;
                let last = f.uint("last")?;
                let settled = f.bool("settled")?.unwrap_or(false);
                let state = DeliveryState::read(f.0.field()?)?;
                Self::Disposition(Disposition { role, first, last, settled, state })
            }
            0x16 => {
                let handle = Fields::need(f.uint("handle")?, "handle")?;
                let closed = f.bool("closed")?.unwrap_or(false);
                Self::Detach(Detach { handle, closed, error: f.error()? })
            }
            0x17 => Self::End(End { error: f.error()? }),
            0x18 => Self::Close(Close { error: f.error()? }),
            other => return Err(WireError::Descriptor(other)),
        })
    }

    /// Writes the performative to the end of `out`; the payload of a transfer with it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut w = Writer::new(out);
        match self {
            Self::Open(open) => {
                w.descriptor(0x10);
                w.list(5, |w| {
                    w.string(open.container_id);
                    optional(w, open.hostname, Writer::string);
                    optional(w, open.max_frame_size, Writer::uint);
                    optional(w, open.channel_max, Writer::ushort);
                    optional(w, open.idle_time_out, Writer::uint);
                });
            }
            Self::Begin(begin) => {
                w.descriptor(0x11);
                w.list(5, |w| {
                    optional(w, begin.remote_channel, Writer::ushort);
                    w.uint(begin.next_outgoing_id);
                    w.uint(begin.incoming_window);
                    w.uint(begin.outgoing_window);
                    optional(w, begin.handle_max, Writer::uint);
                });
            }
            Self::Attach(attach) => write_attach(attach, &mut w),
            Self::Flow(flow) => {
                w.descriptor(0x13);
                w.list(10, |w| {
                    optional(w, flow.next_incoming_id, Writer::uint);
                    w.uint(flow.incoming_window);
                    w.uint(flow.next_outgoing_id);
                    w.uint(flow.outgoing_window);
                    optional(w, flow.handle, Writer::uint);
                    optional(w, flow.delivery_count, Writer::uint);
                    optional(w, flow.link_credit, Writer::uint);
                    w.null();
                    w.bool(flow.drain);
                    w.bool(flow.echo);
                });
            }
            Self::Transfer(transfer) => {
                w.descriptor(0x14);
                let count = if transfer.aborted { 10 } else { 6 };
                w.list(count, |w| {
                    w.uint(transfer.handle);
                    optional(w, transfer.delivery_id, Writer::uint);
                    optional(w, transfer.delivery_tag, Writer::binary);
                    optional(w, transfer.message_format, Writer::uint);
                    optional(w, transfer.settled, Writer::bool);
                    w.bool(transfer.more);
                    if transfer.aborted {
                        (0..3).for_each(|_| w.null());
                        w.bool(true);
                    }
                });
                w.raw(transfer.payload);
            }
            Self::Disposition(disposition) => {
                w.descriptor(0x15);
                w.list(5, |w| {
                    w.bool(disposition.role.is_receiver());
                    w.uint(disposition.first);
                    optional(w, disposition.last, Writer::uint);
                    w.bool(disposition.settled);
                    match disposition.state {
                        Some(state) => state.write(w),
                        None => w.null(),
                    }
                });
            }
            Self::Detach(detach) => {
                w.descriptor(0x16);
                w.list(3, |w| {
                    w.uint(detach.handle);
                    w.bool(detach.closed);
                    write_error(w, detach.error);
                });
            }
            Self::End(End { error }) => {
                w.descriptor(0x17);
                w.list(1, |w| write_error(w, *error));
            }
            Self::Close(Close { error }) => {
                w.descriptor(0x18);
                w.list(1, |w| write_error(w, *error));
            }
        }
    }
}

impl Terminus<'_> {
    /// Writes the bytes of a source with this address.
    pub(crate) fn source(address: &str, out: &mut Vec<u8>) {
        let mut w = Writer::new(out);
        w.descriptor(0x28);
        w.list(1, |w| w.string(address));
    }

    /// Writes the bytes of a target with this address.
    pub(crate) fn target(address: &str, out: &mut Vec<u8>) {
        let mut w = Writer::new(out);
        w.descriptor(0x29);
        w.list(1, |w| w.string(address));
    }
}

fn write_attach(attach: &Attach<'_>, w: &mut Writer<'_>) {
    w.descriptor(0x12);
    w.list(11, |w| {
        w.string(attach.name);
        w.uint(attach.handle);
        w.bool(attach.role.is_receiver());
        optional(w, attach.snd_settle_mode, Writer::ubyte);
        optional(w, attach.rcv_settle_mode, Writer::ubyte);
        for terminus in [attach.source, attach.target] {
            match terminus {
                Some(terminus) => w.raw(terminus.raw),
                None => w.null(),
            }
        }
        w.null();
        w.null();
        optional(w, attach.initial_delivery_count, Writer::uint);
        optional(w, attach.max_message_size, Writer::ulong);
    });
}

fn write_error(w: &mut Writer<'_>, error: Option<AmqpError<'_>>) {
    match error {
        Some(error) => error.write(w),
        None => w.null(),
    }
}

fn optional<'o, T>(w: &mut Writer<'o>, value: Option<T>, write: impl FnOnce(&mut Writer<'o>, T)) {
    match value {
        Some(value) => write(w, value),
        None => w.null(),
    }
}
