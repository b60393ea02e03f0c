//! How a connection comes to be: TCP, TLS, CONNECT, CONNACK.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use edge_core::EndpointError;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::codec::{self, Incoming, Limits, NotMqtt, Refusal};
use super::{BrokerUrl, MqttUpstreamOptions};
use crate::upstream::dial::{self, DialError, Stream};

/// A connection that the broker has let in.
pub(super) struct Link {
    pub(super) stream: Box<dyn Stream>,
    /// What was read behind the CONNACK.
    pub(super) input: BytesMut,
    pub(super) limits: Limits,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the connection broke while logging in")]
    Io(#[source] io::Error),
    #[error("the broker closed the connection instead of answering")]
    Closed,
    #[error(transparent)]
    Refused(Refusal),
    #[error(transparent)]
    NotMqtt(#[from] NotMqtt),
    #[error("the broker answered with something else than CONNACK")]
    NotConnAck,
    #[error("the broker takes no messages with QoS 1, and without it none is sure to arrive")]
    NoQos1,
}

impl ConnectError {
    fn is_unauthorized(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.is_unauthorized,
            Self::Dial(error) => error.is_unauthorized(),
            Self::Io(error) => dial::is_about_our_certificate(error),
            _ => false,
        }
    }

    /// Returns the error as the endpoint's contract has it.
    pub(super) fn into_endpoint_error(self, url: &BrokerUrl) -> EndpointError {
        let to = url.to_string();
        if self.is_unauthorized() {
            EndpointError::Unauthorized { to, source: self.into() }
        } else {
            EndpointError::Unreachable { to, source: self.into() }
        }
    }
}

/// Connects and logs in.
pub(super) async fn connect(
    options: &MqttUpstreamOptions,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Link, ConnectError> {
    let url = &options.url;
    let mut stream = dial::dial(url.host(), url.port(), tls).await?;
    let mut bytes = BytesMut::new();
    codec::connect(options, &mut bytes)?;
    stream.write_all(&bytes).await.map_err(ConnectError::Io)?;
    stream.flush().await.map_err(ConnectError::Io)?;
    bytes.clear();
    loop {
        match codec::next(options.version, &mut bytes)? {
            Some(Incoming::Welcome(limits)) if limits.max_qos == Some(0) => return Err(ConnectError::NoQos1),
            Some(Incoming::Welcome(limits)) => return Ok(Link { stream, input: bytes, limits }),
            Some(Incoming::Refused(refusal)) => return Err(ConnectError::Refused(refusal)),
            Some(_) => return Err(ConnectError::NotConnAck),
            None => {}
        }
        if stream.read_buf(&mut bytes).await.map_err(ConnectError::Io)? == 0 {
            return Err(ConnectError::Closed);
        }
    }
}
