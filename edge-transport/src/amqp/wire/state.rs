//! Delivery states and errors.

use super::{Reader, Value, WireError, Writer};

/// The conditions that errors name.
///
/// # Source
/// AMQP 1.0 §2.8.15 to §2.8.18; those of Azure IoT Hub's dialect begin with its vendor's name.
pub(crate) mod condition {
    pub(crate) const INTERNAL: &str = "amqp:internal-error";
    pub(crate) const NOT_FOUND: &str = "amqp:not-found";
    pub(crate) const UNAUTHORIZED: &str = "amqp:unauthorized-access";
    pub(crate) const DECODE: &str = "amqp:decode-error";
    pub(crate) const LIMIT: &str = "amqp:resource-limit-exceeded";
    pub(crate) const NOT_ALLOWED: &str = "amqp:not-allowed";
    pub(crate) const LOCKED: &str = "amqp:resource-locked";
    pub(crate) const NOT_IMPLEMENTED: &str = "amqp:not-implemented";
    pub(crate) const FORCED: &str = "amqp:connection:forced";
    pub(crate) const FRAMING: &str = "amqp:connection:framing-error";
    pub(crate) const WINDOW: &str = "amqp:session:window-violation";
    pub(crate) const HANDLE_IN_USE: &str = "amqp:session:handle-in-use";
    pub(crate) const TRANSFER_LIMIT: &str = "amqp:link:transfer-limit-exceeded";
    pub(crate) const MESSAGE_SIZE: &str = "amqp:link:message-size-exceeded";
    pub(crate) const DETACH_FORCED: &str = "amqp:link:detach-forced";
    pub(crate) const ARGUMENT: &str = "com.microsoft:argument-error";
}

/// An error that one side tells the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AmqpError<'a> {
    pub(crate) condition: &'a str,
    pub(crate) description: &'a str,
}

impl<'a> AmqpError<'a> {
    pub(crate) fn read(value: Value<'a>) -> Option<Self> {
        let Value::Described(0x1d, raw) = value else { return None };
        let Ok(Value::List(list)) = Reader::new(raw).value() else { return None };
        let mut fields = Reader::new(list);
        let condition = fields.field().ok()?.text()?;
        let description = fields.field().ok()?.text().unwrap_or_default();
        Some(Self { condition, description })
    }

    pub(crate) fn write(self, out: &mut Writer<'_>) {
        out.descriptor(0x1d);
        out.list(2, |out| {
            out.symbol(self.condition);
            out.string(self.description);
        });
    }
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryState<'a> {
    Accepted,
    Rejected(Option<AmqpError<'a>>),
    Released,
    Modified {
        undeliverable_here: bool,
    },
    /// Not final, or not known here.
    Other,
}

impl<'a> DeliveryState<'a> {
    pub(crate) fn read(value: Value<'a>) -> Result<Option<Self>, WireError> {
        let (code, raw) = match value {
            Value::Null => return Ok(None),
            Value::Described(code, raw) => (code, raw),
            _ => return Err(WireError::Field("a delivery state")),
        };
        let Value::List(list) = Reader::new(raw).value()? else {
            return Err(WireError::Field("a delivery state"));
        };
        let mut fields = Reader::new(list);
        Ok(Some(match code {
            0x24 => Self::Accepted,
            0x25 => Self::Rejected(AmqpError::read(fields.field()?)),
            0x26 => Self::Released,
            0x27 => {
                fields.field()?;
                Self::Modified { undeliverable_here: fields.field()? == Value::Bool(true) }
            }
            _ => Self::Other,
        }))
    }

    pub(crate) fn write(self, out: &mut Writer<'_>) {
        match self {
            Self::Accepted => out.descriptor(0x24),
            Self::Rejected(error) => {
                out.descriptor(0x25);
                if let Some(error) = error {
                    return out.list(1, |out| error.write(out));
                }
            }
            Self::Released | Self::Other => out.descriptor(0x26),
            Self::Modified { undeliverable_here } => {
                out.descriptor(0x27);
                return out.list(2, |out| {
                    out.bool(true);
                    out.bool(undeliverable_here);
                });
            }
        }
        out.list(0, |_| {});
    }
}
