//! What the service API asks of the registry.
#![allow(missing_docs, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use edge_core::service::{
    AccessRequest, AuthRecord, AuthSpec, BulkEntry, BulkMode, IdentityChange, IdentityRecord, IdentitySpec,
    IdentityStore, IfMatch, MemoryIdentities, Permission, Secret, ServiceError,
};
use edge_core::{Authenticator, Credentials, Identity, Receipt, StoreError, Timestamp};
use edge_hub::{IdentityAuth, IdentityEntry, Policy, Registry};
use edge_transport::iothub::{SasKey, SasToken};

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
const LATER: Timestamp = Timestamp::from_unix_ms(1_800_003_600_000);
/// 24 bytes.
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

fn identity(text: &str) -> Identity {
    text.parse().unwrap()
}

fn names(all: &[Identity]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

fn spec(text: &str) -> IdentitySpec {
    IdentitySpec::new(identity(text))
}

fn key(text: &str) -> SasKey {
    text.parse().unwrap()
}

fn registry() -> Registry {
    let policy = |name: &str| Policy::built_in(name, vec![key(KEY), key("c2Vjb25k")]).unwrap();
    Registry::new(["hub.local"]).with_policies(["iothubowner", "service", "device"].map(policy))
}

async fn make(registry: &Registry, text: &str) -> IdentityRecord {
    registry.create(spec(text), NOW).await.unwrap().value
}

fn code<T>(result: Result<T, ServiceError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "done")
}

#[tokio::test]
async fn an_identity_is_made_changed_and_deleted() {
    let registry = registry();
    let made = registry.create(spec("press"), NOW).await.unwrap();
    assert_eq!(names(&made.created), ["press"]);
    let made = made.value;
    let AuthRecord::Sas { primary, secondary: Some(secondary) } = &made.auth else { panic!("{made:?}") };
    assert_ne!(primary, secondary);
    assert!(made.enabled && !made.etag.is_empty() && !made.generation.is_empty());
    assert_eq!(code(registry.create(spec("press"), NOW).await), "DeviceAlreadyExists");
    assert_eq!(code(registry.create(spec("mill/m"), NOW).await), "DeviceNotFound");
    let module = make(&registry, "press/filter").await;
    assert_eq!(code(registry.create(spec("press/filter"), NOW).await), "ModuleAlreadyExistsOnDevice");

    let mut disabled = spec("press");
    disabled.enabled = Some(false);
    disabled.status_reason = Some("away".to_owned());
    let stale = IfMatch::Etag("AAAA".to_owned());
    assert_eq!(code(registry.update(disabled.clone(), stale.clone(), NOW).await), "PreconditionFailed");
    assert_eq!(registry.identity(&identity("press")).unwrap(), made, "nothing has changed");
    let changed = registry.update(disabled, IfMatch::Etag(made.etag.to_string()), NOW).await.unwrap();
    assert_eq!(
        names(&changed.revoked),
        ["press", "press/filter"],
        "a device's sessions end with its modules'"
    );
    let changed = changed.value;
    assert_eq!((changed.enabled, changed.status_updated), (false, Some(NOW)));
    assert_eq!((&changed.auth, &changed.generation), (&made.auth, &made.generation));
    assert_ne!(changed.etag, made.etag);
    assert_eq!(registry.device_counts(), (1, 1));

    let renamed = registry.update(spec("press/filter"), IfMatch::Any, NOW).await.unwrap();
    assert_eq!(renamed.revoked, [], "nothing that a session rests on has changed");
    assert_ne!(renamed.value.etag, module.etag);
    assert_eq!(code(registry.delete(&identity("press"), stale).await), "PreconditionFailed");
    let gone = registry.delete(&identity("press"), IfMatch::Any).await.unwrap();
    assert_eq!(names(&gone.deleted), ["press", "press/filter"]);
    assert!(registry.is_empty());
    assert_eq!(code(registry.delete(&identity("press"), IfMatch::Any).await), "DeviceNotFound");
    assert_ne!(make(&registry, "press").await.generation, made.generation);
}

