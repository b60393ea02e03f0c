//! One connection of HTTP/1.1: requests one after the other, within limits.
#![expect(clippy::disallowed_methods, reason = "a driver waits for time")]

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use edge_core::IncidentKind;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep;

use super::call::Caller;
use super::error::Refused;
use super::stall::Unstalled;
use crate::prepare::Newcomer;

/// A stream whose first bytes have been read already.
#[derive(Debug)]
pub(crate) struct Prefixed<S> {
    first: io::Cursor<Vec<u8>>,
    stream: S,
}

impl<S> Prefixed<S> {
    pub(crate) fn new(first: Vec<u8>, stream: S) -> Self {
        Self { first: io::Cursor::new(first), stream }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.first).poll_read(cx, buf);
        if buf.filled().len() > before {
            return poll;
        }
        self.first = io::Cursor::default();
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Answers the requests of one connection until the client hangs up, is silent for too long, or it is time to stop.
pub(crate) async fn serve<S>(newcomer: &mut Newcomer, router: Router, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let resources = newcomer.slot.resources().clone();
    let limits = resources.limits();
    let caller = Caller {
        gateway: newcomer.gateway.clone(),
        resources: resources.clone(),
        peer: newcomer.peer,
        chain: Arc::from(std::mem::take(&mut newcomer.chain)),
    };
    let handlers = TowerToHyperService::new(router);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        let caller = caller.clone();
        request.extensions_mut().insert(caller.clone());
        let answered = handlers.call(request);
        async move {
            let mut response: Response<Body> = answered.await?;
            if let Some(Refused(what)) = response.extensions_mut().remove() {
                caller.report(&what);
            }
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    // hyper needs 8 KiB at least.
    let head = limits.max_request_head_bytes.max(8 << 10);
    let io = TokioIo::new(Unstalled::new(stream, limits.stall_timeout, sleep));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.packet_timeout)
        .max_buf_size(head)
        .serve_connection(io, answer);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = newcomer.stop.wait() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended
        && (error.is_parse() || error.is_parse_too_large())
    {
        newcomer.report(IncidentKind::Malformed, format_args!("no HTTP request: {error}"));
    }
}
