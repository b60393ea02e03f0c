//! From CONNECT to CONNACK.

use std::time::{Duration, Instant};

use edge_core::{
    AuthError, Credentials, FeedSet, Hello, Identity, IncidentKind, Message, MessageBuilder, Origin, Refusal,
};

use super::acks::Unacknowledged;
use super::deliveries::Deliveries;
use super::requests::Requests;
use super::{Open, Opened, Output, Phase, Scratch, ServerSession, Violation};
use crate::iothub::topic::{Inbound, inbound};
use crate::iothub::{UserName, bag};
use crate::mqtt::packet::{Connect, ConnectCode, Packet, QoS};

/// The application property that marks a client's last word, and its value.
///
/// # Source
/// Azure IoT Hub, "Communicate with IoT Hub using the MQTT protocol", "Using a last will and testament".
const LAST_WORD: (&str, &str) = ("iothub-MessageType", "Will");

/// What a CONNECT said that matters once the client is let in.
#[derive(Debug)]
pub(super) struct Greeted {
    clean: bool,
    keep_alive_secs: u16,
    will: Option<Will>,
}

/// A last word, kept until the gateway says who the client is.
#[derive(Debug)]
struct Will {
    bag: String,
    payload: Vec<u8>,
    retain: bool,
}

impl ServerSession {
    /// Takes a CONNECT; `Err` refuses it with an answer, if there is one for it.
    pub(super) fn connect(
        &mut self,
        now: Instant,
        connect: &Connect<'_>,
    ) -> Result<(), (Option<ConnectCode>, Violation)> {
        let Phase::Greeting { chain, .. } = &mut self.phase else {
            return Err((None, Violation::new(IncidentKind::Malformed, "a second CONNECT")));
        };
        let claimed = claimed(connect)?;
        let credentials = match connect.password {
            Some(password) if !password.is_empty() => match std::str::from_utf8(password) {
                Ok(token) => Credentials::SasToken(token.to_owned()),
                Err(_) => return bad_hello(ConnectCode::BadUserName, "the password is not text"),
            },
            _ if !chain.is_empty() => Credentials::X509(std::mem::take(chain)),
            _ => Credentials::None,
        };
        let will = last_word(&claimed, connect, self.resources.limits().max_message_bytes)?;
        let clean = connect.clean_session;
        let mut hello = Hello::new(claimed, credentials, super::PROTOCOL, self.peer);
        hello.clean = clean;
        let greeted = Box::new(Greeted { clean, keep_alive_secs: connect.keep_alive_secs, will });
        self.phase = Phase::Opening { greeted, until: now + self.limits().connect_timeout };
        self.outputs.push_back(Output::Open(Box::new(hello)));
        Ok(())
    }

    /// Takes the gateway's decision.
    pub(super) fn opened(&mut self, now: Instant, answer: Result<Opened, Refusal>, scratch: &mut Scratch) {
        let Phase::Opening { greeted, .. } = &mut self.phase else { return };
        let opened = match answer {
            Ok(opened) => opened,
            Err(refusal) => return self.refuse(now, code(&refusal)),
        };
        let origin = Origin::new(&opened.authenticated);
        let max_silence = match greeted.keep_alive_secs {
            0 => self.resources.limits().max_silence,
            secs => Duration::from_millis(u64::from(secs) * 1500).min(self.resources.limits().max_silence),
        };
        let last_word = greeted.will.take().and_then(|will| will.into_message(&origin));
        let session_present = opened.resumed && !greeted.clean;
        let open = Open {
            origin,
            feeds: opened.feeds,
            at_most_once: FeedSet::EMPTY,
            unacknowledged: Unacknowledged::default(),
            deliveries: Deliveries::default(),
            requests: Requests::default(),
            max_silence,
            last_word,
            last_output: None,
            overhead: 0,
        };
        self.phase = Phase::Open(Box::new(open));
        // A CONNACK has four bytes: writing it cannot fail.
        let _written = self.out.put(&Packet::ConnAck { session_present, code: ConnectCode::Accepted });
        self.heard = now;
        if self.partial.move_to(self.resources.partial()) {
            self.feed(now, &[], scratch);
        } else {
            self.violated(now, Violation::no_memory());
        }
    }

