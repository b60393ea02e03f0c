use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use crate::registry::{
    Candidate, Desired, Entry, MemoryFiles, Record, Recovery, Registry, RegistryError, RegistryOptions,
    Sha256, Stage,
};

const ROOT: &str = "/models";

fn open(files: &MemoryFiles) -> Registry {
    let options = RegistryOptions { max_model_bytes: 1000, ..RegistryOptions::default() };
    Registry::open_on(Arc::new(files.clone()), Path::new(ROOT), "m".parse().unwrap(), options).unwrap()
}

fn desired(content: &[u8], version: &str) -> Desired {
    let sum = Sha256::of(content).to_string();
    let document = json!({ "model": "m", "version": version, "sha256": sum, "file": "/x" });
    Desired::parse(&document).unwrap()
}

/// Installs a version and makes it the current one, in the steps of the life cycle.
fn install(registry: &mut Registry, content: &[u8], version: &str) -> Result<u64, RegistryError> {
    let desired = desired(content, version);
    let sum = desired.sha256;
    let generation = registry.record().last_generation + 1;
    registry.change(|record| {
        record.last_generation = generation;
        record.entries.push(Entry { generation, desired, bytes: 0, installed_ms: 0 });
        record.candidate = Some(Candidate { generation, stage: Stage::Fetch, starts: 0, validator: None });
    })?;
    let mut part = registry.part(sum, false)?;
    for chunk in content.chunks(3) {
        part.append(chunk)?;
    }
    let bytes = part.install()?;
    registry.change(|record| {
        record.entry_mut(generation).unwrap().bytes = bytes;
        record.current = Some(generation);
        record.candidate = None;
    })?;
    Ok(generation)
}

fn current(registry: &Registry) -> Option<Vec<u8>> {
    registry.record().current_entry().map(|entry| registry.load(entry).unwrap())
}

#[test]
fn what_was_installed_is_there_after_a_restart() {
    let files = MemoryFiles::default();
    install(&mut open(&files), b"the first", "1").unwrap();
    for left in [files.after_kill(), files.after_power_loss()] {
        assert_eq!(current(&open(&left)).unwrap(), b"the first");
    }
}

#[test]
fn a_crash_at_any_call_leaves_the_old_or_the_new() {
    let files = MemoryFiles::default();
    install(&mut open(&files), b"the first", "1").unwrap();
    let before = files.after_kill();
    let calls = {
        let files = before.after_kill();
        install(&mut open(&files), b"the second", "2").unwrap();
        files.calls()
    };
    assert!(calls > 10, "{calls}");
    let mut finished = 0;
    for call in 0..calls {
        let files = before.after_kill();
        let mut registry = open(&files);
        files.stop_at(call);
        let outcome = install(&mut registry, b"the second", "2");
        for (left, how) in [(files.after_kill(), "kill"), (files.after_power_loss(), "power loss")] {
            let mut registry = open(&left);
            let found = current(&registry).unwrap();
            assert!(found == b"the first" || found == b"the second", "call {call}, {how}");
            if outcome.is_ok() {
                assert_eq!(found, b"the second", "call {call}, {how}");
            }
            finished += usize::from(found == b"the second");
            assert_eq!(registry.recovery(), &Recovery::Clean, "call {call}, {how}");
            install(&mut registry, b"the third", "3").unwrap();
            assert_eq!(current(&registry).unwrap(), b"the third", "call {call}, {how}");
            assert!(left.names().iter().all(|name| !name.ends_with(".tmp") && !name.ends_with(".part")));
        }
    }
    assert!(finished > 0, "some crash was late enough");
}

#[test]
fn a_changed_file_is_refused() {
    let files = MemoryFiles::default();
    let mut registry = open(&files);
    install(&mut registry, b"the first", "1").unwrap();
    let path = Path::new(ROOT).join("m").join(format!("{}.model", Sha256::of(b"the first")));
    files.tamper(&path, |bytes| bytes[4] ^= 1);
    let entry = registry.record().current_entry().unwrap();
    assert!(matches!(registry.load(entry), Err(RegistryError::Checksum { .. })));
    files.tamper(&path, |bytes| bytes.resize(2000, 0));
    assert!(matches!(registry.load(entry), Err(RegistryError::TooLong { most: 1000 })));
}

