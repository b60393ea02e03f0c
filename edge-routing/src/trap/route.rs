//! Traps in a route outside its condition.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::ignored_text;
use crate::ast::{Ast, NodeKind};
use crate::check::body_path;
use crate::diagnostic::{Code, Diagnostic, closest};
use crate::parser::{RouteSyntax, SinkSyntax};
use crate::route::CompileOptions;
use crate::sink;
use crate::source::SourcePattern;
use crate::span::Span;

/// Sources that only the cloud has.
const CLOUD_SOURCES: [&str; 5] = [
    "deviceLifecycleEvents",
    "deviceConnectionStateEvents",
    "digitalTwinChangeEvents",
    "deviceJobLifecycleEvents",
    "mqttBrokerMessages",
];

/// Finds traps in the source and the sink, and behind the route.
pub(crate) fn in_route(
    route: &RouteSyntax,
    text: &str,
    options: &CompileOptions,
    found: &mut Vec<Diagnostic>,
) {
    source(route, options, found);
    endpoint(route, options, found);
    if let Some(span) = route.ignored {
        found.push(ignored_text(text, span, "a route has one endpoint: write a route for each"));
    }
}

fn source(route: &RouteSyntax, options: &CompileOptions, found: &mut Vec<Diagnostic>) {
    let span = route.source_span;
    let path = &route.source;
    let inside = |comment: &&Span| comment.start() > span.start() && comment.start() <= span.end();
    if let Some(comment) = route.comments.iter().find(inside) {
        let message = format!("a /* in the source begins a comment: the source is '{path}'");
        found.push(
            Diagnostic::new(Code::CommentInPath, *comment, message)
                .with_help("leave the comment out, or move it before FROM"),
        );
    }
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    if let Some((last, inner)) = segments.split_last() {
        if inner.iter().any(|segment| segment.contains('*')) {
            let message = "a * in the middle of a source is no wildcard, so this matches nothing";
            let report = Diagnostic::new(Code::InnerWildcard, span, message);
            found.push(report.with_help("a source is a beginning: cut it off before the *"));
            return;
        }
        let bare = last.trim_end_matches('*');
        if !bare.is_empty() && bare.len() < last.len() {
            let message = format!("'{last}' means '{bare}' alone, not every name that begins so");
            let report = Diagnostic::new(Code::PartialWildcard, span, message);
            found.push(report.with_help("name each module or output in a route of its own"));
        }
    }
    let pattern = SourcePattern::new(path);
    let parts: Vec<&str> = pattern.segments().collect();
    found.extend(unknown_source(&parts, span));
    if let Some(module) =
        parts.get(2).filter(|_| is(parts.first(), "messages") && is(parts.get(1), "modules"))
    {
        found.extend(unknown_module(module, options, span));
    }
}

fn is(part: Option<&&str>, word: &str) -> bool {
    part.is_some_and(|part| part.eq_ignore_ascii_case(word))
}

fn unknown_source(parts: &[&str], span: Span) -> Option<Diagnostic> {
    let first = parts.first()?;
    let report = |message: String| Diagnostic::new(Code::UnknownSource, span, message);
    if let Some(cloud) = CLOUD_SOURCES.iter().find(|source| source.eq_ignore_ascii_case(first)) {
        return Some(report(format!("only the cloud has /{cloud}, no message here comes from it")));
    }
    if is(Some(first), "twinChangeNotifications") && parts.len() == 1 {
        return None;
    }
    let nothing = report(format!("no message comes from /{}", parts.join("/")));
    let sources = "messages come from /messages, /messages/modules/<module>, /messages/modules/<module>/outputs/<output> \
                   and /twinChangeNotifications";
    if !is(Some(first), "messages") {
        return Some(match closest(first, ["messages", "twinChangeNotifications"]) {
            Some(known) if !known.eq_ignore_ascii_case(first) => {
                nothing.with_help(format!("did you mean /{known}?"))
            }
            _ => nothing.with_help(sources),
        });
    }
    let known = match parts {
        [_] => true,
        [_, modules] | [_, modules, _] => modules.eq_ignore_ascii_case("modules"),
        [_, modules, _, outputs] | [_, modules, _, outputs, _] => {
            modules.eq_ignore_ascii_case("modules") && outputs.eq_ignore_ascii_case("outputs")
        }
        _ => false,
    };
    if known {
        return None;
    }
    if is(parts.get(1), "events") {
        let message = "/messages/events does not match device telemetry, which comes from /messages";
        return Some(Diagnostic::new(Code::MessagesEvents, span, message).with_help("write /messages/*"));
    }
    let word =
        if is(parts.get(1), "modules") { (parts.get(3), "outputs") } else { (parts.get(1), "modules") };
    Some(match word.0.and_then(|part| closest(part, [word.1])) {
        Some(meant) => nothing.with_help(format!("did you mean /{meant}/?")),
        None => nothing.with_help(sources),
    })
}