    /// Gives up waiting for the gateway's decision.
    pub(super) fn refuse_unavailable(&mut self, now: Instant) {
        self.refuse(now, ConnectCode::Unavailable);
    }

    /// Answers a CONNECT with a refusal, and closes. MQTT-3.2.2-5.
    pub(super) fn refuse(&mut self, now: Instant, code: ConnectCode) {
        let _written = self.out.put(&Packet::ConnAck { session_present: false, code });
        self.end(now, true);
    }
}

type Refused = (Option<ConnectCode>, Violation);

fn bad_hello<T>(code: ConnectCode, detail: impl Into<String>) -> Result<T, Refused> {
    Err((Some(code), Violation::new(IncidentKind::BadHello, detail)))
}

/// Returns who the client claims to be, by its user name and its client id, which must agree.
fn claimed(connect: &Connect<'_>) -> Result<Identity, Refused> {
    let Some(user_name) = connect.user_name else {
        return bad_hello(ConnectCode::BadUserName, "no user name");
    };
    let name: UserName = match user_name.parse() {
        Ok(name) => name,
        Err(error) => return bad_hello(ConnectCode::BadUserName, error.to_string()),
    };
    match connect.client_id.parse::<Identity>() {
        Ok(client) if client == name.identity => Ok(client),
        Ok(client) => {
            let detail = format!("the client id is {client} and the user name says {}", name.identity);
            bad_hello(ConnectCode::ClientId, detail)
        }
        Err(error) => bad_hello(ConnectCode::ClientId, error.to_string()),
    }
}

/// Returns the client's last word: telemetry of its own, or nothing.
fn last_word(who: &Identity, connect: &Connect<'_>, max_bytes: usize) -> Result<Option<Will>, Refused> {
    let Some(will) = &connect.will else { return Ok(None) };
    let refuse = |kind, detail: &str| Err((Some(ConnectCode::NotAuthorized), Violation::new(kind, detail)));
    if will.qos == QoS::ExactlyOnce {
        return refuse(IncidentKind::Unsupported, "a last word of QoS 2");
    }
    let Some(Inbound::Telemetry { bag }) = inbound(who, will.topic) else {
        return refuse(IncidentKind::ForeignTopic, "a last word on a topic that is not the client's");
    };
    match bag::read(bag, &mut MessageBuilder::default()) {
        Err(_) => refuse(IncidentKind::Malformed, "a last word with a wrong property bag"),
        Ok(read) if read.bytes + will.payload.len() > max_bytes => {
            refuse(IncidentKind::Oversize, "a last word that is too large")
        }
        Ok(_) => Ok(Some(Will { bag: bag.to_owned(), payload: will.payload.to_vec(), retain: will.retain })),
    }
}

impl Will {
    fn into_message(self, origin: &Origin) -> Option<Message> {
        let mut builder = MessageBuilder::default();
        let read = bag::read(&self.bag, &mut builder).ok()?;
        let output = read.output.and_then(|output| output.parse().ok());
        if self.retain {
            builder.set_property(bag::RETAIN, Some("true"));
        }
        builder.set_property(LAST_WORD.0, Some(LAST_WORD.1));
        origin.stamp(&mut builder, output.as_ref());
        builder.set_body(&self.payload);
        Some(builder.build())
    }
}

/// Returns what a refused client is told: 5 makes the SDKs report wrong credentials, 3 makes them try again.
fn code(refusal: &Refusal) -> ConnectCode {
    match refusal {
        Refusal::Auth(AuthError::Unavailable { .. }) => ConnectCode::Unavailable,
        Refusal::Auth(_) => ConnectCode::NotAuthorized,
        _ => ConnectCode::Unavailable,
    }
}
