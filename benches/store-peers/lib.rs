//! The benchmark in `peers/`: what durable queueing costs on this log, on embedded databases and on a bare file.
//!
//! ```text
//! ROCKSDB_LIB_DIR=/usr/lib/x86_64-linux-gnu cargo bench             everything, in 5 rounds
//! cargo bench --no-default-features -- append waiting --rounds 9    without rocksdb; one scenario
//! ```