#[tokio::test]
async fn what_no_identity_may_be_is_refused() {
    let registry = registry().with_max_identities(2);
    let with = |auth| with_auth(spec("press"), auth);
    let sas = |text: &str| AuthSpec::Sas { primary: Some(Secret::new(text)), secondary: None };
    let print =
        |text: Option<&str>| AuthSpec::Thumbprints { primary: text.map(str::to_owned), secondary: None };
    for auth in [sas("not base64!"), sas("c2hvcnQ="), print(None), print(Some("xyz"))] {
        assert_eq!(code(registry.create(with(auth.clone()), NOW).await), "ArgumentInvalid", "{auth:?}");
    }
    let mut long = spec("press");
    long.status_reason = Some("x".repeat(129));
    assert_eq!(code(registry.create(long, NOW).await), "ArgumentInvalid");
    let mut scoped = spec("press");
    scoped.device_scope = Some("elsewhere".to_owned());
    assert_eq!(code(registry.create(scoped, NOW).await), "ArgumentInvalid");
    assert!(registry.is_empty());
    make(&registry, "a").await;
    make(&registry, "b").await;
    assert_eq!(code(registry.create(spec("c"), NOW).await), "TooManyDevices");
}

fn with_auth(mut spec: IdentitySpec, auth: AuthSpec) -> IdentitySpec {
    spec.auth = auth;
    spec
}

#[tokio::test]
async fn a_device_has_so_many_modules_and_an_edge_device_two_from_the_start() {
    let registry = registry();
    make(&registry, "press").await;
    for n in 0..50 {
        make(&registry, &format!("press/m{n}")).await;
    }
    assert_eq!(code(registry.create(spec("press/more"), NOW).await), "TooManyModulesOnDevice");
    let mut edge = spec("edge1");
    edge.edge = Some(true);
    let made = registry.create(edge, NOW).await.unwrap();
    assert_eq!(names(&made.created), ["edge1", "edge1/$edgeAgent", "edge1/$edgeHub"]);
    let scope = made.value.device_scope.unwrap();
    assert_eq!(*scope, *format!("ms-azure-iot-edge://edge1-{}", made.value.generation));
    let mut leaf = spec("leaf");
    leaf.device_scope = Some(scope.to_string());
    let leaf = registry.create(leaf, NOW).await.unwrap().value;
    assert_eq!(leaf.parent_scopes, [scope]);
    let devices: Vec<_> = registry.devices(None, 10).iter().map(|found| found.identity.to_string()).collect();
    assert_eq!(devices, ["edge1", "leaf", "press"]);
    let page = registry.devices(Some(&"edge1".parse().unwrap()), 1);
    assert_eq!(page[0].identity, identity("leaf"));
    assert_eq!(registry.modules(&"press".parse().unwrap()).unwrap().len(), 50);
    assert_eq!(code(registry.modules(&"nobody".parse().unwrap())), "DeviceNotFound");
}

#[tokio::test]
async fn one_bad_entry_of_many_changes_nothing_else() {
    let registry = registry();
    let old = make(&registry, "old").await;
    let entry = |mode, text: &str| BulkEntry::new(mode, spec(text));
    let mut tagged = entry(BulkMode::DeleteIfMatchEtag, "old");
    tagged.etag = Some("AAAA".to_owned());
    let entries = [
        entry(BulkMode::Create, "a"),
        entry(BulkMode::Create, "a/m"),
        entry(BulkMode::Create, "old"),
        tagged,
        entry(BulkMode::UpdateTwin, "nobody"),
        entry(BulkMode::CreateOrUpdate, "b"),
        entry(BulkMode::Delete, "a"),
    ];
    let done = registry.bulk(&entries, NOW).await.unwrap();
    let failures: Vec<_> = done.value.iter().map(|f| (f.identity.to_string(), f.error.code())).collect();
    let expected =
        [("old", "DeviceAlreadyExists"), ("old", "PreconditionFailed"), ("nobody", "DeviceNotFound")];
    assert_eq!(failures, expected.map(|(who, code)| (who.to_owned(), code)));
    assert_eq!(names(&done.created), ["b"], "a came and went");
    assert_eq!(registry.identity(&identity("old")).unwrap(), old);
    assert_eq!(registry.len(), 2);
}

