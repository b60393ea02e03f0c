//! Reads the document.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use hashbrown::HashMap;

use super::EdgeHubConfig;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, closest};
use crate::json::{self, Json};
use crate::route::RouteSpec;
use crate::span::Span;

/// Levels of a document; deployments need about ten.
const MAX_LEVELS: usize = 64;

pub(super) fn parse(text: &str) -> Result<EdgeHubConfig, Diagnostics> {
    let document = json::parse(text, MAX_LEVELS).map_err(|malformed| {
        let error =
            Diagnostic::new(Code::InvalidJson, Span::new(malformed.at, malformed.at + 1), "this is not JSON");
        [error.in_text(text)].into_iter().collect::<Diagnostics>()
    })?;
    let mut reader = Reader::default();
    let config = reader.config(&document);
    let warnings: Diagnostics = reader.found.into_iter().collect();
    if warnings.has_errors() { Err(warnings) } else { Ok(EdgeHubConfig { warnings, ..config }) }
}

#[derive(Default)]
struct Reader {
    found: Vec<Diagnostic>,
}

/// A member that is there and not null; names are compared case aside when none is equal, as the original does.
fn member<'j>(json: &'j Json, name: &str) -> Option<&'j Json> {
    let exact = json.member(name);
    let found = exact.or_else(|| match json {
        Json::Object(members) => {
            members.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        }
        _ => None,
    });
    found.filter(|value| **value != Json::Null)
}

impl Reader {
    fn error(&mut self, code: Code, message: impl Into<String>) {
        self.found.push(Diagnostic::general(code, message));
    }

    fn route_error(&mut self, code: Code, route: &str, message: impl Into<String>) {
        self.found.push(Diagnostic::general(code, message).with_route(route));
    }

    fn config(&mut self, document: &Json) -> EdgeHubConfig {
        let (desired, modules) = locate(document);
        let (schema_version, minor) = self.schema(desired);
        let routes = match member(desired, "routes") {
            Some(Json::Object(routes)) => self.routes(routes, minor),
            Some(_) => {
                self.error(Code::InvalidConfiguration, "'routes' must be an object from names to routes");
                Vec::new()
            }
            None => {
                self.missing(minor, "routes");
                Vec::new()
            }
        };
        let mut config = EdgeHubConfig {
            schema_version,
            routes,
            time_to_live_secs: None,
            store_max_bytes: None,
            modules,
            warnings: Diagnostics::default(),
        };
        match member(desired, "storeAndForwardConfiguration") {
            Some(store @ Json::Object(_)) => self.store(store, &mut config),
            Some(_) => {
                self.error(Code::InvalidConfiguration, "'storeAndForwardConfiguration' must be an object")
            }
            None => self.missing(minor, "storeAndForwardConfiguration"),
        }
        config
    }

    fn missing(&mut self, minor: u32, name: &str) {
        if minor > 0 {
            self.error(Code::MissingConfiguration, format!("'{name}' is missing"));
        }
    }

    fn schema(&mut self, desired: &Json) -> (String, u32) {
        let Some(Json::Str(version)) = member(desired, "schemaVersion") else {
            self.error(
                Code::InvalidSchemaVersion,
                "Invalid schema version: 'schemaVersion' must be a text such as \"1.1\"",
            );
            return (String::new(), 0);
        };
        match minor_version(version) {
            Some(minor) => (version.clone(), minor),
            None => {
                let message = format!("Invalid schema version {version}: known are 1.0 to 1.3");
                self.error(Code::InvalidSchemaVersion, message);
                (version.clone(), 0)
            }
        }
    }

    fn routes(&mut self, routes: &[(String, Json)], minor: u32) -> Vec<RouteSpec> {
        let mut specs: Vec<RouteSpec> = Vec::with_capacity(routes.len());
        let last: HashMap<&str, usize> =
            routes.iter().enumerate().map(|(at, (name, _))| (name.as_str(), at)).collect();
        for (at, (name, value)) in routes.iter().enumerate() {
            // A null deletes a key from a twin, and of keys of one name the last counts.
            if last.get(name.as_str()) != Some(&at) || *value == Json::Null {
                continue;
            }
            if name.trim().is_empty() {
                self.error(Code::InvalidRouteName, "the name of a route cannot be blank");
            }
            specs.extend(self.route(name, value, minor));
        }
        specs
    }

    fn route(&mut self, name: &str, value: &Json, minor: u32) -> Option<RouteSpec> {
        match value {
            Json::Str(text) if !text.trim().is_empty() => Some(RouteSpec::new(name, text)),
            Json::Str(_) if minor == 0 => {
                self.route_error(Code::BlankRoute, name, "a route without text is left out");
                None
            }
            Json::Str(_) => {
                self.route_error(Code::EmptySource, name, "Source cannot be null or empty");
                None
            }
            Json::Object(members) if minor > 0 => self.route_object(name, value, members),
            Json::Object(_) => {
                let message = "a route as an object needs schema version 1.1 or later";
                self.route_error(Code::InvalidConfiguration, name, message);
                None
            }
            _ => {
                self.route_error(Code::InvalidConfiguration, name, "a route must be a text or an object");
                None
            }
        }
    }

