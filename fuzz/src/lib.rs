//! Fuzz targets: for everything that reads bytes or text from outside, one function that gives it any input and checks
//! what must hold.
//!
//! A target panics when a decoder panics, when it accepts something that it does not give back the same, or when it goes
//! beyond its bounds. [`TARGETS`] lists them. libFuzzer runs them (see the README), and so do this crate's tests on
//! stable Rust, with the inputs in `corpus/` and with many thousands of changed ones.

mod amqp_connection;
mod amqp_message;
mod body;
mod condition;
mod connection_string;
mod desired;
mod http_device;
mod image_input;
mod log_recovery;
mod mapping;
mod message;
mod model_file;
pub mod mutate;
mod ndjson;
mod packet;
mod property_bag;
mod random;
mod registry_record;
mod rest;
mod route;
mod sas_token;
mod segment;
mod session;
mod session_file;
mod topic;
mod twin_patch;
mod user_name;
mod wait;
mod window_snapshot;

pub use amqp_connection::amqp_connection;
pub use amqp_message::amqp_message;
pub use body::body;
pub use condition::condition;
pub use connection_string::connection_string;
pub use desired::desired;
pub use http_device::http_device;
pub use image_input::image_input;
pub use log_recovery::log_recovery;
pub use mapping::mapping;
pub use message::message;
pub use model_file::model_file;
pub use ndjson::ndjson;
pub use packet::mqtt_packet;
pub use property_bag::property_bag;
pub use random::Random;
pub use registry_record::registry_record;
pub use rest::rest;
pub use route::route;
pub use sas_token::sas_token;
pub use session::mqtt_session;
pub use session_file::session_file;
pub use topic::topic;
pub use twin_patch::twin_patch;
pub use user_name::user_name;
pub use window_snapshot::window_snapshot;

/// One fuzz target.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Target {
    /// Its name: that of its libFuzzer program and of its folder in `corpus/`.
    pub name: &'static str,
    /// What runs one input; it panics when something does not hold.
    pub run: fn(&[u8]),
    /// How many changed inputs the tests run: fewer where one takes long.
    pub rounds: u32,
}

macro_rules! targets {
    ($($name:ident $rounds:literal,)*) => {
        /// All targets.
        pub const TARGETS: &[Target] =
            &[$(Target { name: stringify!($name), run: $name, rounds: $rounds }),*];
    };
}

targets! {
    amqp_connection 3_000,
    amqp_message 40_000,
    body 20_000,
    condition 20_000,
    connection_string 40_000,
    desired 20_000,
    http_device 3_000,
    image_input 3_000,
    log_recovery 600,
    mapping 20_000,
    message 40_000,
    model_file 20_000,
    mqtt_packet 40_000,
    mqtt_session 40_000,
    ndjson 20_000,
    property_bag 40_000,
    registry_record 20_000,
    rest 3_000,
    route 20_000,
    sas_token 40_000,
    session_file 2_000,
    topic 40_000,
    twin_patch 20_000,
    user_name 40_000,
    window_snapshot 10_000,
}
