//! Protocol headers, SASL and OPEN.

use std::time::{Duration, Instant};

use edge_core::{Credentials, IncidentKind};

use super::authority::Waiter;
use super::{CHANNEL_MAX, IDLE_TIME_OUT, MAX_FRAME_BYTES, Phase, ServerConnection, Violation};
use crate::amqp::wire::{
    Open, Performative, Protocol, SaslFrame, begin_frame, condition, end_frame, write_sasl,
};
use crate::iothub::link::{is_sasl_policy, sasl_identity};

/// The smallest largest frame that a client may ask for. AMQP 1.0 §2.7.1.
const MIN_MAX_FRAME: u32 = 512;
/// The shortest pause between two signs of life, whatever the client asks for.
const MIN_HEARTBEAT: Duration = Duration::from_millis(500);

/// The outcomes of SASL. AMQP 1.0 §5.3.3.6.
const SASL_OK: u8 = 0;
const SASL_AUTH: u8 = 1;
const SASL_TEMPORARY: u8 = 4;

impl ServerConnection {
    /// Takes a protocol header.
    pub(super) fn header(
        &mut self,
        now: Instant,
        header: &[u8; 8],
        after_sasl: bool,
    ) -> Result<(), Violation> {
        match Protocol::of_header(header) {
            Some(Protocol::Amqp) => {
                self.out.header(Protocol::Amqp);
                self.phase = Phase::Greeting;
                Ok(())
            }
            Some(Protocol::Sasl) if !after_sasl => {
                self.out.header(Protocol::Sasl);
                // A client takes the first that it knows and has something for.
                let mut mechanisms = vec!["MSSBCBS", "ANONYMOUS", "PLAIN"];
                if !self.chain.is_empty() {
                    mechanisms.push("EXTERNAL");
                }
                write_sasl(self.out.bytes(), 0x40, |w| {
                    w.symbols(&mechanisms);
                    1
                });
                self.phase = Phase::Sasl;
                Ok(())
            }
            _ => {
                // AMQP 1.0 §2.2: the answer to another protocol is the header of one that is spoken here.
                self.out.header(Protocol::Amqp);
                self.end(now);
                Err(Violation::malformed("the connection does not begin with AMQP 1.0 or its SASL layer"))
            }
        }
    }

    /// Takes a frame of the SASL layer.
    pub(super) fn sasl(&mut self, body: &[u8]) -> Result<(), Violation> {
        let SaslFrame::Init { mechanism, response } = SaslFrame::read(body).map_err(Violation::malformed)?
        else {
            return Err(Violation::malformed("a frame that a SASL client does not send"));
        };
        match mechanism {
            "ANONYMOUS" | "MSSBCBS" => self.sasl_outcome(SASL_OK),
            "EXTERNAL" if !self.chain.is_empty() => self.sasl_outcome(SASL_OK),
            "PLAIN" => {
                let mut parts = response.splitn(3, |byte| *byte == 0).map(std::str::from_utf8);
                let (Some(_), Some(Ok(user)), Some(Ok(password))) =
                    (parts.next(), parts.next(), parts.next())
                else {
                    return Err(Violation::malformed("a PLAIN response without a user name and password"));
                };
                let password = password.to_owned();
                match sasl_identity(user) {
                    Some(identity) => {
                        self.phase = Phase::SaslOpening;
                        self.open(identity, Credentials::SasToken(password), Waiter::Sasl);
                    }
                    None if is_sasl_policy(user) => {
                        self.phase = Phase::SaslOpening;
                        self.authorize(password, Waiter::Sasl);
                    }
                    None => {
                        self.report(None, IncidentKind::BadHello, "a user name that names no identity");
                        self.sasl_outcome(SASL_AUTH);
                    }
                }
            }
            other => {
                let known = other.len() <= 20 && other.bytes().all(|byte| byte.is_ascii_graphic());
                let name = if known { other } else { "one" };
                self.report(
                    None,
                    IncidentKind::Unsupported,
                    format!("the SASL mechanism {name} is not offered"),
                );
                self.sasl_outcome(SASL_AUTH);
            }
        }
        Ok(())
    }

    /// Says what came of SASL; without success the client may only close.
    fn sasl_outcome(&mut self, code: u8) {
        write_sasl(self.out.bytes(), 0x44, |w| {
            w.ubyte(code);
            1
        });
        self.phase = Phase::Header { after_sasl: true };
    }

    /// Says what the gateway decided on a user name and password.
    pub(super) fn sasl_decided(&mut self, now: Instant, allowed: bool, temporary: bool) {
        self.sasl_outcome(match (allowed, temporary) {
            (true, _) => SASL_OK,
            (false, true) => SASL_TEMPORARY,
            (false, false) => SASL_AUTH,
        });
        if !allowed {
            self.end(now);
        }
    }

    pub(super) fn write_open(&mut self) {
        let idle = u32::try_from(IDLE_TIME_OUT.as_millis()).unwrap_or(u32::MAX);
        let open = Open {
            container_id: "edge-gateway",
            hostname: None,
            max_frame_size: Some(MAX_FRAME_BYTES),
            channel_max: Some(CHANNEL_MAX),
            idle_time_out: Some(idle),
        };
        let out = self.out.bytes();
        let start = begin_frame(out, crate::amqp::wire::FrameKind::Amqp, 0);
        Performative::Open(open).write(out);
        end_frame(out, start);
    }

    /// Takes the client's OPEN.
    pub(super) fn greeted(&mut self, open: &Open<'_>) -> Result<(), Violation> {
        let max = open.max_frame_size.unwrap_or(u32::MAX);
        if max < MIN_MAX_FRAME {
            return Err(Violation::new(
                IncidentKind::Malformed,
                condition::NOT_ALLOWED,
                "a max-frame-size below 512",
            ));
        }
        self.peer_max_frame = usize::try_from(max.min(MAX_FRAME_BYTES)).unwrap_or(512);
        self.heartbeat = open.idle_time_out.filter(|ms| *ms > 0).map(|ms| {
            let half = Duration::from_millis(ms.into()) / 2;
            half.max(MIN_HEARTBEAT)
        });
        self.write_open();
        self.phase = Phase::Open;
        Ok(())
    }
}
