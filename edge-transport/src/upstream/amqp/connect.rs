//! How a link comes to be: TCP, TLS, SASL, connection, session, link.

use std::io;
use std::sync::Arc;

use edge_core::EndpointError;
use fe2o3_amqp::connection::{ConnectionHandle, OpenError};
use fe2o3_amqp::link::SenderAttachError;
use fe2o3_amqp::session::{BeginError, SessionHandle};
use fe2o3_amqp::types::definitions::SenderSettleMode;
use fe2o3_amqp::types::messaging::{Target, TerminusDurability};
use fe2o3_amqp::{Connection, Sender, Session};
use rustls::ClientConfig;

use super::leash::{Leash, Leashed};
use super::{AmqpUpstreamOptions, reason, sasl};
use crate::amqp::wire::WireError;
use crate::upstream::dial::{self, DialError};

/// The largest frame that the broker may send; it sends nothing but small ones.
const MAX_FRAME_BYTES: u32 = 64 << 10;
/// How many frames the library's tasks pass to each other at a time.
const BUFFERED_FRAMES: usize = 64;

/// A link that the broker has attached. Its fields are dropped in this order.
pub(super) struct Link {
    pub(super) sender: Sender,
    pub(super) session: SessionHandle<()>,
    pub(super) connection: ConnectionHandle<()>,
    pub(super) leash: Leash,
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the connection broke while logging in")]
    Io(#[source] io::Error),
    #[error(
        "the broker closed the connection instead of answering: is this the port of AMQP 1.0, with or without TLS?"
    )]
    Closed,
    #[error(
        "what answers is no AMQP 1.0 broker, it begins with {found:?}: write the port of AMQP 1.0, and amqps:// for TLS"
    )]
    NotAmqp { found: String },
    #[error("the broker speaks AMQP without SASL, and nobody can log in there")]
    NoSasl,
    #[error("the broker does not let anybody log in by {wanted}, it offers {offered}")]
    Mechanism { wanted: &'static str, offered: String },
    #[error(
        "the broker does not know the credentials ({mechanism}): check user name and password, or the client certificate"
    )]
    Credentials { mechanism: &'static str },
    #[error("the broker could not log anybody in (SASL code {code})")]
    Sasl { code: u8 },
    #[error("the broker answered something else than SASL asks for")]
    Confused,
    #[error("the broker's answer cannot be read")]
    Wire(#[from] WireError),
    #[error("the broker did not open the connection: {said}")]
    Open { said: String, is_unauthorized: bool },
    #[error("the broker did not begin a session: {said}")]
    Begin { said: String, is_unauthorized: bool },
    #[error("the broker did not attach a link to {address:?}: {said}; write an address that it has")]
    Attach { address: String, said: String, is_unauthorized: bool },
}

impl ConnectError {
    fn is_unauthorized(&self) -> bool {
        match self {
            Self::Dial(error) => error.is_unauthorized(),
            Self::Io(error) => dial::is_about_our_certificate(error),
            Self::Mechanism { .. } | Self::Credentials { .. } => true,
            Self::Open { is_unauthorized, .. }
            | Self::Begin { is_unauthorized, .. }
            | Self::Attach { is_unauthorized, .. } => *is_unauthorized,
            _ => false,
        }
    }

    fn open(error: &OpenError) -> Self {
        match error {
            OpenError::RemoteClosedWithError(said) => {
                Self::Open { said: reason::text(said), is_unauthorized: reason::is_unauthorized(said) }
            }
            other => Self::Open { said: other.to_string(), is_unauthorized: false },
        }
    }

    fn begin(error: &BeginError) -> Self {
        let said = reason::of_begin(error);
        Self::Begin {
            said: said.map_or_else(|| error.to_string(), reason::text),
            is_unauthorized: said.is_some_and(reason::is_unauthorized),
        }
    }

    fn attach(address: &str, error: &SenderAttachError) -> Self {
        let said = reason::of_attach(error);
        Self::Attach {
            address: address.into(),
            said: said.map_or_else(|| error.to_string(), reason::text),
            is_unauthorized: said.is_some_and(reason::is_unauthorized),
        }
    }

    /// Returns the error as the endpoint's contract has it.
    pub(super) fn into_endpoint_error(self, to: String) -> EndpointError {
        if self.is_unauthorized() {
            EndpointError::Unauthorized { to, source: self.into() }
        } else {
            EndpointError::Unreachable { to, source: self.into() }
        }
    }
}

/// Connects, logs in and attaches a link.
pub(super) async fn connect(
    options: &AmqpUpstreamOptions,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Link, ConnectError> {
    let url = &options.url;
    let mut stream = dial::dial(url.host(), url.port(), tls).await?;
    let host_name = options.host_name.as_deref().unwrap_or_else(|| url.host());
    sasl::log_in(&mut *stream, &options.login_used(), host_name).await?;
    let (stream, leash) = Leashed::new(stream);
    let opening = Connection::builder()
        .container_id(&*options.container_id)
        .hostname(host_name)
        .scheme("amqp")
        .max_frame_size(MAX_FRAME_BYTES)
        .idle_time_out(u32::try_from(options.idle_timeout.as_millis()).unwrap_or(u32::MAX))
        .buffer_size(BUFFERED_FRAMES)
        .open_with_stream(stream);
    let mut connection = opening.await.map_err(|error| ConnectError::open(&error))?;
    let beginning = Session::builder().buffer_size(BUFFERED_FRAMES).begin(&mut connection);
    let mut session = beginning.await.map_err(|error| ConnectError::begin(&error))?;
    // RabbitMQ makes the queue that is asked for, and a durable one for a durable target alone.
    let target = Target::builder().address(&*options.address).durable(match options.durable {
        true => TerminusDurability::UnsettledState,
        false => TerminusDurability::None,
    });
    let attaching = Sender::builder()
        .name(format!("{}-upstream", options.container_id))
        .target(target.build())
        .sender_settle_mode(SenderSettleMode::Unsettled)
        .verify_incoming_source(false)
        .verify_incoming_target(false)
        .attach(&mut session);
    let sender = attaching.await.map_err(|error| ConnectError::attach(&options.address, &error))?;
    Ok(Link { sender, session, connection, leash })
}