#[test]
fn another_content_is_not_installed() {
    let files = MemoryFiles::default();
    let registry = open(&files);
    let mut part = registry.part(Sha256::of(b"right"), false).unwrap();
    part.append(b"wrong").unwrap();
    assert!(matches!(part.install(), Err(RegistryError::Checksum { .. })));
    assert!(files.names().is_empty(), "{:?}", files.names());
    let mut part = registry.part(Sha256::of(b"right"), false).unwrap();
    assert!(matches!(part.append(&[0; 1001]), Err(RegistryError::TooLong { .. })));
}

#[test]
fn a_damaged_record_leaves_the_one_before_it() {
    let files = MemoryFiles::default();
    let mut registry = open(&files);
    install(&mut registry, b"the first", "1").unwrap();
    install(&mut registry, b"the second", "2").unwrap();
    let folder = Path::new(ROOT).join("m");
    let newest = ["record.0", "record.1"][registry.record().sequence as usize % 2];
    files.tamper(&folder.join(newest), |bytes| bytes[200] ^= 4);
    let mut registry = open(&files);
    assert!(matches!(registry.recovery(), Recovery::Older { reason } if reason.contains("checksum")));
    assert_eq!(current(&registry).unwrap(), b"the first", "its file is still there");
    install(&mut registry, b"the third", "3").unwrap();
    for name in ["record.0", "record.1"] {
        files.tamper(&folder.join(name), |bytes| bytes.truncate(50));
    }
    let registry = open(&files);
    assert!(matches!(registry.recovery(), Recovery::Lost { .. }));
    assert_eq!(registry.record(), &Record::new("m".parse().unwrap()));
}

#[test]
fn old_versions_are_bounded() {
    let files = MemoryFiles::default();
    let mut registry = open(&files);
    for version in 0..20 {
        let content = format!("version {version}");
        install(&mut registry, content.as_bytes(), &version.to_string()).unwrap();
        let models = files.names().iter().filter(|name| name.ends_with(".model")).count();
        assert!(models <= 4, "{models} files after version {version}");
        assert!(registry.record().entries.len() <= 2);
    }
}

#[test]
fn a_part_is_gone_on_with() {
    let files = MemoryFiles::default();
    let registry = open(&files);
    let sum = Sha256::of(b"0123456789");
    registry.part(sum, false).unwrap().append(b"01234").unwrap();
    let mut part = open(&files.after_kill()).part(sum, true).unwrap();
    assert_eq!(part.bytes(), 5);
    part.append(b"56789").unwrap();
    assert_eq!(part.install().unwrap(), 10);
}

#[test]
fn a_file_of_this_machine_is_copied() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("m.onnx");
    std::fs::write(&from, b"content").unwrap();
    let registry = Registry::open(folder.path(), "m".parse().unwrap(), RegistryOptions::default()).unwrap();
    assert_eq!(registry.copy(&from, Sha256::of(b"content")).unwrap(), 7);
    assert_eq!(registry.installed_bytes(&Sha256::of(b"content")), Some(7));
    assert!(matches!(registry.copy(&from, Sha256::of(b"other")), Err(RegistryError::Checksum { .. })));
    let refused = registry.copy(folder.path(), Sha256::of(b"other"));
    assert!(matches!(refused, Err(RegistryError::Files { .. })), "a folder is no file");
}

#[test]
fn records_name_what_they_have() {
    let entry = Entry { generation: 1, desired: desired(b"x", "1"), bytes: 1, installed_ms: 0 };
    let record = Record { last_generation: 1, entries: vec![entry], ..Record::new("m".parse().unwrap()) };
    let check = |change: fn(&mut Record)| {
        let mut record = record.clone();
        change(&mut record);
        Record::decode(&record.encode()).is_ok()
    };
    assert!(check(|record| record.current = Some(1)));
    assert!(!check(|record| record.current = Some(2)));
    assert!(!check(|record| record.last_generation = 0));
    assert!(!check(|record| record.entries.push(record.entries[0].clone())));
    assert!(!check(|record| record.model = "other".parse().unwrap()));
}
