//! Why a message goes where it goes.

mod text;
mod tree;

use alloc::string::String;
use alloc::vec::Vec;

use crate::fields::Fields;
use crate::matches::Matches;
use crate::route::Route;
use crate::router::Router;
use crate::value::{Truth, Value};

/// What each route makes of one message.
///
/// With the feature `serde` it can be serialised; [`text`](Explanation::text) prints it.
///
/// # Examples
/// ```
/// use edge_routing::{CompileOptions, RouteSpec, Router, Sample};
/// let specs = [RouteSpec::new("hot", "FROM /messages/* WHERE as_number(temp) > 30 INTO $upstream")];
/// let router = Router::compile(&specs, &CompileOptions::new())?.router;
/// let explanation = router.explain(&Sample::new("/messages").with_property("temp", Some("21")), &[]);
/// assert_eq!(explanation.text(false), "\
/// message from /messages goes nowhere
/// hot: no, the condition is false
///   as_number(temp) > 30 = false
///     as_number(temp) = 21
///       temp = '21'
///     30
/// ");
/// # Ok::<(), edge_routing::Diagnostics>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Explanation {
    /// Where the message comes from.
    pub source: String,
    /// The endpoints that get a copy, with the route that decides.
    pub deliveries: Vec<(String, String)>,
    /// The routes asked for, in their order.
    pub routes: Vec<RouteExplanation>,
}

/// What one route makes of the message.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RouteExplanation {
    /// The name of the route.
    pub name: String,
    /// Where it leads.
    pub endpoint: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The condition and its parts, `None` where the source does not match or there is no condition.
    pub condition: Option<Node>,
}

/// What became of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Outcome {
    /// It matches, and its endpoint gets a copy at its priority.
    Delivers,
    /// It matches, but another route to the same endpoint decides.
    Overruled {
        /// The route that decides.
        by: String,
    },
    /// The message comes from elsewhere.
    OtherSource {
        /// What its source would have to begin with.
        wanted: String,
    },
    /// The condition is false.
    ConditionFalse,
    /// The condition is undefined.
    ConditionUndefined,
}

/// An expression and its value.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Node {
    /// The expression as written.
    pub text: String,
    /// What it is for this message.
    pub value: NodeValue,
    /// Why it has no value, where that is not plain.
    pub note: Option<String>,
    /// Its parts.
    pub parts: Vec<Self>,
}

/// A value of an expression.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum NodeValue {
    /// No value.
    Undefined,
    /// Null, or a body member that is missing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number; one that is infinite or none is serialised as the text `inf`, `-inf` or `NaN`, which JSON has no
    /// number for.
    Number(#[cfg_attr(feature = "serde", serde(serialize_with = "number"))] f64),
    /// A text; of a longer one the first 4096 bytes and an ellipsis.
    Text(String),
    /// A property that is present without a value.
    Empty,
}

impl NodeValue {
    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Undefined => Self::Undefined,
            Value::Missing | Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(value) => Self::Number(value),
            Value::Str(text) => Self::Text(shown(text)),
            Value::NullStr => Self::Empty,
        }
    }
}

/// As much of a text as is shown.
fn shown(text: &str) -> String {
    const SHOWN_BYTES: usize = 4096;
    if text.len() <= SHOWN_BYTES {
        return text.into();
    }
    alloc::format!("{}…", text.get(..text.floor_char_boundary(SHOWN_BYTES)).unwrap_or(""))
}

#[cfg(feature = "serde")]
fn number<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.collect_str(value) }
}

impl Router {
    /// Explains what the routes named in `names`, or all of them when none is named, make of a message.
    #[must_use]
    pub fn explain<F: Fields + ?Sized>(&self, message: &F, names: &[&str]) -> Explanation {
        let mut matches = Matches::new();
        self.route(message, &mut matches);
        let wanted = |route: &&Route| names.is_empty() || names.contains(&route.name());
        let name_of = |index: usize| self.routes().get(index).map_or("", Route::name);
        let deliveries = matches.deliveries().iter().filter_map(|delivery| {
            let endpoint = self.endpoint(delivery.endpoint)?;
            Some((alloc::format!("{endpoint}"), name_of(delivery.route).into()))
        });
        let decider = |route: &Route| {
            let same = |index: usize| self.endpoint(index) == Some(route.sink());
            matches
                .deliveries()
                .iter()
                .find(|delivery| same(delivery.endpoint))
                .map_or("", |d| name_of(d.route))
        };
        Explanation {
            source: message.source().into(),
            deliveries: deliveries.collect(),
            routes: self
                .routes()
                .iter()
                .filter(wanted)
                .map(|route| explain(route, decider(route), message))
                .collect(),
        }
    }
}

fn explain<F: Fields + ?Sized>(route: &Route, decider: &str, message: &F) -> RouteExplanation {
    let explanation = |outcome, condition| RouteExplanation {
        name: route.name().into(),
        endpoint: alloc::format!("{}", route.sink()),
        outcome,
        condition,
    };
    if !route.source().matches(message.source()) {
        return explanation(Outcome::OtherSource { wanted: route.source().prefix().into() }, None);
    }
    let (truth, condition) = match route.condition_span() {
        None => (Truth::True, None),
        Some(_) => tree::explain(route, message),
    };
    let outcome = match truth {
        Truth::True if decider == route.name() => Outcome::Delivers,
        Truth::True => Outcome::Overruled { by: decider.into() },
        Truth::False => Outcome::ConditionFalse,
        Truth::Undefined => Outcome::ConditionUndefined,
    };
    explanation(outcome, condition)
}
