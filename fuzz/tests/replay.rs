//! Every input of the corpus, through the same functions that libFuzzer calls, on stable Rust.

use std::fs;
use std::path::{Path, PathBuf};

use edge_fuzz::TARGETS;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

#[test]
fn every_input_of_the_corpus_passes() {
    for target in TARGETS {
        let inputs = fs::read_dir(folder().join(target.name)).unwrap();
        let mut count = 0;
        for input in inputs {
            let path = input.unwrap().path();
            println!("{}", path.display());
            (target.run)(&fs::read(&path).unwrap());
            count += 1;
        }
        assert!(count >= 4, "{} has {count} inputs", target.name);
        (target.run)(b"");
    }
}

#[test]
fn the_corpus_stays_small() {
    for target in TARGETS {
        for input in fs::read_dir(folder().join(target.name)).unwrap() {
            let input = input.unwrap();
            let bytes = input.metadata().unwrap().len();
            assert!(bytes <= 4096, "{} has {bytes} bytes", input.path().display());
        }
    }
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    let programs: Vec<_> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\""))
        .collect();
    assert_eq!(programs, names, "the programs in the manifest, in the order of the targets");
    for name in &names {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz_targets/{name}.rs"));
        let program = fs::read_to_string(&path).unwrap();
        assert!(program.contains(&format!("edge_fuzz::{name}(")), "{} runs something else", path.display());
    }
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(&name.as_str()), "corpus/{name} belongs to no target");
    }
}
