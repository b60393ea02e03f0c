//! Many thousands of changed inputs, the same ones on every run.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use edge_fuzz::mutate::mutate;
use edge_fuzz::{Random, TARGETS, Target};

const SEED: u64 = 20_260_101;

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn run(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let inputs = corpus(target);
    let mut random = Random::new(SEED);
    for round in 0..target.rounds {
        let input = mutate(&inputs[random.below(inputs.len())], &inputs, &mut random);
        let passed = catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
        assert!(passed.is_ok(), "seed {SEED}, round {round} of {name}: \"{}\"", input.escape_ascii());
    }
}

macro_rules! tests {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name));
            }
        )*

        #[test]
        fn every_target_is_here() {
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), [$(stringify!($name)),*]);
        }
    };
}

tests! {
    amqp_connection amqp_message body condition connection_string desired http_device image_input log_recovery mapping message model_file mqtt_packet mqtt_session ndjson property_bag registry_record rest route sas_token
    session_file topic twin_patch user_name window_snapshot
}
