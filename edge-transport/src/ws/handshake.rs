//! The HTTP request that a WebSocket begins with. RFC 6455 §4, RFC 9112.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

/// Where the device SDKs connect, and where the Python SDK of the service side does. The query is not looked at.
const PATHS: [&str; 2] = ["/$iothub/websocket", "/$servicebus/websocket"];

/// What is spoken inside a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subprotocol {
    /// MQTT-6.0.0-3.
    Mqtt,
    /// AMQP 1.0 as IoT Hub speaks it. WebSocket Subprotocol Name Registry, "AMQP WebSocket Binding".
    Amqp,
}

impl Subprotocol {
    const fn name(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::Amqp => "AMQPWSB10",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Mqtt, Self::Amqp].into_iter().find(|one| one.name().eq_ignore_ascii_case(name))
    }
}

/// The most bytes of a request's head.
pub(super) const MAX_HEAD_BYTES: usize = 8 << 10;

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The connection becomes a WebSocket, after these bytes.
    Upgrade(Subprotocol, String),
    /// The request is answered, and the connection closed.
    Refuse(String),
}

/// Returns where the head of a request ends, past its empty line.
pub(super) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// Returns whether the request with this head is for the path of WebSockets, as far as it can be told.
pub(super) fn is_for_websockets(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let target = line.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
    std::str::from_utf8(target).is_ok_and(is_ours)
}

fn is_ours(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    let path = path.trim_end_matches('/').replace("%24", "$");
    PATHS.iter().any(|known| path.eq_ignore_ascii_case(known))
}

/// Returns the answer to the request with this head.
pub(super) fn answer(head: &[u8]) -> Answer {
    let Some(request) = Request::parse(head) else {
        return refuse("400 Bad Request", "", "not an HTTP/1.1 request");
    };
    if !is_ours(request.target) {
        return refuse("404 Not Found", "", "nothing is here");
    }
    if request.method != "GET"
        || !request.has("Connection", "upgrade")
        || !request.has("Upgrade", "websocket")
    {
        return refuse("426 Upgrade Required", "Upgrade: websocket\r\n", "only WebSockets are served here");
    }
    if !request.has("Sec-WebSocket-Version", "13") {
        return refuse("426 Upgrade Required", "Sec-WebSocket-Version: 13\r\n", "only version 13 is served");
    }
    // The first that is spoken here is the one that the client likes best.
    let Some(chosen) = request.values("Sec-WebSocket-Protocol").find_map(Subprotocol::of) else {
        return refuse("400 Bad Request", "", "only the subprotocols mqtt and AMQPWSB10 are served");
    };
    let key = request.value("Sec-WebSocket-Key").unwrap_or_default();
    if STANDARD.decode(key).map_or(true, |key| key.len() != 16) {
        return refuse("400 Bad Request", "", "the Sec-WebSocket-Key is not 16 bytes in base64");
    }
    // paho reads the answer line by line, and wants these names with exactly one space behind the colon.
    let text = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
        accept(key),
        chosen.name()
    );
    Answer::Upgrade(chosen, text)
}

/// §4.2.2, step 5.4.
fn accept(key: &str) -> String {
    let text = [key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"].concat();
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

fn refuse(status: &str, headers: &str, text: &str) -> Answer {
    Answer::Refuse(format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}\n",
        text.len() + 1
    ))
}

/// A request's head, read where it stands.
#[derive(Debug)]
struct Request<'a> {
    method: &'a str,
    target: &'a str,
    headers: &'a str,
}

impl<'a> Request<'a> {
    fn parse(head: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(head).ok()?;
        let (line, headers) = text.split_once("\r\n")?;
        let mut words = line.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let ok =
            words.next().is_none() && version == "HTTP/1.1" && !method.is_empty() && target.starts_with('/');
        let well_formed =
            headers.split("\r\n").take_while(|line| !line.is_empty()).all(|line| line.contains(':'));
        (ok && well_formed).then_some(Self { method, target, headers })
    }

    /// Returns the values of all headers with this name, cut at their commas.
    fn values(&self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.headers.split("\r\n").take_while(|line| !line.is_empty());
        let all = lines.filter_map(|line| line.split_once(':'));
        all.filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim)
    }

    fn value(&self, name: &'a str) -> Option<&'a str> {
        self.values(name).next()
    }

    fn has(&self, name: &'a str, value: &str) -> bool {
        self.values(name).any(|found| found.eq_ignore_ascii_case(value))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What paho sends, from its published behaviour; the key and its answer are those of RFC 6455 §1.3.
    const PAHO: &str = "GET /$iothub/websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-Websocket-Protocol: mqtt\r\nSec-Websocket-Version: 13\r\n\
        Origin: https://localhost:443\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    fn check_refused(request: &str, status: &str) {
        match answer(request.as_bytes()) {
            Answer::Refuse(text) => assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}"),
            Answer::Upgrade(..) => panic!("{request} was let in"),
        }
    }

    #[test]
    fn paho_is_let_in() {
        let Answer::Upgrade(Subprotocol::Mqtt, text) = answer(PAHO.as_bytes()) else { panic!("refused") };
        assert!(text.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(text.contains("\r\nSec-WebSocket-Protocol: mqtt\r\n"));
        assert!(text.ends_with("\r\n\r\n"));
    }

    #[test]
    fn other_forms_are_let_in() {
        for (from, to, spoken) in [
            ("/$iothub/websocket ", "/%24iothub/websocket?iothub-no-client-cert=true ", Subprotocol::Mqtt),
            ("Connection: Upgrade", "connection: keep-alive, Upgrade", Subprotocol::Mqtt),
            ("Protocol: mqtt", "Protocol: AMQPWSB10, mqtt", Subprotocol::Amqp),
            ("Protocol: mqtt", "Protocol: other, mqtt, AMQPWSB10", Subprotocol::Mqtt),
            ("/$iothub/websocket ", "/$servicebus/websocket/ ", Subprotocol::Mqtt),
        ] {
            let Answer::Upgrade(found, text) = answer(PAHO.replace(from, to).as_bytes()) else {
                panic!("{to} is refused")
            };
            assert_eq!(found, spoken, "{to}");
            assert!(text.contains(&format!("\r\nSec-WebSocket-Protocol: {}\r\n", spoken.name())), "{text}");
        }
    }

    #[test]
    fn what_is_refused() {
        check_refused(&PAHO.replace("/$iothub/websocket", "/other"), "404");
        check_refused(&PAHO.replace("Upgrade: websocket\r\n", ""), "426");
        check_refused(&PAHO.replace("GET", "POST"), "426");
        check_refused(&PAHO.replace("Version: 13", "Version: 8"), "426");
        check_refused(&PAHO.replace("Protocol: mqtt", "Protocol: amqp"), "400");
        check_refused(&PAHO.replace("dGhl", ""), "400");
        check_refused(&PAHO.replace("HTTP/1.1", "HTTP/1.0"), "400");
        check_refused("\x16\x03\x01\r\n\r\n", "400");
        check_refused("GET /$iothub/websocket HTTP/1.1\r\nno colon\r\n\r\n", "400");
    }

    #[test]
    fn the_end_of_a_head_is_found() {
        assert_eq!(head_end(b"GET / HTTP/1.1\r\n\r\nrest"), Some(18));
        assert_eq!(head_end(b"GET / HTTP/1.1\r\n"), None);
    }

    proptest! {
        #[test]
        fn any_head_is_answered(head in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(matches!(answer(&head), Answer::Refuse(_)));
        }
    }
}
