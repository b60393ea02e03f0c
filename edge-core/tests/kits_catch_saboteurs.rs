//! Every case of every kit has teeth: a broken implementation fails it, and the tables in the docs say which.

mod saboteurs;
mod support;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use edge_core::testing::{
    authenticator, clock, endpoint, identity_store, message_store, session_store, uploads,
};
use saboteurs::clock::ClockFlaw;
use saboteurs::endpoint::EndpointFlaw;
use saboteurs::identities::IdentityFlaw;
use saboteurs::judge::AuthFlaw;
use saboteurs::sessions::SessionFlaw;
use saboteurs::store::StoreFlaw;
use saboteurs::uploads::UploadFlaw;
use support::far::{FarHarness, Line};
use support::identities::{self, DurableIdentities};
use support::judge::{Judge, JudgeHarness};
use support::sessions::{DurableHarness, DurableSessions};
use support::uploads::{TicketHarness, Tickets};

/// Runs a case, and returns what it panicked with.
fn verdict(case: impl Future<Output = ()>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(case))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default()
    })
}

/// Checks one kit: the saboteurs are those of its table, each case has one, and each is caught by its case.
fn check<F: Copy + Debug, R: Future<Output = ()>>(
    docs: &str,
    cases: &[&'static str],
    saboteurs: &[(F, &'static str)],
    run: impl Fn(&'static str, F) -> R,
) {
    let listed: BTreeSet<_> = cases.iter().copied().collect();
    let attacked: BTreeSet<_> = saboteurs.iter().map(|(_, case)| *case).collect();
    assert_eq!(listed, attacked, "the cases of the kit, and those that have a saboteur");
    let rows: BTreeSet<_> = docs.lines().filter_map(table_row).collect();
    let pairs: BTreeSet<_> = saboteurs.iter().map(|(flaw, case)| (*case, format!("{flaw:?}"))).collect();
    let documented: BTreeSet<_> = rows.iter().map(|(case, flaw)| (case.as_str(), flaw.clone())).collect();
    assert_eq!(documented, pairs, "the table in the kit's docs, and the saboteurs");
    for (flaw, case) in saboteurs {
        let found = verdict(run(case, *flaw));
        assert!(found.is_err(), "{case} does not catch {flaw:?}");
        println!("{flaw:?} fails {case}: {}", found.unwrap_err().lines().next().unwrap_or_default());
    }
}

/// Returns case and saboteur of a row ``| contract | [`case`] | `Saboteur` |``.
fn table_row(line: &str) -> Option<(String, String)> {
    let (rest, saboteur) = line.strip_prefix("//! |")?.strip_suffix("` |")?.rsplit_once("| `")?;
    let (_, case) = rest.trim().strip_suffix("`]")?.rsplit_once("[`")?;
    Some((case.into(), saboteur.into()))
}

#[test]
fn every_store_saboteur_is_caught() {
    let docs = include_str!("../src/testing/message_store/mod.rs");
    check(docs, message_store::CASES, StoreFlaw::ALL, |case, flaw| async move {
        message_store::run(case, &flaw).await;
    });
}

#[test]
fn every_endpoint_saboteur_is_caught() {
    let docs = include_str!("../src/testing/endpoint/mod.rs");
    check(docs, endpoint::CASES, EndpointFlaw::ALL, |case, flaw| async move {
        let make = move |line: Line| saboteurs::endpoint::Broken::new(line, flaw);
        endpoint::run(case, &FarHarness { far: Arc::default(), make }).await;
    });
}

#[test]
fn every_auth_saboteur_is_caught() {
    let docs = include_str!("../src/testing/authenticator.rs");
    check(docs, authenticator::CASES, AuthFlaw::ALL, |case, flaw| async move {
        let make = move |inner: Judge| saboteurs::judge::Broken { inner, flaw };
        authenticator::run(case, &JudgeHarness { make }).await;
    });
}

#[test]
fn every_session_saboteur_is_caught() {
    let docs = include_str!("../src/testing/session_store.rs");
    check(docs, session_store::CASES, SessionFlaw::ALL, |case, flaw| async move {
        let make = move |inner: DurableSessions| saboteurs::sessions::Broken { inner, flaw };
        session_store::run(case, &DurableHarness::new(make)).await;
    });
}

#[test]
fn every_identity_saboteur_is_caught() {
    let docs = include_str!("../src/testing/identity_store.rs");
    check(docs, identity_store::CASES, IdentityFlaw::ALL, |case, flaw| async move {
        let make = move |inner: DurableIdentities| saboteurs::identities::Broken::new(inner, flaw);
        identity_store::run(case, &identities::DurableHarness::new(make)).await;
    });
}

#[test]
fn every_upload_saboteur_is_caught() {
    let docs = include_str!("../src/testing/uploads.rs");
    check(docs, uploads::CASES, UploadFlaw::ALL, |case, flaw| async move {
        let make = move |inner: Tickets| saboteurs::uploads::Broken { inner, flaw };
        uploads::run(case, &TicketHarness { make }).await;
    });
}

#[test]
fn every_clock_saboteur_is_caught() {
    let docs = include_str!("../src/testing/clock.rs");
    check(docs, clock::CASES, ClockFlaw::ALL, |case, flaw| async move { clock::run(case, &flaw).await });
}
