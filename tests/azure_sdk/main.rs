//! The device SDK from PyPI, unmodified, against the built gateway.

mod api;
mod connect;
mod faults;
mod modules;
mod telemetry;
