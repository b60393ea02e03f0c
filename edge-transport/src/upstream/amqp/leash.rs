//! A byte stream that its owner can end from outside.
//!
//! The library's tasks own the stream and end when it ends. Whoever drops the [`Leash`] ends it, so that no task
//! outlives its connection, whatever the other side does.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use crate::upstream::dial::Stream;

/// Keeps a stream alive; dropped, it ends it.
#[derive(Debug)]
pub(super) struct Leash {
    _dropped_is_cut: oneshot::Sender<()>,
}

/// A stream that ends with its [`Leash`].
pub(super) struct Leashed {
    stream: Box<dyn Stream>,
    leash: Option<oneshot::Receiver<()>>,
}

impl Leashed {
    /// Puts a stream on a leash.
    pub(super) fn new(stream: Box<dyn Stream>) -> (Self, Leash) {
        let (sender, receiver) = oneshot::channel();
        (Self { stream, leash: Some(receiver) }, Leash { _dropped_is_cut: sender })
    }

    /// Returns an error once the leash is gone; wakes the task when it goes, which reads and writes both.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Some(leash) = &mut self.leash
            && Pin::new(leash).poll(cx).is_ready()
        {
            self.leash = None;
        }
        if self.leash.is_none() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl fmt::Debug for Leashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Leashed")
    }
}

impl AsyncRead for Leashed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Leashed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
