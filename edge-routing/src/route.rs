//! Routes: what they are made from, and what compiling makes of one.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::check::{self, Checked};
use crate::diagnostic::{Code, Diagnostic, limited};
use crate::parser::{self, SinkSyntax};
use crate::program::{Builder, Expr, ExprId};
use crate::sink::{self, Sink};
use crate::source::SourcePattern;
use crate::span::Span;
use crate::trap;

/// A route before it is compiled: its name, its text, and what stands beside the text.
///
/// # Examples
/// ```
/// use edge_routing::RouteSpec;
/// let spec = RouteSpec::new("hot", "FROM /messages/* INTO $upstream").with_priority(0).with_time_to_live_secs(3600);
/// assert_eq!(spec.priority, Some(0));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RouteSpec {
    /// The name, unique in its set.
    pub name: String,
    /// The text: `FROM … [WHERE …] INTO …`.
    pub text: String,
    /// 0 (highest) to 9, or none: below all of them.
    pub priority: Option<u8>,
    /// How long an undelivered message is kept, in seconds; none or 0: as the store is configured.
    pub time_to_live_secs: Option<u32>,
}

impl RouteSpec {
    /// A route of the lowest priority and the store's own time to live.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), priority: None, time_to_live_secs: None }
    }

    /// Sets the priority, 0 to 9; others are refused when the route is compiled.
    #[must_use]
    pub fn with_priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Sets the time to live.
    #[must_use]
    pub fn with_time_to_live_secs(mut self, secs: u32) -> Self {
        self.time_to_live_secs = Some(secs);
        self
    }
}

/// The priority of a route; the greatest is served first.
///
/// # Source
/// Route language §1: 0 is the highest of 0 to 9, and a route without one is below all of them.
///
/// # Examples
/// ```
/// use edge_routing::Priority;
/// assert!(Priority::new(0).unwrap() > Priority::new(9).unwrap());
/// assert!(Priority::new(9).unwrap() > Priority::LOWEST);
/// assert_eq!(Priority::LOWEST.number(), 2_000_000_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Priority(u8);

impl Priority {
    /// That of a route without a priority.
    pub const LOWEST: Self = Self(u8::MAX);

    /// Priority 0 to 9, or `None` for a larger number.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number <= 9 { Some(Self(number)) } else { None }
    }

    /// The number of the route, or `None` where it has none.
    #[must_use]
    pub const fn level(self) -> Option<u8> {
        if self.0 == u8::MAX { None } else { Some(self.0) }
    }

    /// The number as the original counts it: a route without one has 2 000 000 000.
    #[must_use]
    pub const fn number(self) -> u32 {
        if self.0 == u8::MAX { 2_000_000_000 } else { self.0 as u32 }
    }
}

impl Ord for Priority {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        other.0.cmp(&self.0)
    }
}

impl PartialOrd for Priority {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level() {
            Some(level) => level.fmt(f),
            None => f.write_str("lowest"),
        }
    }
}

/// A compiled route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    name: Box<str>,
    text: Box<str>,
    source: SourcePattern,
    sink: Sink,
    priority: Priority,
    time_to_live_secs: Option<u32>,
    condition: Option<Span>,
    sink_span: Span,
    /// The name of the endpoint, and the argument behind it with its quotes.
    sink_parts: (Span, Option<Span>),
    pub(crate) root: ExprId,
}

impl Route {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where its messages come from.
    #[must_use]
    pub const fn source(&self) -> &SourcePattern {
        &self.source
    }

    /// The condition as written, `true` where there is none.
    #[must_use]
    pub fn condition(&self) -> &str {
        self.condition.map_or("true", |span| span.slice(&self.text))
    }

    /// Where the condition stands in the text.
    #[must_use]
    pub const fn condition_span(&self) -> Option<Span> {
        self.condition
    }

    /// Where its messages go.
    #[must_use]
    pub const fn sink(&self) -> &Sink {
        &self.sink
    }

    /// The endpoint as written.
    #[must_use]
    pub fn sink_text(&self) -> &str {
        self.sink_span.slice(&self.text)
    }

    /// The name of the endpoint as written: `$upstream` or `BrokeredEndpoint`, in whatever case.
    #[must_use]
    pub fn sink_name(&self) -> &str {
        self.sink_parts.0.slice(&self.text)
    }

    /// The argument of the endpoint as written, without its quotes; `None` where the endpoint takes none.
    ///
    /// # Examples
    /// ```
    /// use edge_routing::{CompileOptions, RouteSpec, Router};
    /// let text = "FROM /messages INTO BrokeredEndpoint('/modules/m/inputs/i' /* a comment */)";
    /// let router = Router::compile(&[RouteSpec::new("r", text)], &CompileOptions::new())?.router;
    /// assert_eq!(router.routes()[0].sink_name(), "BrokeredEndpoint");
    /// assert_eq!(router.routes()[0].sink_argument(), Some("/modules/m/inputs/i"));
    /// # Ok::<(), edge_routing::Diagnostics>(())
    /// ```
    #[must_use]
    pub fn sink_argument(&self) -> Option<&str> {
        let quoted = self.sink_parts.1?.slice(&self.text);
        quoted.get(1..quoted.len().saturating_sub(1))
    }

