//! The listeners keep their contract, and the kit catches those that do not.

mod listener {
    pub(crate) mod line;
    pub(crate) mod mqtt;
}

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use edge_transport::testing::listener::{CASES, run};
use listener::line::{Flaw, LineHarness};

mod mqtt {
    edge_transport::listener_conformance!(super::listener::mqtt::Mqtt);
}

mod line {
    edge_transport::listener_conformance!(super::LineHarness(None));
}

#[test]
fn every_saboteur_is_caught() {
    let attacked: BTreeSet<_> = Flaw::ALL.iter().map(|(_, case)| *case).collect();
    assert_eq!(CASES.iter().copied().collect::<BTreeSet<_>>(), attacked);
    // Most saboteurs are caught by waiting in vain, so they wait side by side.
    std::thread::scope(|scope| {
        let all = Flaw::ALL.iter().map(|(flaw, case)| (flaw, case, scope.spawn(|| is_caught(*flaw, case))));
        for (flaw, case, verdict) in all.collect::<Vec<_>>() {
            assert!(verdict.join().unwrap(), "{case} does not catch {flaw:?}");
        }
    });
}

fn is_caught(flaw: Flaw, case: &str) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let harness = LineHarness(Some(flaw));
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(run(case, &harness)))).is_err()
}

#[test]
fn the_docs_name_every_case_with_its_saboteur() {
    let docs = include_str!("../src/testing/listener.rs");
    for (flaw, case) in Flaw::ALL {
        assert!(docs.contains(&format!("[`{case}`] | `{flaw:?}` |")), "{case} and {flaw:?}");
    }
}

#[test]
fn every_sentence_of_the_contract_is_quoted_by_a_case() {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let quoted = |source: &str, mark: &str| {
        plain(&source.lines().filter_map(|line| line.strip_prefix(mark)).collect::<Vec<_>>().join(" "))
    };
    let contract = include_str!("../src/listener.rs");
    let contract = contract.split("/// # Contract\n").nth(1).unwrap().split("///\n").next().unwrap();
    let quotations = quoted(include_str!("../src/testing/listener.rs"), "/// > ");
    for bullet in quoted(contract, "/// ").split("- ").map(str::trim).filter(|bullet| !bullet.is_empty()) {
        assert!(quotations.contains(bullet), "no case quotes: {bullet}");
    }
}
