//! What the operating system asks of the gateway.

use std::future::Future;

/// A request from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Read routes and identities again.
    Reload,
    /// Stop in order.
    Stop,
}

/// Calls `on` for every request, until the future is dropped.
///
/// # Errors
/// When the operating system does not let the process hear signals.
#[cfg(unix)]
pub(crate) fn listen(mut on: impl FnMut(Request)) -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = hangup.recv() => on(Request::Reload),
                _ = terminate.recv() => on(Request::Stop),
                _ = interrupt.recv() => on(Request::Stop),
            }
        }
    })
}

/// Calls `on` when Ctrl-C is pressed, until the future is dropped; this system has no signal for reading again.
///
/// # Errors
/// Never; the signature is that of the other systems.
#[cfg(not(unix))]
pub(crate) fn listen(mut on: impl FnMut(Request)) -> std::io::Result<impl Future<Output = ()>> {
    Ok(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            on(Request::Stop);
        }
    })
}
