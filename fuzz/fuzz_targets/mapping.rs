//! The libFuzzer program of the target `mapping`; run it with `cargo fuzz`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| edge_fuzz::mapping(data));

#[cfg(not(fuzzing))]
fn main() {
    println!("run this with: cargo +nightly fuzz run mapping");
}
