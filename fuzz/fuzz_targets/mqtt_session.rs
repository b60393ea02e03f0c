//! The libFuzzer program of the target `mqtt_session`; run it with `cargo fuzz`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| edge_fuzz::mqtt_session(data));

#[cfg(not(fuzzing))]
fn main() {
    println!("run this with: cargo +nightly fuzz run mqtt_session");
}