fn endpoint(route: &RouteSyntax, options: &CompileOptions, found: &mut Vec<Diagnostic>) {
    let SinkSyntax::Function { argument, argument_span, .. } = &route.sink else { return };
    let Some([modules, module, inputs, _]) = sink::parts(argument) else { return };
    for (word, meant) in [(modules, "modules"), (inputs, "inputs")] {
        if !word.eq_ignore_ascii_case(meant) {
            let message = format!("'{word}' stands where '{meant}' is meant; it is not looked at");
            let help = "write BrokeredEndpoint(\"/modules/<module>/inputs/<input>\")";
            found.push(Diagnostic::new(Code::EndpointWords, *argument_span, message).with_help(help));
        }
    }
    found.extend(unknown_module(module, options, *argument_span));
}

fn unknown_module(module: &str, options: &CompileOptions, span: Span) -> Option<Diagnostic> {
    let known = options.known_modules.as_ref()?;
    if known.iter().any(|name| name.eq_ignore_ascii_case(module)) {
        return None;
    }
    let report = Diagnostic::new(Code::UnknownModule, span, format!("there is no module '{module}'"));
    Some(match closest(module, known.iter().map(String::as_str)) {
        Some(meant) => report.with_help(format!("did you mean '{meant}'?")),
        None => report,
    })
}

/// Conditions that do not go with their source.
pub(crate) fn condition_and_source(ast: &Ast, route: &RouteSyntax, found: &mut Vec<Diagnostic>) {
    let pattern = SourcePattern::new(&route.source);
    if pattern.prefix().eq_ignore_ascii_case("/twinChangeNotifications/") {
        body_of_twin_change(ast, found);
    }
    if pattern.prefix() == "/" || pattern.matches("/twinChangeNotifications") {
        return;
    }
    for node in &ast.nodes {
        if let NodeKind::Call { name, .. } = &node.kind
            && name.eq_ignore_ascii_case("twin_change_includes")
        {
            let message = format!("no message from {} is a twin change", pattern.path());
            let report = Diagnostic::new(Code::TwinFunctionSource, node.span, message);
            found.push(report.with_help("write FROM /twinChangeNotifications"));
        }
    }
}

/// Queries of the body of a twin change, which does not say what its body is.
///
/// # Source
/// Route language §2.1: the system properties of such a message, among which neither `contentType` nor
/// `contentEncoding` is; §6: without them every query of the body is undefined.
fn body_of_twin_change(ast: &Ast, found: &mut Vec<Diagnostic>) {
    for node in &ast.nodes {
        let queries = match &node.kind {
            NodeKind::Call { name, .. } => name.eq_ignore_ascii_case("twin_change_includes"),
            NodeKind::SysName(name) | NodeKind::Escaped(name) => body_path(name).is_some(),
            _ => false,
        };
        if queries {
            let message = "a twin change does not say that its body is JSON, so this is always undefined";
            let help = "take every twin change, and look into the body where it arrives";
            found.push(Diagnostic::new(Code::TwinChangeBody, node.span, message).with_help(help));
            return;
        }
    }
}
