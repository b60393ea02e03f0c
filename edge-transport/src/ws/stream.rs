//! A WebSocket as a stream of bytes, without buffers of its own.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frame::{Control, Decoder, op, put_header};

/// The normal closure. RFC 6455 §7.4.1.
const CLOSE_NORMAL: [u8; 2] = 1000u16.to_be_bytes();

/// The server's side of a WebSocket: frames are decoded where the caller reads them to, and each write is one frame.
#[derive(Debug)]
pub(crate) struct WsStream<S> {
    inner: S,
    decoder: Decoder,
    /// What came behind the HTTP request, before anything else is read.
    early: Vec<u8>,
    /// Bytes of the current frame's header, or of a whole control frame, that are to be written first.
    head: Vec<u8>,
    /// Payload bytes of the current frame that the caller has still to write.
    owed: usize,
    /// A control frame that waits for the current frame to end.
    control: Vec<u8>,
    close_sent: bool,
}

impl<S> WsStream<S> {
    pub(crate) fn new(inner: S, early: Vec<u8>) -> Self {
        Self {
            inner,
            decoder: Decoder::default(),
            early,
            head: Vec::new(),
            owed: 0,
            control: Vec::new(),
            close_sent: false,
        }
    }

    /// Puts a control frame in line; an older pong that waits makes way. RFC 6455 §5.5.3.
    fn queue_control(&mut self, operation: u8, payload: &[u8]) {
        let mut header = [0; 10];
        let len = put_header(operation, payload.len(), &mut header);
        self.control.clear();
        self.control.extend_from_slice(header.get(..len).unwrap_or_default());
        self.control.extend_from_slice(payload);
    }

    /// Decodes what was read to the end of `buf`; returns the number of bytes of data.
    fn decode(&mut self, buf: &mut ReadBuf<'_>, start: usize) -> io::Result<usize> {
        let mut controls = Vec::new();
        let bytes = buf.filled_mut().get_mut(start..).unwrap_or_default();
        let decoded = self.decoder.decode(bytes, |control| controls.push(control));
        let data = match decoded {
            Ok(data) => data,
            Err(error) => {
                buf.set_filled(start);
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        };
        buf.set_filled(start + data);
        for control in controls {
            match control {
                Control::Ping(payload) if !self.close_sent => self.queue_control(op::PONG, &payload),
                Control::Close if !self.close_sent => {
                    self.close_sent = true;
                    self.queue_control(op::CLOSE, &CLOSE_NORMAL);
                }
                _ => {}
            }
        }
        Ok(data)
    }
}

impl<S: AsyncWrite + Unpin> WsStream<S> {
    /// Writes what must come before the next payload byte.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.head.is_empty() {
                if self.owed > 0 || self.control.is_empty() {
                    self.head = Vec::new();
                    return Poll::Ready(Ok(()));
                }
                self.head = std::mem::take(&mut self.control);
            }
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.head))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.head.drain(..written.min(self.head.len()));
            if self.head.is_empty() && self.owed > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WsStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let start = buf.filled().len();
            if this.decoder.is_closed() || buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if this.early.is_empty() {
                ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
                if buf.filled().len() == start {
                    return Poll::Ready(Ok(()));
                }
            } else {
                let len = this.early.len().min(buf.remaining());
                buf.put_slice(this.early.get(..len).unwrap_or_default());
                this.early.drain(..len);
                if this.early.is_empty() {
                    this.early = Vec::new();
                }
            }
            let data = this.decode(buf, start)?;
            let answers = !(this.control.is_empty() && this.head.is_empty());
            if answers && this.owed == 0 && this.poll_head(cx)?.is_ready() {
                // Whether the answer leaves now or later changes nothing for the reader.
                let _later = Pin::new(&mut this.inner).poll_flush(cx)?;
            }
            if data > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WsStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if this.owed == 0 {
            ready!(this.poll_head(cx))?;
            if this.close_sent {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let mut header = [0; 10];
            let len = put_header(op::BINARY, data.len(), &mut header);
            this.head.extend_from_slice(header.get(..len).unwrap_or_default());
            this.owed = data.len();
        }
        // Header and payload leave in one write.
        let payload = data.get(..this.owed.min(data.len())).unwrap_or_default();
        loop {
            let parts = [IoSlice::new(&this.head), IoSlice::new(payload)];
            let written = ready!(Pin::new(&mut this.inner).poll_write_vectored(cx, &parts))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_head = written.min(this.head.len());
            this.head.drain(..of_head);
            if this.head.is_empty() {
                this.head = Vec::new();
            }
            let of_payload = written - of_head;
            if of_payload > 0 {
                this.owed -= of_payload;
                return Poll::Ready(Ok(of_payload));
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_head(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.close_sent {
            this.close_sent = true;
            this.queue_control(op::CLOSE, &CLOSE_NORMAL);
        }
        if this.owed == 0 {
            ready!(this.poll_head(cx))?;
        }
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::super::frame::tests::masked;
    use super::*;

    #[tokio::test]
    async fn bytes_flow_both_ways_whatever_the_frames() {
        let (mut client, server) = duplex(7);
        let mut server = WsStream::new(server, masked(0x02, b"ear", [1, 2, 3, 4]));
        let sending = async {
            client.write_all(&masked(0x80, b"ly", [5; 4])).await.unwrap();
            client.write_all(&masked(0x89, b"there?", [6; 4])).await.unwrap();
            client.write_all(&masked(0x82, b"data", [7; 4])).await.unwrap();
            let mut answer = [0; 8];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"\x8a\x06there?");
            let mut answer = [0; 22];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"\x82\x14twenty bytes of data");
            client.write_all(&masked(0x88, &[3, 232], [8; 4])).await.unwrap();
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, b"\x88\x02\x03\xe8");
        };
        let serving = async {
            let mut data = [0; 9];
            server.read_exact(&mut data).await.unwrap();
            assert_eq!(&data, b"earlydata");
            server.write_all(b"twenty bytes of data").await.unwrap();
            server.flush().await.unwrap();
            assert_eq!(server.read(&mut data).await.unwrap(), 0);
            server.shutdown().await.unwrap();
        };
        tokio::join!(sending, serving);
    }

    #[tokio::test]
    async fn frames_that_are_not_masked_are_an_error() {
        let (mut client, server) = duplex(64);
        let mut server = WsStream::new(server, Vec::new());
        client.write_all(b"\x82\x01a").await.unwrap();
        let error = server.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
