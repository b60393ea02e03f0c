//! What loses no acknowledged message and disturbs no device: sudden ends, an upstream that is away, a quota that is used
//! up, a full disk, strangers, a configuration that changes.

mod disk;
mod quotas;
mod reload;
mod strangers;
mod sudden_end;
mod upstream;
