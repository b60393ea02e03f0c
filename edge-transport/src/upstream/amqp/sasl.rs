//! Logging in: the SASL layer, which comes before AMQP itself.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::AmqpLogin;
use super::connect::ConnectError;
use crate::amqp::wire::{FrameKind, Protocol, SaslFrame, Value, frame, write_sasl};
use crate::upstream::dial::Stream;

/// The largest frame of the layer. §5.3.2: no peer may send more than 512 bytes.
const MAX_FRAME_BYTES: usize = 4096;

/// Logs in, and leaves the stream where AMQP begins.
pub(super) async fn log_in(
    stream: &mut dyn Stream,
    login: &AmqpLogin,
    host_name: &str,
) -> Result<(), ConnectError> {
    send(stream, &Protocol::Sasl.header()).await?;
    let mut header = [0; 8];
    read(stream, &mut header).await?;
    match Protocol::of_header(&header) {
        Some(Protocol::Sasl) => {}
        Some(Protocol::Amqp) => return Err(ConnectError::NoSasl),
        None => return Err(ConnectError::NotAmqp { found: header.escape_ascii().to_string() }),
    }
    let mut init = Vec::new();
    loop {
        let body = next(stream).await?;
        match SaslFrame::read(&body)? {
            SaslFrame::Mechanisms(offer) => {
                let wanted = login.mechanism();
                if !offer.symbols().any(|mechanism| mechanism == wanted) {
                    let offered: Vec<_> = offer.symbols().take(16).collect();
                    return Err(ConnectError::Mechanism { wanted, offered: offered.join(", ") });
                }
                init.clear();
                write_sasl(&mut init, 0x41, |w| {
                    w.symbol(wanted);
                    match login {
                        AmqpLogin::Plain { user, password } => {
                            w.binary(format!("\0{user}\0{password}").as_bytes());
                        }
                        AmqpLogin::External => w.binary(b""),
                        AmqpLogin::Anonymous => w.value(Value::Null),
                    }
                    w.string(host_name);
                    3
                });
                send(stream, &init).await?;
            }
            SaslFrame::Outcome(0) => return Ok(()),
            SaslFrame::Outcome(1) => return Err(ConnectError::Credentials { mechanism: login.mechanism() }),
            SaslFrame::Outcome(code) => return Err(ConnectError::Sasl { code }),
            SaslFrame::Init { .. } => return Err(ConnectError::Confused),
        }
    }
}

/// Reads the body of one frame, and not a byte more.
async fn next(stream: &mut dyn Stream) -> Result<Vec<u8>, ConnectError> {
    let mut bytes = vec![0; 8];
    read(stream, &mut bytes).await?;
    let Some(head) = frame(&bytes, MAX_FRAME_BYTES)? else { return Err(ConnectError::Confused) };
    if head.kind != FrameKind::Sasl {
        return Err(ConnectError::Confused);
    }
    bytes.resize(head.total, 0);
    read(stream, bytes.get_mut(8..).unwrap_or_default()).await?;
    Ok(bytes.split_off(head.body.min(bytes.len())))
}

async fn read(stream: &mut dyn Stream, bytes: &mut [u8]) -> Result<(), ConnectError> {
    match stream.read_exact(bytes).await {
        Ok(_) => Ok(()),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) =>
        {
            Err(ConnectError::Closed)
        }
        Err(error) => Err(ConnectError::Io(error)),
    }
}

async fn send(stream: &mut dyn Stream, bytes: &[u8]) -> Result<(), ConnectError> {
    stream.write_all(bytes).await.map_err(ConnectError::Io)?;
    stream.flush().await.map_err(ConnectError::Io)
}
