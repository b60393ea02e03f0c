//! What models cost: engines beside each other, tables, what stands around an engine, and batches.
//!
//! ```sh
//! cargo xtask bench models
//! ```
//!
//! installs the peers and prints all tables. Without them (`EDGE_ML_PYTHON` is not set), what needs them is left out; under
//! `cargo test`, everything is run once to see that it still does.

mod around;
mod batches;
#[path = "../../edge-ml/tests/cases/mod.rs"]
mod cases;
#[path = "../../edge-ml/tests/peers/data.rs"]
#[expect(dead_code, reason = "the tests look at more of a case")]
mod data;
mod engines;
#[path = "../../edge-ml/tests/peers/python.rs"]
mod python;
mod tables;
mod timing;

use timing::Effort;

fn main() {
    let effort =
        if std::env::args().any(|argument| argument == "--bench") { Effort::Full } else { Effort::Try };
    let has_peers = std::env::var_os("EDGE_ML_PYTHON").is_some();
    if has_peers {
        engines::compare(effort);
    }
    tables::compare(effort, has_peers);
    around::measure(effort);
    batches::measure(effort);
}
