//! What no acknowledged message is lost by: sudden ends, an upstream that is away, a disk that is full.

mod disk;
mod sudden_end;
mod upstream;
