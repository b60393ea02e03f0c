//! Cases: a condition or a route, and perhaps a message, as a line of JSON.

use alloc::string::String;
use alloc::vec::Vec;

use crate::condition::Condition;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::fields::{Fields as _, Sample};
use crate::json::Cursor;
use crate::matches::Matches;
use crate::route::{CompileOptions, Route, RouteSpec};
use crate::router::Router;
use crate::sample::{SampleError, read, scalar};
use crate::value::Truth;

/// A condition or a route to try out, with the message to try it on.
///
/// # Examples
/// ```
/// use edge_routing::{Case, Verdict};
/// let case = Case::parse(r#"{"condition": "a = 'x'", "message": {"properties": {"a": "x"}}}"#)?;
/// assert_eq!(case.run().verdict, Verdict::True);
/// # Ok::<(), edge_routing::SampleError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Case {
    /// The text.
    pub text: CaseText,
    /// The message; without one the text is only compiled.
    pub message: Option<Sample>,
    /// Whether the message says where it comes from; otherwise every source matches.
    has_source: bool,
}

/// What a case tries out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the language has these two texts")]
pub enum CaseText {
    /// A condition alone.
    Condition(String),
    /// A whole route.
    Route(String),
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CaseOutcome {
    /// The result.
    pub verdict: Verdict,
    /// Why the text was refused.
    pub errors: Vec<Diagnostic>,
    /// What the text does that it does not seem to say.
    pub warnings: Vec<Diagnostic>,
    /// The route, where the case is one and it compiled.
    pub route: Option<Route>,
}

/// The result of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The message is routed.
    True,
    /// The message is not routed.
    False,
    /// The message is not routed, because something is missing or of another type.
    Undefined,
    /// The text is refused.
    ParseError,
    /// The text compiles, and there is no message.
    Compiled,
}

impl Case {
    /// Reads `{"condition": "…", "message": {…}}` or `{"route": "…", "message": {…}}`; see [`Sample::parse`] for the
    /// message. Other members are left out.
    ///
    /// # Errors
    /// A text that is not JSON, a member of the wrong type, or neither a condition nor a route.
    pub fn parse(json: &str) -> Result<Self, SampleError> {
        let (mut text, mut message, mut has_source) = (None, None, false);
        let mut cursor = Cursor::new(json);
        cursor.members(1, |cursor, name| {
            match name.raw {
                "condition" => text = scalar(cursor)?.map(CaseText::Condition),
                "route" => text = scalar(cursor)?.map(CaseText::Route),
                "message" => {
                    let raw = cursor.raw_of_any_depth()?;
                    if raw != "null" {
                        let Ok((sample, sourced)) = read(raw) else { return cursor.malformed() };
                        (message, has_source) = (Some(sample), sourced);
                    }
                }
                _ => cursor.skip_any_depth()?,
            }
            Ok(())
        })?;
        cursor.end()?;
        text.map(|text| Self { text, message, has_source }).ok_or(SampleError { at: 0 })
    }

    /// Compiles the text, and tries it on the message.
    #[must_use]
    pub fn run(&self) -> CaseOutcome {
        match &self.text {
            CaseText::Condition(text) => match Condition::compile(text) {
                Ok(condition) => {
                    let truth = self.message.as_ref().map(|message| condition.evaluate(message));
                    outcome(truth, condition.warnings().clone(), None)
                }
                Err(errors) => refused(errors),
            },
            CaseText::Route(text) => {
                match Router::compile(&[RouteSpec::new("route", text.as_str())], &CompileOptions::new()) {
                    Ok(compiled) => {
                        let truth =
                            self.message.as_ref().map(|message| self.route(&compiled.router, message));
                        outcome(truth, compiled.warnings, compiled.router.routes().first().cloned())
                    }
                    Err(errors) => refused(errors),
                }
            }
        }
    }

    fn route(&self, router: &Router, message: &Sample) -> Truth {
        let Some(route) = router.routes().first() else { return Truth::False };
        if self.has_source && !route.source().matches(message.source()) {
            return Truth::False;
        }
        let mut matches = Matches::new();
        router.condition(route, message, &mut matches)
    }
}

fn outcome(truth: Option<Truth>, warnings: Diagnostics, route: Option<Route>) -> CaseOutcome {
    let verdict = match truth {
        Some(Truth::True) => Verdict::True,
        Some(Truth::False) => Verdict::False,
        Some(Truth::Undefined) => Verdict::Undefined,
        None => Verdict::Compiled,
    };
    CaseOutcome { verdict, errors: Vec::new(), warnings: warnings.into_iter().collect(), route }
}

fn refused(diagnostics: Diagnostics) -> CaseOutcome {
    let (errors, warnings) = diagnostics.into_iter().partition(|found| found.severity() == Severity::Error);
    CaseOutcome { verdict: Verdict::ParseError, errors, warnings, route: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: Verdict) {
        assert_eq!(Case::parse(json).expect("a case").run().verdict, expected, "{json}");
    }

    #[test]
    fn verdicts() {
        check(r#"{"condition": "true"}"#, Verdict::Compiled);
        check(r#"{"condition": "true", "message": {}}"#, Verdict::True);
        check(r#"{"condition": "false", "message": {}}"#, Verdict::False);
        check(r#"{"condition": "a = 'x'", "message": {}}"#, Verdict::Undefined);
        check(r#"{"condition": "a ="}"#, Verdict::ParseError);
        check(
            r#"{"condition": "$body.a = 1e999", "message": {"body": {"a": 1e999}, "contentType": "application/json", "contentEncoding": "utf-8"}}"#,
            Verdict::True,
        );
        check(r#"{"route": "FROM /messages/modules/m INTO $upstream", "message": {}}"#, Verdict::True);
        check(
            r#"{"route": "FROM /messages/modules/m INTO $upstream", "message": {"source": "/messages"}}"#,
            Verdict::False,
        );
        check(
            r#"{"route": "FROM /messages/modules/m INTO $upstream", "message": {"source": null}}"#,
            Verdict::True,
        );
        check(
            r#"{"route": "FROM /messages/modules/m WHERE false INTO $upstream", "message": {}}"#,
            Verdict::False,
        );
        check(r#"{"route": "FROM x"}"#, Verdict::ParseError);
    }

    #[test]
    fn a_body_that_is_too_deep_is_undefined() {
        for (levels, expected) in [(63, Verdict::True), (64, Verdict::Undefined), (128, Verdict::Undefined)] {
            let deep = alloc::format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
            let line = alloc::format!(
                "{{\"condition\": \"$body.a = 1\", \"message\": {{\"contentType\": \"application/json\", \
                 \"contentEncoding\": \"utf-8\", \"body\": {{\"a\": 1, \"b\": {deep}}}}}}}"
            );
            check(&line, expected);
        }
    }

    #[test]
    fn lines_that_are_no_case() {
        for json in [
            "",
            "{}",
            "[]",
            r#"{"condition": []}"#,
            r#"{"condition": "true", "message": []}"#,
            "{\"condition\"",
        ] {
            assert!(Case::parse(json).is_err(), "{json}");
        }
    }
}
