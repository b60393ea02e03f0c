//! The route language of Azure IoT Edge: which message goes where.
//!
//! ```text
//! FROM /messages/modules/sensor/outputs/*
//! WHERE as_number(temperature) > 30 AND $body.machine.status = 'warning'
//! INTO BrokeredEndpoint("/modules/alarm/inputs/hot")
//! ```
//!
//! A set of routes is compiled into a [`Router`], which is immutable and tells for each message the endpoints it goes
//! to. Texts written for the original give the same deliveries, and the same texts are refused; where a text does
//! something else than it seems to say, compiling warns of it with a code, a place and what to write instead.
//!
//! ```
//! use edge_routing::{CompileOptions, Matches, RouteSpec, Router, Sample};
//!
//! let text = "FROM /messages/* WHERE as_number(temperature) > 30 INTO $upstream";
//! let compiled = Router::compile(&[RouteSpec::new("hot", text)], &CompileOptions::new())?;
//! assert!(compiled.warnings.is_empty());
//!
//! let mut matches = Matches::new();
//! compiled.router.route(&Sample::new("/messages/").with_property("temperature", Some("31")), &mut matches);
//! assert_eq!(matches.deliveries().len(), 1);
//! # Ok::<(), edge_routing::Diagnostics>(())
//! ```
//!
//! The crate does no input or output and, without its default feature `std`, needs only `alloc`.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod ast;
mod body;
mod case;
mod check;
mod compare;
mod condition;
mod desired;
mod diagnostic;
mod eval;
mod explain;
mod fields;
mod function;
mod index;
mod json;
mod lexer;
mod limits;
mod lint;
mod maker;
mod matches;
#[cfg(feature = "std")]
mod message;
mod number;
mod parser;
mod plan;
mod program;
mod route;
mod router;
mod sample;
mod sink;
mod source;
mod span;
mod text;
mod token;
mod trap;
mod value;

pub use case::{Case, CaseOutcome, CaseText, Verdict};
pub use compare::{Change, Comparison, RouteCount, Summary};
pub use condition::Condition;
pub use desired::EdgeHubConfig;
pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity};
pub use explain::{Explanation, Node, NodeValue, Outcome, RouteExplanation};
pub use fields::{Fields, Sample};
pub use function::{Example, Function, Param, Signature};
pub use limits::{
    MAX_BODY_DEPTH, MAX_DEPTH, MAX_DIAGNOSTICS, MAX_MADE_BYTES, MAX_ROUTES, MAX_TERMS, MAX_TEXT_BYTES,
};
pub use lint::{Finding, Lint};
pub use matches::{Delivery, Matches};
pub use route::{CompileOptions, Priority, Route, RouteSpec};
pub use router::{Compiled, Router};
pub use sample::SampleError;
pub use sink::Sink;
pub use source::SourcePattern;
pub use span::{Location, Span};
pub use value::{Truth, Type};
