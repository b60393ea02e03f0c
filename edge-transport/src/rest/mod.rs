//! The service API of IoT Hub over HTTP/1.1: identities, twins, methods, messages to devices.
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
mod identities;
mod json;
mod messages;
mod methods;
mod stall;
mod statistics;
mod twins;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post};
use edge_core::service::Service;

pub(crate) use driver::{Prefixed, serve};

use error::RestError;

/// What all handlers share.
pub(crate) type Shared = Arc<dyn Service>;

/// Returns the handlers of every path.
pub(crate) fn router(service: Shared) -> Router {
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
            router = router.route(&format!("{of}/messages/{bound}"), post(messages::send));
        }
    }
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
        .with_state(service)
}
