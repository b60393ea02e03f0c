//! What an answer means.

use std::time::{Duration, UNIX_EPOCH};

use edge_core::EndpointError;
use hyper::header::{DATE, LOCATION, RETRY_AFTER};
use hyper::{HeaderMap, StatusCode};

/// The longest wait that a server may ask for; our choice, because a wrong clock there must not stop us for days.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What the server has decided about a request's messages.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has all of them.
    Taken,
    /// It takes them neither now nor later; a part of them it may.
    Refused { reason: String },
}

/// Why a server takes nothing at the moment.
#[derive(Debug, thiserror::Error)]
enum NotNow {
    #[error("the server answers {status}{said}")]
    Status { status: StatusCode, said: String },
    #[error(
        "the server refuses the gateway with {status}{said}: check token, password or client certificate"
    )]
    Login { status: StatusCode, said: String },
    #[error("the server answers {status}: write {to} as the address")]
    Moved { status: StatusCode, to: String },
    #[error("the server answers {status}{said}: check the address")]
    Address { status: StatusCode, said: String },
}

/// Returns what an answer means; `said` is the beginning of its body.
pub(super) fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    said: &[u8],
    to: &str,
) -> Result<Verdict, EndpointError> {
    let said = shown(said);
    let unreachable = |source: NotNow| EndpointError::Unreachable { to: to.into(), source: source.into() };
    match status.as_u16() {
        200..=299 => Ok(Verdict::Taken),
        401 | 403 | 407 => {
            Err(EndpointError::Unauthorized { to: to.into(), source: NotNow::Login { status, said }.into() })
        }
        300..=399 => {
            let found = headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or("another one");
            Err(unreachable(NotNow::Moved { status, to: found.chars().take(256).collect() }))
        }
        404 | 405 | 410 | 421 | 426 => Err(unreachable(NotNow::Address { status, said })),
        408 | 425 | 429 | 500.. => match wait(headers) {
            Some(after) => Err(EndpointError::Throttled { after }),
            None => Err(unreachable(NotNow::Status { status, said })),
        },
        _ => Ok(Verdict::Refused { reason: format!("the server answers {status}{said}") }),
    }
}

/// Returns how long the server asks to wait. RFC 9110 §10.2.3: seconds, or a date, which its own date is taken off.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let then = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
            let now = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
            then.saturating_sub(now.duration_since(UNIX_EPOCH).ok()?)
        }
    };
    Some(asked.min(LONGEST_WAIT))
}

/// Returns the beginning of a body, as it may stand in a log.
fn shown(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(256).collect();
    let line = line.trim();
    if line.is_empty() { String::new() } else { format!(", {line:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect()
    }

    #[test]
    fn a_server_says_how_long_to_wait() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (pairs, expected) in [
            (vec![("retry-after", "120")], Some(120)),
            (vec![("retry-after", "99999999")], Some(3600)),
            (vec![("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), date], Some(30)),
            (vec![("retry-after", "Sun, 06 Nov 1994 08:40:00 GMT"), date], Some(0)),
            (vec![("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")], None),
            (vec![("retry-after", "soon"), date], None),
            (vec![], None),
        ] {
            assert_eq!(wait(&headers(&pairs)), expected.map(Duration::from_secs), "{pairs:?}");
        }
    }

    #[test]
    fn each_status_has_its_meaning() {
        let judge =
            |status: u16| judge(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), b"why\n", "t");
        for status in [200, 202, 204] {
            assert_eq!(judge(status).unwrap(), Verdict::Taken);
        }
        for status in [400, 406, 409, 411, 413, 415, 422, 451] {
            let Ok(Verdict::Refused { reason }) = judge(status) else {
                panic!("{status} refuses the messages")
            };
            assert!(reason.contains(&status.to_string()) && reason.ends_with("\"why\""), "{reason}");
        }
        for status in [301, 308, 404, 405, 408, 410, 425, 429, 500, 503, 599] {
            assert!(matches!(judge(status), Err(EndpointError::Unreachable { .. })), "{status}");
        }
        for status in [401, 403, 407] {
            assert!(matches!(judge(status), Err(EndpointError::Unauthorized { .. })), "{status}");
        }
    }
}