#[tokio::test]
async fn policies_open_what_they_name() {
    let registry = registry();
    let token = |resource: &str, policy: &str, with: &str| {
        SasToken::sign_for_policy(resource, policy, &key(with), LATER)
    };
    let check = |token: &str, needed, path: &str, allowed: bool| {
        let judged = registry.authorize(AccessRequest::new(token, needed, path), NOW);
        assert_eq!(judged.is_ok(), allowed, "{token} {needed:?} {path} {judged:?}");
    };
    let owner = token("hub.local", "iothubowner", KEY);
    check(&owner, Permission::RegistryWrite, "/devices/press", true);
    check(&token("HUB.local", "iothubowner", "c2Vjb25k"), Permission::RegistryRead, "/devices", true);
    check(&token("hub.local", "service", KEY), Permission::ServiceConnect, "/twins/press", true);
    check(&token("hub.local", "service", KEY), Permission::RegistryRead, "/devices/press", false);
    check(
        &token("hub.local/devices/press", "iothubowner", KEY),
        Permission::RegistryRead,
        "/devices/press",
        true,
    );
    check(
        &token("hub.local/devices/press", "iothubowner", KEY),
        Permission::RegistryRead,
        "/devices/pres",
        false,
    );
    check(&token("other.hub", "iothubowner", KEY), Permission::RegistryRead, "/devices", false);
    check(&token("hub.local", "nobody", KEY), Permission::RegistryRead, "/devices", false);
    check(&token("hub.local", "iothubowner", "b3RoZXI="), Permission::RegistryRead, "/devices", false);
    check(&owner.replace("&skn=iothubowner", ""), Permission::RegistryRead, "/devices", false);
    check("", Permission::RegistryRead, "/devices", false);
    let late = Timestamp::from_unix_ms(LATER.as_unix_ms() + 300_000);
    let request = AccessRequest::new(&owner, Permission::RegistryRead, "/devices");
    assert!(registry.authorize(request, late).is_err(), "it has run out");
    assert_eq!(registry.authorize(request, NOW).unwrap(), late, "clocks may differ by five minutes");
}

#[tokio::test]
async fn a_policy_may_connect_as_any_device_that_is_enabled() {
    let registry = registry();
    make(&registry, "press").await;
    let mut off = spec("off");
    off.enabled = Some(false);
    registry.create(off, NOW).await.unwrap();
    for (claimed, resource, policy, allowed) in [
        ("press", "hub.local/devices/press", "device", true),
        ("press", "hub.local", "iothubowner", true),
        ("press", "hub.local/devices/mill", "device", false),
        ("press", "hub.local", "service", false),
        ("off", "hub.local", "device", false),
        ("nobody", "hub.local", "device", false),
    ] {
        let token = SasToken::sign_for_policy(resource, policy, &key(KEY), LATER);
        let judged = registry.authenticate(&identity(claimed), &Credentials::SasToken(token), NOW).await;
        assert_eq!(judged.is_ok(), allowed, "{claimed} {resource} {policy} {judged:?}");
    }
}

