//! The device and service SDKs from PyPI and npm, unmodified, against the built gateway.

mod api;
mod connect;
mod faults;
mod modules;
mod node;
mod telemetry;
