//! What a client asks besides sending and receiving: to be let in, its twin, methods.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{AmqpClient, AmqpEvent, invalid};
use crate::amqp::wire::{Properties, Protocol, SaslFrame, Sections, Value, Writer, write_data, write_sasl};

impl<S: AsyncRead + AsyncWrite + Unpin> AmqpClient<S> {
    /// Shows a user name and password by SASL PLAIN, and returns the outcome's code; 0 is success.
    ///
    /// # Errors
    /// What the socket says, or that the answer is another one.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of it may have been sent.
    pub async fn sasl_plain(&mut self, user: &str, password: &str) -> io::Result<u8> {
        self.sasl("PLAIN", format!("\0{user}\0{password}").as_bytes()).await
    }

    /// Chooses a mechanism of SASL with a response, and returns the outcome's code; 0 is success.
    ///
    /// # Errors
    /// What the socket says, or that the answer is another one.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of it may have been sent.
    pub async fn sasl(&mut self, mechanism: &str, response: &[u8]) -> io::Result<u8> {
        self.send_bytes(&Protocol::Sasl.header()).await?;
        if self.take(8).await? != Protocol::Sasl.header() {
            return Err(invalid("another header"));
        }
        let (_, body) = self.frame().await?;
        if !matches!(SaslFrame::read(&body), Ok(SaslFrame::Mechanisms(_))) {
            return Err(invalid("no mechanisms"));
        }
        let mut out = Vec::new();
        write_sasl(&mut out, 0x41, |w| {
            w.symbol(mechanism);
            w.binary(response);
            2
        });
        self.send_bytes(&out).await?;
        let (_, body) = self.frame().await?;
        match SaslFrame::read(&body) {
            Ok(SaslFrame::Outcome(code)) => Ok(code),
            _ => Err(invalid("no outcome")),
        }
    }

    /// Puts a token on the connection, by links with the handles 0 and 1, and returns the status.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of it may have been sent.
    pub async fn put_token(&mut self, audience: &str, token: &str) -> io::Result<i64> {
        if !self.credit.contains_key(&0) {
            self.attach_sender(0, "$cbs").await?;
            self.attach_receiver(1, "$cbs").await?;
        }
        let mut bytes = Vec::new();
        let mut w = Writer::new(&mut bytes);
        Properties { message_id: Value::Ulong(7), to: Value::Text("$cbs"), ..Properties::default() }
            .write(&mut w);
        w.descriptor(0x74);
        w.map(|w| {
            for (name, value) in
                [("operation", "put-token"), ("type", "servicebus.windows.net:sastoken"), ("name", audience)]
            {
                w.string(name);
                w.string(value);
            }
            3
        });
        w.descriptor(0x77);
        w.string(token);
        self.send_raw(0, &bytes, None).await?;
        loop {
            match self.event().await? {
                AmqpEvent::Message { handle: 1, bytes, .. } => {
                    let sections = Sections::read(&bytes).map_err(invalid)?;
                    if sections.properties.correlation_id != Value::Ulong(7) {
                        return Err(invalid("the answer has another id"));
                    }
                    let status = sections.application.value("status-code").and_then(Value::integer);
                    return status.ok_or_else(|| invalid("an answer without a status"));
                }
                AmqpEvent::Closed(condition) => {
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, condition));
                }
                _ => {}
            }
        }
    }

    /// Asks something of the twin by the links `requests` and `answers`, and returns the status with the body.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of it may have been sent.
    pub async fn twin(
        &mut self,
        (requests, answers): (u32, u32),
        operation: &str,
        resource: &str,
        body: &[u8],
    ) -> io::Result<(i64, Bytes)> {
        let mut bytes = Vec::new();
        let mut w = Writer::new(&mut bytes);
        w.descriptor(0x72);
        w.map(|w| {
            w.symbol("operation");
            w.string(operation);
            w.symbol("resource");
            w.value(if resource.is_empty() { Value::Null } else { Value::Text(resource) });
            2
        });
        Properties { correlation_id: Value::Text("twin-1"), ..Properties::default() }.write(&mut w);
        write_data(&mut w, body);
        self.send_raw(requests, &bytes, None).await?;
        loop {
            if let AmqpEvent::Message { handle, bytes, .. } = self.event().await?
                && handle == answers
            {
                let sections = Sections::read(&bytes).map_err(invalid)?;
                if sections.properties.correlation_id != Value::Text("twin-1") {
                    continue;
                }
                let status = sections.annotations.value("status").and_then(Value::integer);
                let mut buffer = Vec::new();
                let body = sections.body_bytes(&mut buffer).unwrap_or_default();
                return Ok((status.unwrap_or(0), Bytes::copy_from_slice(body)));
            }
        }
    }

    /// Answers the direct method that came as `call` with this status and body, by the link `answers`.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of it may have been sent.
    pub async fn answer_method(
        &mut self,
        answers: u32,
        call: &[u8],
        status: i32,
        body: &[u8],
    ) -> io::Result<u32> {
        let id = Sections::read(call).map_err(invalid)?.properties.correlation_id;
        let mut bytes = Vec::new();
        let mut w = Writer::new(&mut bytes);
        Properties { correlation_id: id, ..Properties::default() }.write(&mut w);
        w.descriptor(0x74);
        w.map(|w| {
            w.string("IoThub-status");
            w.int(status);
            1
        });
        write_data(&mut w, body);
        self.send_raw(answers, &bytes, None).await
    }
}
