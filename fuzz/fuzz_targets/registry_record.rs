//! The libFuzzer program of the target `registry_record`; run it with `cargo fuzz`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| edge_fuzz::registry_record(data));

#[cfg(not(fuzzing))]
fn main() {
    println!("run this with: cargo +nightly fuzz run registry_record");
}
