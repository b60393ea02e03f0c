//! Every code, its number for good.

use core::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $severity:ident;)*) => {
        /// What a diagnostic is about; its text (`R001`, `W101`) never changes meaning and is never used again.
        ///
        /// # Examples
        /// ```
        /// use edge_routing::{Code, Severity};
        /// assert_eq!(Code::Syntax.as_str(), "R001");
        /// assert_eq!(Code::IgnoredText.severity(), Severity::Warning);
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// All codes, errors first.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable text of the code.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// How bad it is where nobody asked for strictness.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }
        }
    };
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing between being refused and being told")]
pub enum Severity {
    /// The text is accepted, but does not do what it seems to say.
    Warning,
    /// The text is refused.
    Error,
}

codes! {
    /// A token that fits nowhere.
    Syntax = "R001", Error;
    /// A character that begins no token.
    InvalidSymbol = "R002", Error;
    /// A string without its closing quote.
    UnterminatedString = "R003", Error;
    /// A `(` without its `)`.
    MissingParen = "R004", Error;
    /// A `)` without its `(`.
    UnmatchedParen = "R005", Error;
    /// A route without text.
    EmptySource = "R006", Error;
    /// A function that does not exist.
    UnknownFunction = "R007", Error;
    /// Arguments of the wrong number or types.
    InvalidArguments = "R008", Error;
    /// Operands of types that do not go together.
    InvalidOperands = "R009", Error;
    /// A `$body` path that cannot be read.
    InvalidBodyPath = "R010", Error;
    /// An operator that does not work on these operands at all.
    UnsupportedOperation = "R011", Error;
    /// A system endpoint other than `$upstream`.
    UnknownSystemEndpoint = "R012", Error;
    /// A function endpoint other than `BrokeredEndpoint`.
    UnknownFunctionEndpoint = "R013", Error;
    /// The argument of `BrokeredEndpoint` does not name a module and an input.
    InvalidEndpoint = "R014", Error;
    /// A priority outside 0 to 9.
    InvalidPriority = "R015", Error;
    /// A schema version that is not known.
    InvalidSchemaVersion = "R016", Error;
    /// A part of the desired properties that has the wrong shape.
    InvalidConfiguration = "R017", Error;
    /// A part of the desired properties that is missing.
    MissingConfiguration = "R018", Error;
    /// A route whose name is blank.
    InvalidRouteName = "R019", Error;
    /// Text that is not JSON.
    InvalidJson = "R020", Error;
    /// A text beyond the limit on length.
    TextTooLong = "R021", Error;
    /// A text beyond the limit on nesting.
    TooDeep = "R022", Error;
    /// A text beyond the limit on terms.
    TooManyTerms = "R023", Error;
    /// A set beyond the limit on routes.
    TooManyRoutes = "R024", Error;
    /// Two routes of one name.
    DuplicateName = "R025", Error;
    /// An upstream that there is not, where those that there are are known.
    UnknownUpstream = "R026", Error;

    /// Text behind a complete condition or sink, which nothing reads.
    IgnoredText = "W101", Warning;
    /// An operator that is part of a name, because no blank parts them.
    GluedOperator = "W102", Warning;
    /// A comment that begins inside a source path.
    CommentInPath = "W103", Warning;
    /// A body value compared by order: a missing one counts as greater than any.
    BodyOrder = "W104", Warning;
    /// `is_null` on a body value, which tells presence and not null.
    IsNullOnBody = "W105", Warning;
    /// `$twin`, which does not exist on the edge.
    TwinInCondition = "W106", Warning;
    /// A source that nothing on the edge produces.
    UnknownSource = "W107", Warning;
    /// `/messages/events`, which does not match device telemetry.
    MessagesEvents = "W108", Warning;
    /// `TRUE`, `NULL` and the like, which are property names.
    UpperCaseKeyword = "W109", Warning;
    /// `m1*`, which is `m1` and not every name that begins so.
    PartialWildcard = "W110", Warning;
    /// A `*` in the middle of a source, which matches nothing.
    InnerWildcard = "W111", Warning;
    /// A `BrokeredEndpoint` whose words are not `modules` and `inputs`.
    EndpointWords = "W112", Warning;
    /// A condition that is a string or a number, and so never true.
    NotBoolean = "W113", Warning;
    /// `$body` without a path.
    BareBody = "W114", Warning;
    /// A system property that does not exist.
    UnknownSystemProperty = "W115", Warning;
    /// A body value compared with text that looks like a number or a point in time.
    BodyType = "W116", Warning;
    /// `is_defined` on a body value, which is true for a missing one.
    IsDefinedOnBody = "W117", Warning;
    /// A body value compared by `!=`: true for a missing one.
    BodyUnequal = "W118", Warning;
    /// A comparison with `undefined`, which is never true.
    ComparedUndefined = "W119", Warning;
    /// `twin_change_includes` behind a source without twin changes.
    TwinFunctionSource = "W120", Warning;
    /// A `$body` path that never finds anything.
    StrangeBodyPath = "W121", Warning;
    /// A condition without content, which is never true.
    EmptyCondition = "W122", Warning;
    /// A route without text, which is left out.
    BlankRoute = "W123", Warning;
    /// A module that is not known.
    UnknownModule = "W124", Warning;
    /// A name with brackets, which is not a property.
    Brackets = "W125", Warning;
    /// A key of the configuration that nothing reads.
    UnknownKey = "W126", Warning;
    /// A query of the body behind `/twinChangeNotifications`: the messages from there do not say what their body is,
    /// so the query is always undefined.
    TwinChangeBody = "W127", Warning;
    /// More diagnostics than [`MAX_DIAGNOSTICS`](crate::MAX_DIAGNOSTICS); the others are left out.
    MoreDiagnostics = "W128", Warning;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_tell_their_severity() {
        for (index, code) in Code::ALL.iter().enumerate() {
            assert!(Code::ALL.iter().skip(index + 1).all(|other| other.as_str() != code.as_str()), "{code}");
            assert_eq!(code.as_str().starts_with('R'), code.severity() == Severity::Error, "{code}");
        }
    }
}
