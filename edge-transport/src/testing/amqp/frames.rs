//! Frames, as the client reads and writes them.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{AmqpClient, AmqpEvent, MAX_FRAME, invalid, put_frame};
use crate::amqp::wire::{AmqpError, DeliveryState, FrameKind, Performative, frame};

impl<S: AsyncRead + AsyncWrite + Unpin> AmqpClient<S> {
    /// Waits for the next frame, and returns what it says.
    ///
    /// # Errors
    /// What the socket says, or that the bytes are no frame; `UnexpectedEof` when the connection was closed.
    ///
    /// # Cancel safety
    /// Cancel-safe: what has arrived is kept.
    pub async fn event(&mut self) -> io::Result<AmqpEvent> {
        let (_, body) = self.frame().await?;
        if body.is_empty() {
            return Ok(AmqpEvent::Other);
        }
        let condition =
            |error: Option<AmqpError<'_>>| error.map(|error| error.condition.to_owned()).unwrap_or_default();
        Ok(match Performative::read(&body).map_err(invalid)? {
            Performative::Attach(attach) => {
                let end = if attach.role.is_receiver() { attach.target } else { attach.source };
                AmqpEvent::Attached { handle: attach.handle, accepted: end.is_some() }
            }
            Performative::Flow(flow) => {
                if let (Some(handle), Some(credit)) = (flow.handle, flow.link_credit) {
                    let unseen =
                        self.sent.get(&handle).unwrap_or(&0).wrapping_sub(flow.delivery_count.unwrap_or(0));
                    self.credit.insert(handle, credit.saturating_sub(unseen));
                }
                AmqpEvent::Other
            }
            Performative::Disposition(disposition) => AmqpEvent::Settled {
                first: disposition.first,
                last: disposition.last.unwrap_or(disposition.first),
                accepted: disposition.state == Some(DeliveryState::Accepted),
            },
            Performative::Transfer(transfer) => {
                self.next_incoming = self.next_incoming.wrapping_add(1);
                let (handle, id, mut bytes) = self
                    .partial
                    .take()
                    .unwrap_or_else(|| (transfer.handle, transfer.delivery_id.unwrap_or(0), Vec::new()));
                bytes.extend_from_slice(transfer.payload);
                if transfer.more {
                    self.partial = Some((handle, id, bytes));
                    return Ok(AmqpEvent::Other);
                }
                AmqpEvent::Message { handle, id, bytes: bytes.into() }
            }
            Performative::Detach(detach) => {
                AmqpEvent::Detached { handle: detach.handle, condition: condition(detach.error) }
            }
            Performative::Close(close) => AmqpEvent::Closed(condition(close.error)),
            _ => AmqpEvent::Other,
        })
    }

    pub(super) async fn perform(&mut self, performative: &Performative<'_>) -> io::Result<()> {
        let mut out = Vec::new();
        put_frame(performative, &mut out);
        self.send_bytes(&out).await
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: some of the bytes may have been sent.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    async fn more(&mut self) -> io::Result<()> {
        self.received.drain(..std::mem::take(&mut self.used));
        if self.stream.read_buf(&mut self.received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    pub(super) async fn take(&mut self, len: usize) -> io::Result<Vec<u8>> {
        while self.received.len() - self.used < len {
            self.more().await?;
        }
        let bytes = self.received.get(self.used..self.used + len).unwrap_or_default().to_vec();
        self.used += len;
        Ok(bytes)
    }

    pub(super) async fn frame(&mut self) -> io::Result<(FrameKind, Vec<u8>)> {
        loop {
            let rest = self.received.get(self.used..).unwrap_or_default();
            if let Some(head) = frame(rest, MAX_FRAME).map_err(invalid)?
                && head.total <= rest.len()
            {
                let body = rest.get(head.body..head.total).unwrap_or_default().to_vec();
                self.used += head.total;
                return Ok((head.kind, body));
            }
            self.more().await?;
        }
    }
}
