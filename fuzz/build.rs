//! Tells the compiler that `fuzzing` is a condition: `cargo fuzz` sets it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(fuzzing)");
}
