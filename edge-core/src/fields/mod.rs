//! Fields of messages: named as routes name them, and read without building a tree of the body.
//!
//! | text | field |
//! |---|---|
//! | `$body.machine.speed`, `$body.axes[2]`, `$body["odd name"].x` | a value in a JSON body |
//! | `$body` | the whole JSON body |
//! | `$connectionDeviceId` | a system property, see [`SystemKey`](crate::SystemKey) |
//! | `line` | an application property |
//!
//! Behind the feature `fields`.

mod path;
mod set;
mod value;

pub use path::{Field, FieldParseError};
pub use set::{BodyError, FieldSet, FieldValues};
pub use value::{FieldValue, Scalar};
