//! Twins as structs.
//!
//! A module declares its properties as a struct and derives [`TwinProperties`]; [`Typed`] keeps such a struct in step
//! with a section, and says in types what has changed.

mod error;
mod property;
mod schema;

use crate::merge::merge_members;
use crate::{Map, Nulls, Patch, Value};

#[cfg(feature = "derive")]
pub use edge_twin_derive::TwinProperties;
pub use error::TypedError;
pub use property::Property;
pub use schema::{bounded_schema, described_schema, object_schema};

/// Properties that are a struct: one key for each field.
///
/// # Examples
/// ```
/// use edge_twin::typed::{Typed, TwinProperties};
/// use edge_twin::{Limits, Patch};
///
/// /// What the fan should do.
/// #[derive(Clone, Debug, PartialEq, TwinProperties)]
/// struct Fan {
///     /// Turns in a minute.
///     #[twin(default = 900_u32, range = 0..=3000)]
///     rpm: u32,
///     mode: Option<String>,
/// }
///
/// let mut fan = Typed::<Fan>::default();
/// let patch = Patch::parse(br#"{"mode": "night", "colour": "red"}"#, &Limits::default())?;
/// assert_eq!(fan.apply(&patch)?, [FanChange::Mode(Some("night".to_owned()))]);
/// assert_eq!(fan.values().rpm, 900);
///
/// let bad = Patch::parse(br#"{"mode": null, "rpm": 9000}"#, &Limits::default())?;
/// assert_eq!(fan.apply(&bad).unwrap_err().to_string(), "`rpm` is 9000, which is not in 0..=3000");
/// assert_eq!(fan.values().mode.as_deref(), Some("night"), "nothing has changed");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait TwinProperties: Clone + Default + PartialEq {
    /// A change of one of them.
    type Change;

    /// Reads them all; a property that is not there has its default, a key that is not known is passed over.
    ///
    /// # Errors
    /// [`TypedError`] says which property is wrong, and how.
    fn read(members: &Map) -> Result<Self, TypedError>;

    /// Writes them all.
    fn write(&self) -> Map;

    /// Returns what differs from what was before.
    fn changes(&self, before: &Self) -> Vec<Self::Change>;

    /// Returns a JSON Schema (draft 2020-12) of the properties.
    fn schema() -> Value;
}

/// Properties as a struct, and beside it what the struct does not know.
///
/// # Examples
/// See [`TwinProperties`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Typed<T> {
    values: T,
    members: Map,
}

impl<T: TwinProperties> Typed<T> {
    /// Reads a whole section, such as [`Section::to_map`](crate::Section::to_map).
    ///
    /// # Errors
    /// [`TypedError`] says which property is wrong, and how.
    pub fn read(members: Map) -> Result<Self, TypedError> {
        Ok(Self { values: T::read(&members)?, members })
    }

    /// Returns the properties.
    #[must_use]
    pub fn values(&self) -> &T {
        &self.values
    }

    /// Returns all members, those too that the struct does not know.
    #[must_use]
    pub fn members(&self) -> &Map {
        &self.members
    }

    /// Applies a patch, and returns what has changed; a property that the patch removes has its default.
    ///
    /// # Errors
    /// [`TypedError`] when a property would be wrong; then nothing has changed.
    pub fn apply(&mut self, patch: &Patch) -> Result<Vec<T::Change>, TypedError> {
        let mut members = self.members.clone();
        merge_members(&mut members, patch.members(), Nulls::Purge);
        let next = Self::read(members)?;
        let changes = next.values.changes(&self.values);
        *self = next;
        Ok(changes)
    }

    /// Sets the properties, and returns the patch that tells others; what the struct does not know stays.
    pub fn set(&mut self, values: T) -> Patch {
        let (before, after) = (self.values.write(), values.write());
        let known = Patch::between(&before, &after);
        // A property that had its default was not there before, so all that differs from the members is said.
        let mut members = self.members.clone();
        merge_members(&mut members, known.members(), Nulls::Purge);
        merge_members(&mut members, &after, Nulls::Purge);
        let patch = Patch::between(&self.members, &members);
        (self.values, self.members) = (values, members);
        patch
    }
}
