//! What an in-process client hears besides messages: direct methods, and changes of its desired properties.

use std::future::poll_fn;
use std::task::{Context, Poll};

use bytes::Bytes;
use edge_core::{MethodAnswer, MethodCall, Session, SessionEvent};

use crate::client::Client;

/// Something that an in-process client hears.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// A direct method was called.
    Called(Call),
    /// The desired properties have changed.
    Desired {
        /// Their version from now on.
        version: u64,
        /// The change, a JSON object with `$version`; deleted properties are null.
        patch: Bytes,
    },
}

/// A direct method that waits for its answer; dropped, its caller hears after a while that there was none.
#[derive(Debug)]
#[must_use = "its caller waits for the answer"]
pub struct Call {
    client: Client,
    call: MethodCall,
}

impl Call {
    /// Returns the method's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.call.name
    }

    /// Returns the payload in JSON; `null` stands for none.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.call.payload
    }

    /// Answers the call; the status is the method's own, the payload is JSON or empty.
    pub fn answer(self, status: i32, payload: impl Into<Bytes>) {
        self.client.0.session().answer_method(self.call.id, MethodAnswer::new(status, payload));
    }
}

/// The direct methods and desired properties of an in-process client.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use edge_core::service::{MethodRequest, Service};
/// use edge_hub::{ClientEvent, Hub};
///
/// let hub = Hub::builder("edge1".parse()?).build()?;
/// let (handle, press) = (hub.handle(), hub.client("edge1/press".parse()?)?);
/// let mut events = press.events();
/// let running = hub.start();
/// let target = "edge1/press".parse()?;
/// let (answer, ()) = tokio::join!(handle.invoke(&target, MethodRequest::new("stop", "")), async {
///     if let Some(ClientEvent::Called(call)) = events.next().await {
///         call.answer(200, r#"{"stopped":true}"#);
///     }
/// });
/// assert_eq!(answer?.status, 200);
/// running.stop().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Events {
    pub(crate) client: Client,
}

impl Events {
    /// Returns what happens next, or `None` when the session is over: the hub stops, or the same identity connects
    /// elsewhere.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<ClientEvent> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        let mut session = self.client.0.session();
        loop {
            return match session.poll_urgent(cx) {
                Poll::Pending if session.is_over() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
                Poll::Ready(SessionEvent::Method(call)) => {
                    Poll::Ready(Some(ClientEvent::Called(Call { client: self.client.clone(), call })))
                }
                Poll::Ready(SessionEvent::Desired { version, patch }) => {
                    Poll::Ready(Some(ClientEvent::Desired { version, patch }))
                }
                Poll::Ready(SessionEvent::Closed(_)) => Poll::Ready(None),
                Poll::Ready(_) => continue,
            };
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let feeds = edge_core::FeedSet::from(edge_core::Feed::Methods).with(edge_core::Feed::Desired);
        drop(self.client.0.session().unsubscribe(feeds));
    }
}
