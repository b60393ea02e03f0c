//! Errors in the form that the service SDKs read.

use std::fmt::Write as _;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use edge_core::service::ServiceError;
use edge_core::{AuthError, Refusal, Report, StoreError};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const ERROR_CODE: HeaderName = HeaderName::from_static("iothub-errorcode");

/// Why a request is refused.
#[derive(Debug)]
pub(crate) struct RestError {
    status: u16,
    code: &'static str,
    text: String,
    /// For the gateway's log; never told to the caller.
    log: Option<String>,
    /// Whether the caller is a module, which reads another form.
    for_module: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ServiceForm {
    message: String,
    exception_message: String,
}

#[derive(Serialize)]
struct ModuleForm<'a> {
    message: &'a str,
}

impl RestError {
    fn new(status: u16, code: &'static str, text: &str) -> Self {
        Self { status, code, text: text.to_owned(), log: None, for_module: false }
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "NotFound", "nothing is at this path")
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "this path does not take this method")
    }

    pub(super) fn timed_out() -> Self {
        Self::new(408, "RequestTimeout", "the body did not arrive in time")
    }

    pub(super) fn bad_precondition() -> Self {
        Self::new(400, "ArgumentInvalid", "If-Match is * or one entity tag")
    }

    pub(super) fn unauthorized(reason: impl Into<String>) -> Self {
        ServiceError::Unauthorized { reason: reason.into() }.into()
    }

    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        ServiceError::invalid(reason).into()
    }

    /// Returns the code of the error.
    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    /// Returns what is told to the caller.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Puts the error into the form that modules read, as Azure IoT Edge's hub gives it.
    pub(super) fn for_module(mut self) -> Self {
        self.for_module = true;
        self
    }
}

impl From<ServiceError> for RestError {
    fn from(error: ServiceError) -> Self {
        let log = match &error {
            ServiceError::Unauthorized { reason } => Some(reason.clone()),
            ServiceError::Unavailable { .. } => Some(Report(&error).to_string()),
            _ => None,
        };
        Self { log, ..Self::new(error.status(), error.code(), &error.to_string()) }
    }
}

impl From<Refusal> for RestError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Auth(AuthError::Unavailable { source, .. }) => {
                ServiceError::Unavailable { source }.into()
            }
            Refusal::Auth(error) => Self::unauthorized(Report(&error).to_string()),
            other => ServiceError::Unavailable { source: Box::new(other) }.into(),
        }
    }
}

impl From<StoreError> for RestError {
    fn from(error: StoreError) -> Self {
        match error {
            // It will not fit another time either.
            StoreError::TooLarge { bytes, limit_bytes } => {
                let [bytes, max] = [bytes, limit_bytes].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
                ServiceError::TooLarge { what: "the message", bytes, max }.into()
            }
            error => ServiceError::Unavailable { source: Box::new(error) }.into(),
        }
    }
}

/// What the driver notes of a refusal.
#[derive(Clone, Debug)]
pub(crate) struct Refused(pub(crate) String);

impl IntoResponse for RestError {
    fn into_response(self) -> Response {
        let Self { status, code, text, log, for_module } = self;
        let body = if for_module {
            serde_json::to_vec(&ModuleForm { message: &text })
        } else {
            let message = format!("ErrorCode:{code};{text}");
            let exception_message = format!("Tracking ID:{}", tracking_id());
            serde_json::to_vec(&ServiceForm { message, exception_message })
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = [(header::CONTENT_TYPE, JSON), (ERROR_CODE, HeaderValue::from_static(code))];
        let mut response = (status, headers, body.unwrap_or_default()).into_response();
        let what = log.unwrap_or(text);
        response.extensions_mut().insert(Refused(format!("{status}, {code}: {what}")));
        response
    }
}

/// Returns a random id; an empty one when the system gives no random numbers.
fn tracking_id() -> String {
    let mut bytes = [0; 16];
    let mut text = String::with_capacity(32);
    if SystemRandom::new().fill(&mut bytes).is_ok() {
        for byte in bytes {
            let _infallible = write!(text, "{byte:02X}");
        }
    }
    text
}

/// Returns an answer with a JSON body.
pub(super) fn json(body: impl Into<axum::body::Body>) -> Response {
    ([(header::CONTENT_TYPE, JSON)], body.into()).into_response()
}

/// Returns an answer with a value as JSON.
pub(super) fn json_of(status: StatusCode, value: &impl Serialize) -> Result<Response, RestError> {
    let body =
        serde_json::to_vec(value).map_err(|error| ServiceError::Unavailable { source: Box::new(error) })?;
    let mut response = json(body);
    *response.status_mut() = status;
    Ok(response)
}

/// What every handler returns.
pub(super) type Answer = Result<Response, RestError>;

/// Returns the answer without a body.
pub(super) fn no_content() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_says_decides_whether_to_try_again() {
        for (error, status) in
            [(StoreError::TooLarge { bytes: 2, limit_bytes: 1 }, 413), (StoreError::Closed, 503)]
        {
            assert_eq!(RestError::from(error).status, status);
        }
    }
}