    fn route_object(&mut self, name: &str, value: &Json, members: &[(String, Json)]) -> Option<RouteSpec> {
        const KNOWN: [&str; 3] = ["route", "priority", "timeToLiveSecs"];
        for (key, _) in members {
            if !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(key)) {
                let mut report = Diagnostic::general(Code::UnknownKey, format!("'{key}' is not looked at"))
                    .with_route(name);
                if let Some(known) = closest(key, KNOWN) {
                    report = report.with_help(format!("did you mean '{known}'?"));
                }
                self.found.push(report);
            }
        }
        let text = match member(value, "route") {
            Some(Json::Str(text)) if !text.trim().is_empty() => Some(text.clone()),
            Some(Json::Str(_)) | None => {
                self.route_error(Code::EmptySource, name, "Source cannot be null or empty");
                None
            }
            Some(_) => {
                self.route_error(Code::InvalidConfiguration, name, "'route' must be a text");
                None
            }
        };
        let priority = self.whole(name, value, "priority").and_then(|number| {
            let priority = u8::try_from(number).ok().filter(|&priority| priority <= 9);
            if priority.is_none() {
                let message = format!("Invalid priority for route: {name}, priority can only be between 0-9");
                self.route_error(Code::InvalidPriority, name, message);
            }
            priority
        });
        let time_to_live_secs =
            self.whole(name, value, "timeToLiveSecs").and_then(|number| u32::try_from(number).ok());
        Some(RouteSpec { name: name.to_owned(), text: text?, priority, time_to_live_secs })
    }

    /// A whole number of 32 bits without sign.
    fn whole(&mut self, route: &str, value: &Json, key: &str) -> Option<u64> {
        match member(value, key)? {
            Json::Number(number)
                if *number >= 0.0 && *number <= f64::from(u32::MAX) && *number % 1.0 == 0.0 =>
            {
                Some(*number as u64)
            }
            _ if key == "priority" => {
                let message =
                    format!("Invalid priority for route: {route}, priority can only be between 0-9");
                self.route_error(Code::InvalidPriority, route, message);
                None
            }
            _ => {
                let message = format!("'{key}' must be a whole number from 0 to {}", u32::MAX);
                self.route_error(Code::InvalidConfiguration, route, message);
                None
            }
        }
    }

    fn store(&mut self, store: &Json, config: &mut EdgeHubConfig) {
        match member(store, "timeToLiveSecs") {
            None => {}
            Some(Json::Number(number)) if *number % 1.0 == 0.0 && number.abs() <= f64::from(i32::MAX) => {
                config.time_to_live_secs = Some(*number as i64);
            }
            Some(_) => {
                self.error(Code::InvalidConfiguration, "'timeToLiveSecs' must be a whole number of seconds");
            }
        }
        let limits = match member(store, "storeLimits") {
            None => return,
            Some(limits @ Json::Object(_)) => limits,
            Some(_) => {
                self.error(Code::InvalidConfiguration, "'storeLimits' must be an object");
                return;
            }
        };
        match member(limits, "maxSizeBytes") {
            None => {}
            // Read as a double, the largest number of 64 bits is one more than it is.
            Some(Json::Number(number))
                if *number >= 0.0 && *number % 1.0 == 0.0 && *number <= i64::MAX as f64 =>
            {
                config.store_max_bytes = Some((*number as u64).min(i64::MAX.unsigned_abs()));
            }
            Some(_) => {
                self.error(Code::InvalidConfiguration, "'maxSizeBytes' must be a whole number of bytes");
            }
        }
    }
}

/// The minor version of `1.<minor>`; further parts are let through as the original lets them.
fn minor_version(text: &str) -> Option<u32> {
    let parts: Vec<u32> = text.split('.').map(|part| part.trim().parse().ok()).collect::<Option<_>>()?;
    match parts.as_slice() {
        [1, minor @ 0..=3, rest @ ..] if rest.len() <= 2 => Some(*minor),
        _ => None,
    }
}

/// The desired properties of `$edgeHub` in a document, and the modules that the document names.
fn locate(document: &Json) -> (&Json, Option<Vec<String>>) {
    let content = document.member("content").unwrap_or(document);
    let Some(modules) = content.member("modulesContent").or_else(|| content.member("moduleContent")) else {
        let desired = document.member("properties").and_then(|properties| properties.member("desired"));
        return (desired.or_else(|| document.member("properties.desired")).unwrap_or(document), None);
    };
    let desired =
        |module: &str| modules.member(module).and_then(|module| module.member("properties.desired"));
    let names = match desired("$edgeAgent").and_then(|agent| agent.member("modules")) {
        Some(Json::Object(members)) => Some(members.iter().map(|(name, _)| name.clone()).collect()),
        _ => None,
    };
    (desired("$edgeHub").unwrap_or(modules), names)
}
