//! The ledger: what came in equals what went out, what is stored, and what was dropped and why.

use std::collections::BTreeMap;
use std::fmt;

use edge_core::{Account, EndpointId, RouteName};
pub use edge_core::{DropCause, Drops};

use crate::names;

/// One line of the ledger, in copies: a message that goes to two endpoints counts twice.
///
/// `accepted = delivered + stored + dropped` at every moment: the counts are the store's own accounts, which change
/// together with what is in it. They survive what the store survives, restarts and crashes too.
///
/// # Examples
/// ```
/// use edge_hub::LedgerLine;
///
/// let line = LedgerLine::default();
/// assert_eq!(line.residual(), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerLine {
    /// Copies taken, ever.
    pub accepted: u64,
    /// Copies that their endpoint has accepted.
    pub delivered: u64,
    /// Copies that wait in the store.
    pub stored: u64,
    /// Copies dropped, by cause.
    pub dropped: Drops,
}

impl LedgerLine {
    /// Returns how many copies were dropped for one cause.
    #[must_use]
    pub fn dropped_for(&self, cause: DropCause) -> u64 {
        self.dropped.count(cause)
    }

    /// Returns how many copies were dropped for any cause.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.total()
    }

    /// Returns accepted − delivered − stored − dropped: zero.
    #[must_use]
    pub fn residual(&self) -> i128 {
        i128::from(self.accepted)
            - i128::from(self.delivered)
            - i128::from(self.stored)
            - i128::from(self.dropped_total())
    }

    fn add(&mut self, account: &Account) {
        self.accepted += account.accepted;
        self.delivered += account.delivered;
        self.stored += account.stored;
        for (cause, copies) in account.dropped.iter() {
            self.dropped.add(cause, copies);
        }
    }
}

impl fmt::Display for LedgerLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "accepted {} = delivered {} + stored {} + dropped {}",
            self.accepted,
            self.delivered,
            self.stored,
            self.dropped_total()
        )
    }
}

/// The ledger at one moment: of everything that routes send to endpoints.
///
/// A message that its endpoint refuses for good leaves the ledger as dropped; as a dead letter it is on a line of its
/// own, and comes back as accepted when it is replayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ledger {
    /// All routes together, and the messages that no route wanted.
    pub total: LedgerLine,
    /// Each route that has, or had, messages.
    pub routes: BTreeMap<RouteName, LedgerLine>,
    /// Each endpoint that has, or had, messages: `$upstream`, upstreams with names, inputs of modules.
    pub endpoints: BTreeMap<EndpointId, LedgerLine>,
    /// The dead letters of all endpoints.
    pub dead_letters: LedgerLine,
    /// Batches that were not taken since the hub was built, because the store was full or failing: their senders were
    /// not acknowledged.
    pub refused_batches: u64,
}

impl Ledger {
    /// Sums accounts up.
    pub(crate) fn of(accounts: &[Account], refused_batches: u64) -> Self {
        let mut ledger = Self { refused_batches, ..Self::default() };
        for account in accounts {
            let endpoint = account.queue.endpoint();
            if names::is_dead_letter(endpoint) {
                ledger.dead_letters.add(account);
            } else if names::is_no_route(endpoint) {
                ledger.total.add(account);
            } else if names::is_routed(endpoint) {
                ledger.total.add(account);
                ledger.routes.entry(account.route.clone()).or_default().add(account);
                ledger.endpoints.entry(endpoint.clone()).or_default().add(account);
            }
        }
        ledger
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edge_core::{Priority, QueueId};

    fn account(endpoint: &str, route: &str, delivered: u64) -> Account {
        let queue = QueueId::new(endpoint.parse().unwrap(), Priority::DEFAULT);
        let mut account = Account::new(queue, route.parse().unwrap());
        (account.accepted, account.delivered, account.stored) = (delivered + 3, delivered, 1);
        account.dropped.add(DropCause::Expired, 2);
        account
    }

    #[test]
    fn only_what_routes_send_is_summed_up() {
        let accounts = [
            account("$upstream", "a", 10),
            account("edge1/m/in", "a", 20),
            account("edge1/m/in", "b", 30),
            account("$no-route", "$no-route", 0),
            account("$dead-letter/$upstream", "a", 7),
            account("$budget/$upstream", "$hub", 500),
            account("$c2d/d", "$hub", 500),
            account("$feedback", "$hub", 500),
        ];
        let ledger = Ledger::of(&accounts, 0);
        let line = |route: &str| ledger.routes.get(&route.parse::<RouteName>().unwrap()).unwrap();
        assert_eq!((line("a").delivered, line("b").delivered, ledger.routes.len()), (30, 30, 2));
        let at = |endpoint: &str| ledger.endpoints.get(&endpoint.parse::<EndpointId>().unwrap()).unwrap();
        assert_eq!(
            (at("$upstream").delivered, at("edge1/m/in").delivered, ledger.endpoints.len()),
            (10, 50, 2)
        );
        assert_eq!((ledger.total.delivered, ledger.total.stored, ledger.total.dropped_total()), (60, 4, 8));
        assert_eq!((ledger.total.residual(), ledger.dead_letters.delivered), (0, 7));
    }
}
