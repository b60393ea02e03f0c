//! Patches of twins.

use edge_core::Timestamp;
use edge_twin::{
    Expect, Limits, Map, Nulls, Patch, Section, Twin, TwinLimits, TwinUpdate, Value, View, merge,
};

/// Reads the input up to its first zero byte as a document and the rest as a patch, and checks that applying the patch to
/// the stored form is merging the values, that limits hold afterwards, and that what was written is read again.
///
/// # Panics
/// Panics when something does not hold.
pub fn twin_patch(data: &[u8]) {
    let limits = Limits::default();
    let _update = TwinUpdate::parse(data, &TwinLimits::default());
    let _stored = Twin::decode(bytes::Bytes::copy_from_slice(data));
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let document = Patch::parse(parts.next().unwrap_or_default(), &limits);
    let patch = parts.next().map(|text| Patch::parse(text, &limits));
    for error in [&document].into_iter().chain(&patch).filter_map(|parsed| parsed.as_ref().err()) {
        assert!(!error.to_string().is_empty() && error.to_string().len() < 2048, "{error}");
    }
    let Ok(document) = document else { return };
    assert_eq!(
        Patch::parse(&document.to_json(), &limits).as_ref().map(Patch::members),
        Ok(document.members())
    );
    let patch = patch.and_then(Result::ok).unwrap_or_default();
    let (then, now) = (Timestamp::from_unix_ms(1), Timestamp::from_unix_ms(2));
    let section = Section::with_version(document.members(), 1, then);
    let mut merged = Value::Object(Map::new());
    merge(&mut merged, &document.members().clone().into(), Nulls::Purge);
    merge(&mut merged, &patch.members().clone().into(), Nulls::Purge);
    let json = merged.to_string();
    match section.apply(&patch, &limits, now) {
        Ok(section) => {
            assert_eq!(section.to_json(View::Plain), json);
            assert_eq!(section.json_bytes(), json.len());
            assert!(json.len() <= limits.document_bytes);
            assert!(Value::parse(&section.to_json(View::DatedAndNumbered)).is_ok());
        }
        Err(error) => assert!(json.len() > limits.document_bytes, "{error}"),
    }
    let mut twin = Twin::new(then);
    if twin.report(&patch, Expect::Anything, &limits, now).is_ok() {
        assert_eq!(Twin::decode(twin.encode()).as_ref(), Ok(&twin));
    }
}