#[tokio::test]
async fn a_made_identity_connects_with_its_key_and_not_after_it_was_changed() {
    let registry = registry();
    let made = make(&registry, "press").await;
    let AuthRecord::Sas { primary, .. } = made.auth else { panic!("keys are made") };
    let token = SasToken::sign("hub.local", &identity("press"), &key(primary.expose()), LATER);
    let shown = Credentials::SasToken(token);
    assert!(registry.authenticate(&identity("press"), &shown, NOW).await.is_ok());
    let other = AuthSpec::Sas { primary: Some(Secret::new(KEY)), secondary: Some(Secret::new(KEY)) };
    registry.update(with_auth(spec("press"), other), IfMatch::Any, NOW).await.unwrap();
    assert!(registry.authenticate(&identity("press"), &shown, NOW).await.is_err());
    registry.update(with_auth(spec("press"), AuthSpec::None), IfMatch::Any, NOW).await.unwrap();
    assert!(registry.authenticate(&identity("press"), &shown, NOW).await.is_err());
}

fn configured(text: &str, with: &str) -> IdentityEntry {
    IdentityEntry::new(identity(text), IdentityAuth::sas(vec![key(with)]))
}

async fn reopened(store: &Arc<MemoryIdentities>, entries: Vec<IdentityEntry>) -> Registry {
    registry().with_store(store.clone()).await.unwrap().with_identities(entries)
}

#[tokio::test]
async fn the_configuration_counts_when_it_changes_and_what_the_service_made_stays() {
    let store = Arc::new(MemoryIdentities::default());
    let first = reopened(&store, vec![configured("press", "b25l"), configured("mill", "b25l")]).await;
    let made = make(&first, "made").await;
    let mut off = spec("press");
    off.enabled = Some(false);
    let off = first.update(off, IfMatch::Any, NOW).await.unwrap().value;

    let again = reopened(&store, vec![configured("press", "b25l"), configured("mill", "b25l")]).await;
    assert_eq!(again.identity(&identity("press")).unwrap(), off, "the file says what it said before");
    assert_eq!(again.identity(&identity("made")).unwrap(), made);
    let changed = reopened(&store, vec![configured("press", "dHdv")]).await;
    let press = changed.identity(&identity("press")).unwrap();
    assert!(press.enabled && press.auth != off.auth && press.generation == off.generation);
    assert_eq!(code(changed.identity(&identity("mill"))), "DeviceNotFound", "it left the file");
    assert_eq!(changed.len(), 2);
    assert_eq!(store.load().await.unwrap().len(), 2);
}

/// A store that fails when it is told to.
#[derive(Debug, Default)]
struct Failing {
    inner: MemoryIdentities,
    fails: AtomicBool,
}

#[async_trait]
impl IdentityStore for Failing {
    async fn load(&self) -> Result<Vec<IdentityRecord>, StoreError> {
        self.inner.load().await
    }

    fn apply(&self, changes: Vec<IdentityChange>) -> Receipt {
        if self.fails.load(Ordering::Relaxed) {
            return Receipt::ready(Err(StoreError::Closed));
        }
        self.inner.apply(changes)
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_taken_back() {
    let store = Arc::new(Failing::default());
    let registry = registry().with_store(store.clone()).await.unwrap();
    let press = make(&registry, "press").await;
    make(&registry, "press/filter").await;
    store.fails.store(true, Ordering::Relaxed);
    assert_eq!(code(registry.create(spec("mill"), NOW).await), "ServiceUnavailable");
    assert_eq!(code(registry.update(spec("press"), IfMatch::Any, NOW).await), "ServiceUnavailable");
    assert_eq!(code(registry.delete(&identity("press"), IfMatch::Any).await), "ServiceUnavailable");
    let many = [BulkEntry::new(BulkMode::Delete, spec("press/filter"))];
    assert_eq!(code(registry.bulk(&many, NOW).await), "ServiceUnavailable");
    assert_eq!(registry.identity(&identity("press")).unwrap(), press);
    assert_eq!(registry.len(), 2);
    store.fails.store(false, Ordering::Relaxed);
    registry.delete(&identity("press"), IfMatch::Etag(press.etag.to_string())).await.unwrap();
    assert!(store.load().await.unwrap().is_empty());
}
