//! One request, with what every handler needs of it.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts as _, RawPathParams, Request};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use edge_core::service::{AccessRequest, FileUploads, IfMatch, Permission, Service, ServiceError};
use edge_core::{Credentials, DeviceId, Gateway, Hello, Identity, Incident, IncidentKind, ModuleId, Visit};
use serde::de::DeserializeOwned;

use super::error::RestError;
use super::{PROTOCOL, Shared, body};
use crate::Resources;
use crate::tasks::to_its_end;

/// The connection that a request came by.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) gateway: Arc<dyn Gateway>,
    pub(crate) resources: Resources,
    pub(crate) peer: SocketAddr,
    /// The certificates that the client has shown, leaf first.
    pub(crate) chain: Arc<[Vec<u8>]>,
}

/// One request.
#[derive(Debug)]
pub(super) struct Call {
    shared: Shared,
    pub(super) caller: Caller,
    pub(super) headers: HeaderMap,
    device: Option<DeviceId>,
    module: Option<ModuleId>,
    /// The lock token in the path.
    pub(super) lock: String,
    query: String,
    /// In a lock only so that a shared call can go from thread to thread.
    body: Mutex<Body>,
}

impl FromRequest<Shared> for Call {
    type Rejection = RestError;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, RestError> {
        let (mut parts, body) = request.into_parts();
        let caller = parts.extensions.remove::<Caller>();
        let caller = caller.ok_or_else(|| ServiceError::Unavailable { source: "no connection".into() })?;
        let mut call = Self {
            shared: shared.clone(),
            caller,
            device: None,
            module: None,
            lock: String::new(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body: Mutex::new(body),
            headers: HeaderMap::new(),
        };
        let params = RawPathParams::from_request_parts(&mut parts, shared).await;
        let params = params.map_err(|_| RestError::invalid("the path is not percent-encoded UTF-8"))?;
        for (name, value) in &params {
            match name {
                "device" => call.device = Some(id(value)?),
                "module" => call.module = Some(id(value)?),
                _ => value.clone_into(&mut call.lock),
            }
        }
        call.headers = parts.headers;
        Ok(call)
    }
}

/// Returns the id that a segment is, after it was decoded.
fn id<T: FromStr<Err = edge_core::IdError>>(segment: &str) -> Result<T, RestError> {
    if matches!(segment, "." | "..") {
        return Err(RestError::invalid(format!("{segment:?} is no id")));
    }
    segment.parse().map_err(|error: edge_core::IdError| RestError::invalid(error.to_string()))
}

impl Call {
    /// Returns the service API; without one its paths are not there.
    pub(super) fn service(&self) -> Result<&Arc<dyn Service>, RestError> {
        self.shared.service.as_ref().ok_or_else(RestError::not_found)
    }

    /// Returns who serves the uploads of files.
    pub(super) fn uploads(&self) -> Result<&Arc<dyn FileUploads>, RestError> {
        let none = || ServiceError::NotImplemented { what: "the upload of files".to_owned() };
        Ok(self.shared.uploads.as_ref().ok_or_else(none)?)
    }

    /// Lets the device or module in that the path names, by the token or certificate that the request shows.
    pub(super) async fn visit(&self) -> Result<Box<dyn Visit>, RestError> {
        let credentials = self.credentials()?;
        let hello = Hello::new(self.identity()?, credentials, PROTOCOL, Some(self.caller.peer));
        Ok(self.caller.gateway.visit(hello).await?)
    }

    /// Returns what the request shows: a token, or else a certificate.
    pub(super) fn credentials(&self) -> Result<Credentials, RestError> {
        match self.authorization() {
            Ok(token) => Ok(Credentials::SasToken(token.to_owned())),
            Err(_) if !self.caller.chain.is_empty() => Ok(Credentials::X509(self.caller.chain.to_vec())),
            Err(error) => Err(error),
        }
    }

    pub(super) fn device(&self) -> Result<&DeviceId, RestError> {
        self.device.as_ref().ok_or_else(RestError::not_found)
    }

    /// Returns the device or module that the path names.
    pub(super) fn identity(&self) -> Result<Identity, RestError> {
        let device = self.device()?.clone();
        Ok(match &self.module {
            Some(module) => Identity::of_module(device, module.clone()),
            None => Identity::of_device(device),
        })
    }

    /// Refuses the request unless its token allows it; `area` is the first segment of its path.
    pub(super) async fn allow(&self, needed: Permission, area: &str) -> Result<(), RestError> {
        let service = self.service()?;
        let token = self.authorization()?;
        let mut path = format!("/{area}");
        if let Some(device) = &self.device {
            path.extend(["/", device.as_str()]);
        }
        if let Some(module) = &self.module {
            path.extend(["/modules/", module.as_str()]);
        }
        service.authorize(AccessRequest::new(token, needed, &path)).await?;
        Ok(())
    }

    /// Returns the token that the request shows.
    pub(super) fn authorization(&self) -> Result<&str, RestError> {
        let token = self.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        token.ok_or_else(|| RestError::unauthorized("the request shows no token"))
    }

    /// Returns which version the request is meant for: `*`, or one entity tag with quotation marks or without.
    pub(super) fn if_match(&self) -> Result<IfMatch, RestError> {
        let mut values = self.headers.get_all(header::IF_MATCH).iter();
        let Some(value) = values.next() else { return Ok(IfMatch::None) };
        let value = value.to_str().map_err(|_| RestError::bad_precondition())?.trim();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        let odd = bare.contains(|c: char| matches!(c, '"' | ',') || c.is_whitespace());
        match bare {
            _ if values.next().is_some() || odd => Err(RestError::bad_precondition()),
            "*" => Ok(IfMatch::Any),
            // Clients that have no entity tag send an empty one.
            "" => Ok(IfMatch::None),
            etag => Ok(IfMatch::Etag(etag.to_owned())),
        }
    }

    /// Returns the value of a parameter of the query, as it stands there.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let pairs = self.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// Reads the body to its end.
    pub(super) async fn body(&mut self) -> Result<Bytes, RestError> {
        let max = self.caller.resources.limits().max_request_bytes;
        self.body_within(max).await
    }

    /// Reads the body to its end; at most `max` bytes.
    pub(super) async fn body_within(&mut self, max: usize) -> Result<Bytes, RestError> {
        let body = std::mem::take(self.body.get_mut().unwrap_or_else(PoisonError::into_inner));
        body::read(body, &self.caller.resources, max).await
    }

    /// Reads the body as JSON.
    pub(super) async fn json<T: DeserializeOwned>(&mut self) -> Result<T, RestError> {
        parse(&self.body().await?)
    }
}

/// Returns what JSON says.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, RestError> {
    serde_json::from_slice(body)
        .map_err(|error| RestError::invalid(format!("the body is not the JSON that is wanted here: {error}")))
}

/// Carries a change through, also when the client hangs up in the middle.
pub(super) async fn carried_through<T: Send + 'static>(
    change: impl Future<Output = Result<T, ServiceError>> + Send + 'static,
) -> Result<T, RestError> {
    let Some(done) = to_its_end(change).await else {
        return Err(ServiceError::Unavailable { source: "the change has panicked".into() }.into());
    };
    Ok(done?)
}

impl Caller {
    /// Tells the gateway of a request that was refused.
    pub(super) fn report(&self, what: &str) {
        let detail = format_args!("{what}");
        let mut incident = Incident::new(IncidentKind::Refused, PROTOCOL, detail);
        incident.peer = Some(self.peer);
        self.gateway.report(&incident);
    }
}
