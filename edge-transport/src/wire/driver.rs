//! The socket and the timer of one connection.
#![expect(clippy::disallowed_methods, reason = "a driver reads the clock and waits for time")]

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep_until};

/// Returns what time it is for a driver.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A socket, and the one timer beside it.
pub(crate) struct Wire<S> {
    socket: S,
    timer: Pin<Box<Sleep>>,
    armed: Option<Instant>,
    peer: Option<SocketAddr>,
    /// Whether something that was written may not have left the socket's own buffers.
    unflushed: bool,
    /// Whether reading has returned `Pending` since the turn began, and so wakes the task.
    reading: bool,
    /// Whether writing has.
    writing: bool,
}

/// What a socket had to say.
pub(crate) struct Read<'a> {
    pub(crate) bytes: &'a [u8],
    /// That nothing comes any more, by itself or by an error.
    pub(crate) end: Option<io::Result<()>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(socket: S, peer: Option<SocketAddr>) -> Self {
        let timer = Box::pin(sleep_until(tokio::time::Instant::now()));
        Self { socket, timer, armed: None, peer, unflushed: false, reading: false, writing: false }
    }

    /// Begins a turn: returns what time it is, and whether the timer has fired.
    pub(crate) fn begin(&mut self, cx: &mut Context<'_>) -> (Instant, bool) {
        (self.reading, self.writing) = (false, false);
        let fired = self.armed.is_some() && self.timer.as_mut().poll(cx).is_ready();
        if fired {
            self.armed = None;
        }
        (now(), fired)
    }

    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Whether the socket may be tried again without having been woken by it.
    pub(crate) fn can_go_on(&self, wants_bytes: bool, outbound: &[u8]) -> bool {
        (wants_bytes && !self.reading) || ((self.unflushed || !outbound.is_empty()) && !self.writing)
    }

    /// Whether the socket takes no more for now.
    pub(crate) fn is_stuck(&self) -> bool {
        self.writing
    }

    /// Asks the socket again, although it has said that it will wake the task.
    pub(crate) fn read_again(&mut self) {
        self.reading = false;
    }

    /// Reads all that the socket has, up to the size of `space`; `None` when it has been asked already.
    pub(crate) fn read<'a>(&mut self, cx: &mut Context<'_>, space: &'a mut [u8]) -> Option<Read<'a>> {
        if self.reading {
            return None;
        }
        let mut buffer = ReadBuf::new(&mut *space);
        let mut end = None;
        while end.is_none() && buffer.remaining() > 0 {
            let before = buffer.filled().len();
            match Pin::new(&mut self.socket).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if buffer.filled().len() > before => {}
                Poll::Ready(ended) => end = Some(ended),
                Poll::Pending => {
                    self.reading = true;
                    break;
                }
            }
        }
        let filled = buffer.filled().len();
        Some(Read { bytes: space.get(..filled).unwrap_or_default(), end })
    }

    /// Writes some of `bytes`, or flushes when there are none.
    ///
    /// Returns how many bytes were taken, 0 when the socket takes none for now, and `None` when there is nothing to try.
    pub(crate) fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Option<io::Result<usize>> {
        if self.writing || (bytes.is_empty() && !self.unflushed) {
            return None;
        }
        let socket = Pin::new(&mut self.socket);
        if bytes.is_empty() {
            return match socket.poll_flush(cx) {
                Poll::Ready(Ok(())) => {
                    self.unflushed = false;
                    None
                }
                Poll::Ready(Err(error)) => Some(Err(error)),
                Poll::Pending => {
                    self.writing = true;
                    None
                }
            };
        }
        match socket.poll_write(cx, bytes) {
            Poll::Ready(Ok(0)) => Some(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(taken)) => {
                self.unflushed = true;
                Some(Ok(taken))
            }
            Poll::Ready(Err(error)) => Some(Err(error)),
            Poll::Pending => {
                self.writing = true;
                Some(Ok(0))
            }
        }
    }

    /// Gives up on a socket that cannot be written to or read from.
    pub(crate) fn lost(&mut self, error: &io::Error) {
        self.unflushed = false;
        tracing::debug!(peer = ?self.peer, %error, "a connection was lost");
    }

    /// Sets the timer, unless it comes early enough anyway: then it is set again when it fires.
    pub(crate) fn arm(&mut self, cx: &mut Context<'_>, at: Option<Instant>) {
        let Some(at) = at else { return };
        if self.armed.is_none_or(|armed| at < armed) {
            self.timer.as_mut().reset(at.into());
            self.armed = Some(at);
            if self.timer.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
    }

    /// Closes the socket in order, until the core's time for the last bytes is up.
    pub(crate) fn poll_shut_down(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        until: Option<Instant>,
    ) -> Poll<()> {
        if until.is_some_and(|until| until <= now) {
            return Poll::Ready(());
        }
        if let Err(error) = ready!(Pin::new(&mut self.socket).poll_shutdown(cx)) {
            self.lost(&error);
        }
        Poll::Ready(())
    }
}
