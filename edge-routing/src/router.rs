//! A compiled set of routes.

use alloc::vec::Vec;

use hashbrown::{HashMap, HashSet};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::fields::Fields;
use crate::index::Index;
use crate::limits::MAX_ROUTES;
use crate::matches::Matches;
use crate::plan::Plans;
use crate::program::{Builder, Program};
use crate::route::{self, CompileOptions, Route, RouteSpec};
use crate::sink::Sink;
use crate::value::Truth;

/// An immutable set of routes. It is shared behind an `Arc` and replaced as a whole.
///
/// # Examples
/// ```
/// use edge_routing::{CompileOptions, Matches, RouteSpec, Router, Sample, Sink};
///
/// let specs = [
///     RouteSpec::new("all", "FROM /messages/* INTO $upstream"),
///     RouteSpec::new("hot", "FROM /messages/* WHERE as_number(temp) > 90 INTO $upstream").with_priority(0),
/// ];
/// let router = Router::compile(&specs, &CompileOptions::new())?.router;
///
/// let mut matches = Matches::new();
/// router.route(&Sample::new("/messages/").with_property("temp", Some("95")), &mut matches);
/// let delivery = &matches.deliveries()[0];
/// assert_eq!(matches.deliveries().len(), 1);
/// assert_eq!(router.endpoint(delivery.endpoint), Some(&Sink::Upstream));
/// assert_eq!(router.routes()[delivery.route].name(), "hot");
/// # Ok::<(), edge_routing::Diagnostics>(())
/// ```
#[derive(Debug)]
pub struct Router {
    routes: Vec<Route>,
    endpoints: Vec<Sink>,
    program: Program,
    index: Index,
    plans: Plans,
}

/// A router, and what its texts do that they do not seem to say.
#[derive(Debug)]
#[non_exhaustive]
pub struct Compiled {
    /// The routes, ready for messages.
    pub router: Router,
    /// Warnings in the order of the routes.
    pub warnings: Diagnostics,
}

impl Router {
    /// Compiles a set of routes: all of them, or none.
    ///
    /// # Errors
    /// All errors of all routes at once, together with their warnings; with
    /// [`strict`](CompileOptions::strict) every warning is an error.
    pub fn compile(specs: &[RouteSpec], options: &CompileOptions) -> Result<Compiled, Diagnostics> {
        let mut found = Vec::new();
        if specs.len() > MAX_ROUTES {
            let message =
                alloc::format!("the set has {} routes, at most {MAX_ROUTES} are allowed", specs.len());
            found.push(Diagnostic::general(Code::TooManyRoutes, message));
            return Err(found.into_iter().collect());
        }
        let mut builder = Builder::default();
        let mut names = HashSet::with_capacity(specs.len());
        let mut routes = Vec::with_capacity(specs.len());
        for spec in specs {
            if !names.insert(spec.name.as_str()) {
                let message = alloc::format!("there is another route named '{}'", spec.name);
                found.push(Diagnostic::general(Code::DuplicateName, message).with_route(&spec.name));
            }
            routes.extend(route::compile(spec, options, &mut builder, &mut found));
        }
        let mut diagnostics: Diagnostics = found.into_iter().collect();
        if options.strict {
            diagnostics.harden();
        }
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        let program = builder.finish(routes.iter().map(|route| route.root));
        Ok(Compiled { router: Self::new(routes, program), warnings: diagnostics })
    }

    fn new(routes: Vec<Route>, program: Program) -> Self {
        let (index, proven) = Index::new(&routes, &program);
        let mut endpoints: Vec<Sink> = Vec::new();
        let mut known: HashMap<&Sink, u32> = HashMap::new();
        let mut plans = Plans::default();
        for (route, proven) in routes.iter().zip(proven) {
            let target = *known.entry(route.sink()).or_insert_with(|| {
                endpoints.push(route.sink().clone());
                u32::try_from(endpoints.len() - 1).unwrap_or(u32::MAX)
            });
            plans.push(&program, route, target, proven);
        }
        drop(known);
        Self { routes, endpoints, program, index, plans }
    }

    /// The routes, in the order of their specs.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The endpoints that the routes name, each once; deliveries name them by index.
    #[must_use]
    pub fn endpoints(&self) -> &[Sink] {
        &self.endpoints
    }

    /// The endpoint of a delivery.
    #[must_use]
    pub fn endpoint(&self, index: usize) -> Option<&Sink> {
        self.endpoints.get(index)
    }

    /// Finds out where a message goes. It does not allocate once `matches` has served a few messages.
    pub fn route<F: Fields + ?Sized>(&self, message: &F, matches: &mut Matches) {
        let (scratch, found, candidates) = matches.begin();
        let mut next = None;
        loop {
            let done = scratch.with(&self.program, message, |eval| {
                let mut at = next.unwrap_or_else(|| {
                    self.index.candidates(eval, candidates);
                    0
                });
                while let Some(&index) = candidates.get(at).filter(|_| !eval.is_full()) {
                    at += 1;
                    let Some(plan) = self.plans.plan(index) else { continue };
                    if eval.all_hold(self.plans.tests(plan)) {
                        found.push(index as usize);
                    }
                }
                next = Some(at);
                at == candidates.len()
            });
            // What the conditions so far have made is given back before the others are looked at.
            if done {
                break;
            }
        }
        self.settle(matches);
    }

    /// Finds out the same by looking at every route in turn: slow, and plainly right.
    pub fn route_naively<F: Fields + ?Sized>(&self, message: &F, matches: &mut Matches) {
        let source = message.source();
        let (scratch, found, _) = matches.begin();
        let mut at = 0;
        while at < self.routes.len() {
            scratch.with(&self.program, message, |eval| {
                while let Some(route) = self.routes.get(at).filter(|_| !eval.is_full()) {
                    if route.source().matches(source) && eval.truth(route.root) == Truth::True {
                        found.push(at);
                    }
                    at += 1;
                }
            });
        }
        self.settle(matches);
    }

    /// The condition of one of the routes, whatever the source.
    pub(crate) fn condition<F: Fields + ?Sized>(
        &self,
        route: &Route,
        message: &F,
        matches: &mut Matches,
    ) -> Truth {
        let (scratch, ..) = matches.begin();
        scratch.with(&self.program, message, |eval| eval.truth(route.root))
    }

    /// Makes deliveries of the routes found.
    fn settle(&self, matches: &mut Matches) {
        matches.settle(self.endpoints.len(), |index| self.plans.plan(u32::try_from(index).ok()?));
    }
}
