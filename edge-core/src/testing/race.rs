//! Waits for the first of two futures, without a runtime.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Which of two futures was first.
pub(super) enum First<A, B> {
    Left(A),
    Right(B),
}

/// Resolves to the first of two futures; the other one keeps its state.
pub(super) async fn race<A, B>(
    mut left: Pin<&mut (impl Future<Output = A> + ?Sized)>,
    mut right: Pin<&mut (impl Future<Output = B> + ?Sized)>,
) -> First<A, B> {
    poll_fn(|cx| {
        if let Poll::Ready(done) = left.as_mut().poll(cx) {
            return Poll::Ready(First::Left(done));
        }
        right.as_mut().poll(cx).map(First::Right)
    })
    .await
}
