//! Records of models, and what twins ask for.

use edge_ml::registry::{Desired, Record, Sha256};

/// Reads the input as a record, as the content of a record with the right checksum, and as desired properties, and checks
/// that what was read says the same when it is written and read again.
///
/// # Panics
/// Panics when something does not hold.
pub fn registry_record(data: &[u8]) {
    check(data);
    let mut whole = format!("edge-ml registry 1 {}\n", Sha256::of(data)).into_bytes();
    whole.extend_from_slice(data);
    check(&whole);
    let Ok(document) = serde_json::from_slice(data) else { return };
    match Desired::parse(&document) {
        Ok(desired) => {
            let written = serde_json::to_value(&desired).expect("a desired state has text keys only");
            let again = Desired::parse(&written).expect("what was read is read again");
            assert_eq!(
                (again.key(), &again.origin, &again.signature),
                (desired.key(), &desired.origin, &desired.signature)
            );
        }
        Err(mistakes) => {
            assert!(!mistakes.all.is_empty() && mistakes.all.len() <= 32, "{mistakes}");
            assert!(mistakes.all.iter().all(|mistake| mistake.to_string().len() < 2048), "{mistakes}");
        }
    }
}

fn check(bytes: &[u8]) {
    let Ok(record) = Record::decode(bytes) else { return };
    assert_eq!(record.current.is_some(), record.current_entry().is_some());
    assert_eq!(record.candidate.is_some(), record.candidate_entry().is_some());
    let again = Record::decode(&record.encode()).expect("what was read is read again");
    assert_eq!(
        (again.sequence, again.current, &again.candidate),
        (record.sequence, record.current, &record.candidate)
    );
    let keys = |record: &Record| -> Vec<_> {
        record.entries.iter().map(|entry| (entry.generation, entry.bytes, entry.desired.key())).collect()
    };
    assert_eq!(keys(&again), keys(&record));
    assert_eq!(again.rejected, record.rejected);
}
