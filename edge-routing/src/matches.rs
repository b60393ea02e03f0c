//! What routing a message gives.

use alloc::vec::Vec;
use core::fmt;

use crate::eval::Scratch;
use crate::plan::Plan;
use crate::route::Priority;

/// The outcome for one message, and the buffers to find it; use one for many messages.
#[derive(Default)]
pub struct Matches {
    routes: Vec<usize>,
    deliveries: Vec<Delivery>,
    /// For each endpoint the index of its delivery, valid only if that delivery names the endpoint.
    places: Vec<u32>,
    candidates: Vec<u32>,
    scratch: Scratch,
}

/// One copy of the message, for one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// Index of the endpoint in [`Router::endpoints`](crate::Router::endpoints).
    pub endpoint: usize,
    /// Index in [`Router::routes`](crate::Router::routes) of the route that decides: of those that match, the one
    /// with the highest priority, and among equals the first.
    pub route: usize,
    /// The priority of that route.
    pub priority: Priority,
    /// The time to live of that route, in seconds; `None`: as the store is configured.
    pub time_to_live_secs: Option<u32>,
}

impl Matches {
    /// An empty outcome.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The copies to deliver: one for each endpoint reached, in the order of the first route that reaches it.
    #[must_use]
    pub fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    /// Indices of all routes that match, ascending.
    #[must_use]
    pub fn routes(&self) -> &[usize] {
        &self.routes
    }

    /// Whether no route matches: the message is dropped, and counted as such.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Forgets the last message.
    pub(crate) fn begin(&mut self) -> (&mut Scratch, &mut Vec<usize>, &mut Vec<u32>) {
        self.routes.clear();
        self.deliveries.clear();
        (&mut self.scratch, &mut self.routes, &mut self.candidates)
    }

    /// Makes deliveries of the routes found.
    ///
    /// # Source
    /// Route language §2.3.
    pub(crate) fn settle<'p>(&mut self, endpoints: usize, plan: impl Fn(usize) -> Option<&'p Plan>) {
        if self.places.len() < endpoints {
            self.places.resize(endpoints, 0);
        }
        for &route in &self.routes {
            let Some(&Plan { target, priority, time_to_live_secs, .. }) = plan(route) else { continue };
            let endpoint = target as usize;
            let delivery = Delivery { endpoint, route, priority, time_to_live_secs };
            let Some(place) = self.places.get_mut(endpoint) else { continue };
            match self.deliveries.get_mut(*place as usize).filter(|known| known.endpoint == endpoint) {
                Some(known) if priority > known.priority => *known = delivery,
                Some(_) => {}
                None => {
                    *place = u32::try_from(self.deliveries.len()).unwrap_or(u32::MAX);
                    self.deliveries.push(delivery);
                }
            }
        }
    }
}

impl fmt::Debug for Matches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matches")
            .field("routes", &self.routes)
            .field("deliveries", &self.deliveries)
            .finish_non_exhaustive()
    }
}
