//! Where messages go.

use alloc::boxed::Box;
use alloc::format;
use core::fmt;

use crate::diagnostic::{Code, Diagnostic};
use crate::parser::SinkSyntax;
use crate::span::Span;

/// The endpoint of a route. Routes to equal endpoints share one queue and deliver one copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the language knows no third endpoint; a gateway must handle both"
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
}

impl fmt::Display for Sink {
    /// Writes `$upstream`, or `module/input`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream => f.write_str("$upstream"),
            Self::Module { module, input } => write!(f, "{module}/{input}"),
        }
    }
}

/// Reads a sink.
///
/// # Source
/// Route language §2.2.
pub(crate) fn resolve(syntax: &SinkSyntax, span: Span) -> Result<Sink, Diagnostic> {
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
}
