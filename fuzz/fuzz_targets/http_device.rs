//! The libFuzzer program of the target `http_device`; run it with `cargo fuzz`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| edge_fuzz::http_device(data));

#[cfg(not(fuzzing))]
fn main() {
    println!("run this with: cargo +nightly fuzz run http_device");
}
