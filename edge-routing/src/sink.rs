//! Where messages go.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::diagnostic::{Code, Diagnostic, closest};
use crate::parser::SinkSyntax;
use crate::route::CompileOptions;
use crate::span::Span;

/// The endpoint of a route. Routes to equal endpoints share one queue and deliver one copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the language knows no fourth endpoint; a gateway must handle all"
)]
pub enum Sink {
    /// `$upstream`: the cloud, the parent gateway or the broker.
    Upstream,
    /// `BrokeredEndpoint("/modules/<module>/inputs/<input>")`: an input of a module.
    Module {
        /// The module.
        module: Box<str>,
        /// Its input.
        input: Box<str>,
    },
    /// `BrokeredEndpoint("/upstreams/<name>")`: an upstream other than `$upstream`, by its name.
    ///
    /// # Source
    /// Our choice, because the original refuses an argument of two parts, so that no text of its own means this.
    Named {
        /// The name of the upstream.
        upstream: Box<str>,
    },
}

impl fmt::Display for Sink {
    /// Writes `$upstream`, `module/input` or `/upstreams/name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream => f.write_str("$upstream"),
            Self::Module { module, input } => write!(f, "{module}/{input}"),
            Self::Named { upstream } => write!(f, "/upstreams/{upstream}"),
        }
    }
}

/// Reads a sink.
///
/// # Source
/// Route language §2.2.
pub(crate) fn resolve(syntax: &SinkSyntax, span: Span, options: &CompileOptions) -> Result<Sink, Diagnostic> {
    match syntax {
        SinkSyntax::System(name) if name.eq_ignore_ascii_case("$upstream") => Ok(Sink::Upstream),
        SinkSyntax::System(name) => {
            let name = name.get(1..).unwrap_or("");
            let message = format!("System endpoint type '{name}' not supported.");
            Err(Diagnostic::new(Code::UnknownSystemEndpoint, span, message)
                .with_help("the only system endpoint is $upstream"))
        }
        SinkSyntax::Function { name, argument, name_span, argument_span } => {
            if !name.eq_ignore_ascii_case("BrokeredEndpoint") {
                let message = format!("Function endpoint type '{name}' not supported.");
                return Err(Diagnostic::new(Code::UnknownFunctionEndpoint, *name_span, message).with_help(
                    "the only function endpoint is BrokeredEndpoint(\"/modules/<module>/inputs/<input>\")",
                ));
            }
            if let Some(upstream) = upstream(argument) {
                return named(upstream, *argument_span, options);
            }
            module_input(argument).ok_or_else(|| {
                let message = format!(
                    "Parameter string {argument} could not be parsed. Expect input in this format - \
                     /modules/{{mid}}/inputs/{{input}}"
                );
                Diagnostic::new(Code::InvalidEndpoint, *argument_span, message)
                    .with_help("write BrokeredEndpoint(\"/modules/<module>/inputs/<input>\")")
            })
        }
    }
}

/// The name in `/upstreams/<name>`.
fn upstream(argument: &str) -> Option<&str> {
    let text = argument.trim();
    let text = text.strip_prefix('/').unwrap_or(text);
    let (word, name) = text.strip_suffix('/').unwrap_or(text).split_once('/')?;
    let is_one = word.eq_ignore_ascii_case("upstreams") && !name.contains('/') && !name.trim().is_empty();
    is_one.then_some(name)
}

/// The upstream of that name, where the names are known, and in the case of its letters there.
fn named(name: &str, span: Span, options: &CompileOptions) -> Result<Sink, Diagnostic> {
    let Some(known) = &options.known_upstreams else { return Ok(Sink::Named { upstream: name.into() }) };
    if let Some(upstream) = known.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        return Ok(Sink::Named { upstream: upstream.as_str().into() });
    }
    let report = Diagnostic::new(Code::UnknownUpstream, span, format!("there is no upstream '{name}'"));
    Err(match closest(name, known.iter().map(String::as_str)) {
        Some(meant) => report.with_help(format!("did you mean BrokeredEndpoint(\"/upstreams/{meant}\")?")),
        None if known.is_empty() => report.with_help("no upstream has a name, there is $upstream alone"),
        None => report.with_help(format!("the upstreams are $upstream, {}", known.join(", "))),
    })
}

/// The four parts of the argument of `BrokeredEndpoint`.
pub(crate) fn parts(argument: &str) -> Option<[&str; 4]> {
    let text = argument.trim();
    let text = text.strip_prefix('/').unwrap_or(text);
    let text = text.strip_suffix('/').unwrap_or(text);
    let mut parts = text.split('/');
    let four = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(four)
}

fn module_input(argument: &str) -> Option<Sink> {
    let [_, module, _, input] = parts(argument)?;
    let named = !module.trim().is_empty() && !input.trim().is_empty();
    named.then(|| Sink::Module { module: module.into(), input: input.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_parts_make_an_input() {
        let input = |argument| module_input(argument).map(|sink| format!("{sink}"));
        assert_eq!(input("/modules/m/inputs/i").as_deref(), Some("m/i"));
        assert_eq!(input(" modules/m/inputs/i/ ").as_deref(), Some("m/i"));
        assert_eq!(input("/a/b/c/d").as_deref(), Some("b/d"));
        assert_eq!(input("/modules/m/inputs"), None);
        assert_eq!(input("/modules/m/inputs/i/x"), None);
        assert_eq!(input("/modules//inputs/i"), None);
    }

    #[test]
    fn two_parts_make_an_upstream() {
        for (argument, expected) in [
            ("/upstreams/archive", Some("archive")),
            (" UPSTREAMS/archive/ ", Some("archive")),
            ("/upstreams/", None),
            ("/upstreams/a/b", None),
            ("/modules/archive", None),
            ("/upstreams/m/inputs/i", None),
        ] {
            assert_eq!(upstream(argument), expected, "{argument}");
        }
    }

    #[test]
    fn unknown_upstreams_are_refused_with_those_there_are() {
        let span = Span::new(0, 1);
        let check = |name, known: &[&str]| {
            let options = CompileOptions::new().with_known_upstreams(known.iter().copied());
            match named(name, span, &options) {
                Ok(sink) => format!("{sink}"),
                Err(found) => format!("{} {}", found.code(), found.help().unwrap_or_default()),
            }
        };
        assert_eq!(check("Archive", &["archive", "site"]), "/upstreams/archive");
        assert_eq!(
            check("archiv", &["archive", "site"]),
            "R026 did you mean BrokeredEndpoint(\"/upstreams/archive\")?"
        );
        assert_eq!(check("x", &["archive", "site"]), "R026 the upstreams are $upstream, archive, site");
        assert_eq!(check("x", &[]), "R026 no upstream has a name, there is $upstream alone");
        assert_eq!(
            named("x", span, &CompileOptions::new()).map(|sink| format!("{sink}")).ok().as_deref(),
            Some("/upstreams/x")
        );
    }
}
