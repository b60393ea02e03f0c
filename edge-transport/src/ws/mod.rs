//! WebSockets, and the HTTP that they begin with.

mod frame;
mod handshake;
mod listener;
mod stream;

pub use listener::WebListener;
