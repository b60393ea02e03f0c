//! The libFuzzer program of the target `amqp_message`; run it with `cargo fuzz`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| edge_fuzz::amqp_message(data));

#[cfg(not(fuzzing))]
fn main() {
    println!("run this with: cargo +nightly fuzz run amqp_message");
}
