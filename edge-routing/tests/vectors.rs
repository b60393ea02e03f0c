//! Cases with the results that the original evaluator gives.

use edge_routing::{
    CompileOptions, Condition, EdgeHubConfig, Fields as _, Matches, RouteSpec, Router, Sample, Sink,
    SourcePattern,
};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/routes-sample.json")).expect("the vectors are JSON")
}

fn list<'v>(vectors: &'v Value, key: &str) -> &'v [Value] {
    vectors[key].as_array().expect("a list").as_slice()
}

fn sample(message: &Value, source: &str) -> Sample {
    let mut sample = Sample::new(source);
    for (name, value) in message["properties"].as_object().into_iter().flatten() {
        sample = sample.with_property(name, value.as_str());
    }
    for (name, value) in message["systemProperties"].as_object().into_iter().flatten() {
        sample = sample.with_system_property(name, value.as_str());
    }
    for name in ["contentType", "contentEncoding"] {
        if let Some(value) = message[name].as_str() {
            sample = sample.with_system_property(name, Some(value));
        }
    }
    let encoding = message["contentEncoding"].as_str().unwrap_or("utf-8").to_ascii_lowercase();
    let body = if let Some(hex) = message["bodyHex"].as_str() {
        let digits: Vec<u8> = hex.chars().map(|c| c.to_digit(16).expect("hex") as u8).collect();
        digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
    } else {
        let text = message["bodyText"].as_str().map_or_else(
            || if message["body"].is_null() { String::new() } else { message["body"].to_string() },
            str::to_owned,
        );
        match encoding.as_str() {
            "utf-16" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "utf-32" => text.chars().flat_map(|c| (c as u32).to_le_bytes()).collect(),
            _ => text.into_bytes(),
        }
    };
    sample.with_body(body)
}

#[test]
fn conditions() {
    for case in list(&vectors(), "conditions") {
        let text = case["condition"].as_str().expect("text");
        let expected = case["expect"]
            .as_bool()
            .map_or_else(|| case["expect"].as_str().expect("a word").to_owned(), |truth| truth.to_string());
        let message = sample(&case["message"], case["routeSource"].as_str().unwrap_or("/messages"));
        let found = Condition::compile(text);
        match &found {
            Ok(condition) => assert_eq!(condition.evaluate(&message).to_string(), expected, "{text}"),
            Err(errors) => assert_eq!(expected, "parse_error", "{text}\n{errors}"),
        }
        let (Some(error), Err(errors)) = (case.get("error"), &found) else { continue };
        let first = errors.iter().next().expect("an error");
        if let Some(count) = error["count"].as_u64() {
            assert_eq!(errors.len() as u64, count, "{text}\n{errors}");
        }
        if let Some(message) = error["first_message"].as_str() {
            assert_eq!(first.message(), message, "{text}");
        }
        if let (Some(start), Some(place)) = (error.get("start"), first.location()) {
            assert_eq!(
                (&start[0], &start[1]),
                (&Value::from(place.line), &Value::from(place.column)),
                "{text}"
            );
            let end = &error["end_exclusive"];
            assert_eq!(
                (&end[0], &end[1]),
                (&Value::from(place.end_line), &Value::from(place.end_column)),
                "{text}"
            );
        }
    }
}

#[test]
fn routes() {
    for case in list(&vectors(), "routes") {
        let text = case["route"].as_str().expect("text");
        match Router::compile(&[RouteSpec::new("r", text)], &CompileOptions::new()) {
            Ok(compiled) => {
                assert_eq!(case["expect"], "ok", "{text}");
                let route = &compiled.router.routes()[0];
                assert_eq!(case["source"], route.source().path(), "{text}");
                assert_eq!(case["source_prefix"], route.source().prefix(), "{text}");
                assert_eq!(case["condition"], route.condition(), "{text}");
            }
            Err(errors) => {
                assert_eq!(case["expect"], "error", "{text}\n{errors}");
                let first = errors.iter().next().expect("an error");
                let shown = format!("{}: {}", first.location().expect("a place"), first.message());
                assert_eq!(case["error_text"][0], shown, "{text}");
            }
        }
    }
}

#[test]
fn sources() {
    for case in list(&vectors(), "message_source_match") {
        let pattern = SourcePattern::new(case["route_source"].as_str().expect("text"));
        let source = case["message_source"].as_str().expect("text");
        assert_eq!(case["expect"], pattern.matches(source), "{case}");
    }
}

#[test]
fn scenarios() {
    for case in list(&vectors(), "routing_scenarios") {
        let texts = case["routes"].as_array().expect("a list").iter();
        let specs: Vec<RouteSpec> = texts
            .enumerate()
            .map(|(index, text)| RouteSpec::new(format!("r{index}"), text.as_str().expect("text")))
            .collect();
        let router = Router::compile(&specs, &CompileOptions::new()).expect("compiles").router;
        let mut matches = Matches::new();
        for message in list(case, "messages") {
            let from = &message["source"];
            let source = match (from["module"].as_str(), from["output"].as_str()) {
                (Some(module), Some(output)) => format!("/messages/modules/{module}/outputs/{output}"),
                (Some(module), None) => format!("/messages/modules/{module}"),
                _ => "/messages".to_owned(),
            };
            let mut fields =
                sample(message, &source).with_system_property("connectionDeviceId", from["device"].as_str());
            if let Some(module) = from["module"].as_str() {
                fields = fields.with_system_property("connectionModuleId", Some(module));
            }
            assert!(fields.source().starts_with("/messages"));
            router.route(&fields, &mut matches);
            let delivered: Vec<String> = matches
                .deliveries()
                .iter()
                .map(|delivery| router.endpoint(delivery.endpoint).map(Sink::to_string).expect("exists"))
                .collect();
            let expected: Vec<&str> = list(message, "delivered").iter().filter_map(Value::as_str).collect();
            assert_eq!(delivered, expected, "{message}");
        }
    }
}

#[test]
fn desired_properties() {
    for case in list(&vectors(), "edgehub_desired_properties") {
        let document = serde_json::json!({
            "schemaVersion": case["schemaVersion"],
            "routes": case["routes"],
            "storeAndForwardConfiguration": {"timeToLiveSecs": 20},
        });
        let found = EdgeHubConfig::parse(&document.to_string());
        assert_eq!(case["expect"], if found.is_ok() { "ok" } else { "error" }, "{case}");
        let Ok(config) = found else { continue };
        for (name, expected) in case["parsed"].as_object().into_iter().flatten() {
            let compiled = Router::compile(&config.routes, &CompileOptions::new()).expect("compiles");
            let mut routes = compiled.router.routes().iter();
            let route = routes.find(|route| route.name() == name).expect("the route is there");
            assert_eq!(expected["priority"], route.priority().number(), "{case}");
            assert_eq!(expected["timeToLiveSecs"], route.time_to_live_secs().unwrap_or(0), "{case}");
        }
    }
}
