//! HTTP/1.1 as IoT Hub speaks it: the service API, and what devices and modules send and fetch.
//!
//! The service side:
//!
//! | method and path | what it does | permission |
//! |---|---|---|
//! | `GET /devices?top=n` · `POST /devices` | lists · changes many | `RegistryRead` · `RegistryWrite` |
//! | `GET` · `PUT` · `DELETE /devices/{d}` | reads · makes or changes · deletes | the same |
//! | `GET /devices/{d}/modules`, `…/modules/{m}` as for devices | modules | the same |
//! | `GET` · `PATCH` · `PUT /twins/{d}[/modules/{m}]` | reads · patches · replaces the twin | `ServiceConnect` |
//! | `POST /twins/{d}[/modules/{m}]/methods` | calls a method | `ServiceConnect`, or a module's own token |
//! | `POST /devices/{d}[/modules/{m}]/messages/deviceBound` | sends a message (ours) | `ServiceConnect` |
//! | `DELETE /devices/{d}[/modules/{m}]/commands` | throws away what waits | `ServiceConnect` |
//! | `GET /messages/serviceBound/feedback`, `DELETE …/{lock}`, `POST …/{lock}/abandon` | feedback | `ServiceConnect` |
//! | `GET /statistics/devices` · `GET /statistics/service` | counts | `RegistryRead` · `ServiceConnect` |
//!
//! Devices and modules, each by its own token or certificate, and without a session:
//!
//! | method and path | what it does |
//! |---|---|
//! | `POST /devices/{d}[/modules/{m}]/messages/events` | sends a message, or with the content type `application/vnd.microsoft.iothub.json` many |
//! | `GET /devices/{d}[/modules/{m}]/messages/deviceBound` | fetches and locks a message; 204 when there is none |
//! | `DELETE …/{lock}[?reject]` · `POST …/{lock}/abandon` | completes, rejects · gives it back |
//! | `POST /devices/{d}/files` · `POST /devices/{d}/files/notifications[/{id}]` | begins · ends the upload of a file |
//! | `POST /twins/{d}[/modules/{m}]/methods` with `x-ms-edge-moduleId` | a module calls a method |
//!
//! IoT Hub has no REST for sending to a device, so that one is ours: the body is the message's, `iothub-messageid`,
//! `iothub-correlationid`, `iothub-userid`, `iothub-contenttype`, `iothub-contentencoding`, `iothub-expiry` and
//! `iothub-ack` are its system properties, `iothub-app-<name>` its application properties; the answer is 204.
//!
//! Every value of `api-version` is taken, and none. A segment of a path is decoded once, after the path has been cut at
//! its slashes; an id that holds a slash then is none, and `.` and `..` are taken for a mistake.

mod body;
mod call;
mod driver;
mod error;
mod files;
mod identities;
mod json;
mod messages;
mod methods;
mod received;
mod stall;
mod statistics;
mod telemetry;
mod twins;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post};
use edge_core::service::{FileUploads, Service};

pub(crate) use driver::{Prefixed, serve};

use error::RestError;

/// What the protocol is called in hellos and incidents.
pub(crate) const PROTOCOL: &str = "https";

/// What all handlers share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    /// The service API; without one only what devices and modules ask is answered.
    pub(crate) service: Option<Arc<dyn Service>>,
    /// Who serves the uploads of files; without one they are refused.
    pub(crate) uploads: Option<Arc<dyn FileUploads>>,
}

/// Returns the handlers of every path.
pub(crate) fn router(shared: Shared) -> Router {
    let identity = || get(identities::read).put(identities::put).delete(identities::delete);
    let twin = || get(twins::read).patch(twins::patch).put(twins::replace);
    let mut router = Router::new()
        .route("/devices", get(identities::devices).post(identities::bulk))
        .route("/devices/", get(identities::devices).post(identities::bulk))
        .route("/devices/{device}", identity())
        .route("/devices/{device}/modules", get(identities::modules))
        .route("/devices/{device}/modules/", get(identities::modules))
        .route("/devices/{device}/modules/{module}", identity())
        .route("/devices/{device}/commands", delete(messages::purge))
        .route("/devices/{device}/modules/{module}/commands", delete(messages::purge))
        .route("/twins/{device}", twin())
        .route("/twins/{device}/modules/{module}", twin())
        .route("/twins/{device}/methods", post(methods::invoke))
        .route("/twins/{device}/modules/{module}/methods", post(methods::invoke))
        .route("/statistics/devices", get(statistics::devices))
        .route("/statistics/service", get(statistics::service));
    // The SDKs do not agree on the case of these.
    for bound in ["deviceBound", "devicebound"] {
        for of in ["/devices/{device}", "/devices/{device}/modules/{module}"] {
            let queue = format!("{of}/messages/{bound}");
            router = router
                .route(&queue, post(messages::send).get(received::receive))
                .route(&format!("{queue}/{{lock}}"), delete(received::complete))
                .route(&format!("{queue}/{{lock}}/abandon"), post(received::abandon));
        }
    }
    for of in ["/devices/{device}", "/devices/{device}/modules/{module}"] {
        router = router.route(&format!("{of}/messages/events"), post(telemetry::send));
    }
    router = router
        .route("/devices/{device}/files", post(files::begin))
        .route("/devices/{device}/files/notifications", post(files::finish))
        .route("/devices/{device}/files/notifications/{id}", post(files::finish));
    for bound in ["serviceBound", "servicebound"] {
        let feedback = format!("/messages/{bound}/feedback");
        router = router
            .route(&feedback, get(messages::feedback))
            .route(&format!("{feedback}/{{lock}}"), delete(messages::complete))
            .route(&format!("{feedback}/{{lock}}/abandon"), post(messages::abandon));
    }
    router
        .fallback(|| async { RestError::not_found() })
        .method_not_allowed_fallback(|| async { RestError::method_not_allowed() })
        .with_state(shared)
}
