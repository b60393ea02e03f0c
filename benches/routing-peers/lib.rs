//! The benchmark in `benches/condition.rs`: one condition on a property and a member of the body, from the bytes of a
//! message, by several engines. Run it with `cargo bench` in this folder.