    /// Its priority.
    #[must_use]
    pub const fn priority(&self) -> Priority {
        self.priority
    }

    /// How long its undelivered messages are kept, in seconds; `None`: as the store is configured.
    #[must_use]
    pub const fn time_to_live_secs(&self) -> Option<u32> {
        self.time_to_live_secs
    }
}

/// What else is known when routes are compiled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompileOptions {
    /// Whether warnings are errors.
    pub strict: bool,
    /// The modules that exist, if that is known: others in sources and endpoints are warned of.
    pub known_modules: Option<Vec<String>>,
    /// The upstreams that exist beside `$upstream`, if that is known: others are refused.
    pub known_upstreams: Option<Vec<String>>,
}

impl CompileOptions {
    /// Lenient, and without knowledge of modules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes warnings errors.
    #[must_use]
    pub fn with_strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Names the modules that exist.
    #[must_use]
    pub fn with_known_modules(mut self, modules: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.known_modules = Some(modules.into_iter().map(Into::into).collect());
        self
    }

    /// Names the upstreams that exist beside `$upstream`.
    #[must_use]
    pub fn with_known_upstreams(mut self, upstreams: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.known_upstreams = Some(upstreams.into_iter().map(Into::into).collect());
        self
    }
}

/// Compiles one route into `builder`; `found` gets what there is to say, errors and warnings.
pub(crate) fn compile(
    spec: &RouteSpec,
    options: &CompileOptions,
    builder: &mut Builder,
    found: &mut Vec<Diagnostic>,
) -> Option<Route> {
    let mut of_text = Vec::new();
    let route = compile_text(spec, options, builder, &mut of_text);
    let place = |diagnostic: Diagnostic| diagnostic.in_text(&spec.text).with_route(&spec.name);
    found.extend(limited(of_text).into_iter().map(place));
    route
}

fn compile_text(
    spec: &RouteSpec,
    options: &CompileOptions,
    builder: &mut Builder,
    found: &mut Vec<Diagnostic>,
) -> Option<Route> {
    if spec.name.trim().is_empty() {
        found.push(Diagnostic::general(Code::InvalidRouteName, "the name of a route cannot be blank"));
    }
    let priority = spec.priority.map_or(Some(Priority::LOWEST), Priority::new);
    if priority.is_none() {
        let message =
            alloc::format!("Invalid priority for route: {}, priority can only be between 0-9", spec.name);
        found.push(Diagnostic::general(Code::InvalidPriority, message));
    }
    let syntax = match parser::parse_route(&spec.text) {
        Ok(syntax) => syntax,
        Err(failure) => {
            found.push(*failure);
            return None;
        }
    };
    let mut warnings = Vec::new();
    trap::in_route(&syntax, &spec.text, options, &mut warnings);
    let root = match &syntax.condition {
        None => builder.expr(Expr::Bool(true)),
        Some((ast, _)) => {
            let Checked { root, ty, types, errors, .. } = check::check(ast, builder);
            if errors.is_empty() {
                trap::in_condition(ast, &types, ty, &mut warnings);
                trap::condition_and_source(ast, &syntax, &mut warnings);
            }
            found.extend(errors);
            root
        }
    };
    let sink = sink::resolve(&syntax.sink, sink_span(&syntax.sink, syntax.sink_span), options);
    let sink = sink.map_err(|error| found.push(error)).ok();
    let refused = !found.is_empty();
    found.extend(warnings);
    if refused {
        return None;
    }
    Some(Route {
        name: spec.name.as_str().into(),
        text: spec.text.as_str().into(),
        source: SourcePattern::new(&syntax.source),
        sink: sink?,
        priority: priority?,
        time_to_live_secs: spec.time_to_live_secs.filter(|&secs| secs > 0),
        condition: syntax.condition.as_ref().map(|(_, span)| *span),
        sink_span: syntax.sink_span,
        sink_parts: sink_parts(&syntax.sink, syntax.sink_span),
        root,
    })
}

const fn sink_parts(sink: &SinkSyntax, whole: Span) -> (Span, Option<Span>) {
    match sink {
        SinkSyntax::System(_) => (whole, None),
        SinkSyntax::Function { name_span, argument_span, .. } => (*name_span, Some(*argument_span)),
    }
}

const fn sink_span(sink: &SinkSyntax, whole: Span) -> Span {
    match sink {
        SinkSyntax::System(_) => whole,
        SinkSyntax::Function { argument_span, .. } => *argument_span,
    }
}
