//! What a service changes of a twin.

use crate::{Map, Patch, PatchError, TwinLimits, Value};

/// A service's change of tags and desired properties, read from `{"tags": …, "properties": {"desired": …}}`.
///
/// # Examples
/// ```
/// use edge_twin::{TwinLimits, TwinUpdate};
///
/// let text = br#"{"tags": {"plant": "3"}, "properties": {"desired": {"rpm": 900}}, "deviceId": "press-7"}"#;
/// let update = TwinUpdate::parse(text, &TwinLimits::default())?;
/// assert_eq!(update.tags.map(|tags| tags.to_json()), Some(r#"{"plant":"3"}"#.into()));
/// # Ok::<(), edge_twin::PatchError>(())
/// ```
///
/// # Source
/// Azure IoT Hub, REST "Twin - Update" and "Twin - Replace". Members that a service cannot change are ignored, because
/// the SDKs send back whole twins.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TwinUpdate {
    /// The change of the tags, if any.
    pub tags: Option<Patch>,
    /// The change of the desired properties, if any.
    pub desired: Option<Patch>,
}

impl TwinUpdate {
    /// Returns a change of desired properties alone.
    #[must_use]
    pub fn of_desired(patch: Patch) -> Self {
        Self { tags: None, desired: Some(patch) }
    }

    /// Returns a change of tags alone.
    #[must_use]
    pub fn of_tags(patch: Patch) -> Self {
        Self { tags: Some(patch), desired: None }
    }

    /// Reads and checks a change.
    ///
    /// # Errors
    /// [`PatchError`] says what is wrong, where, and what the limit is.
    pub fn parse(text: &[u8], limits: &TwinLimits) -> Result<Self, PatchError> {
        let max = limits.tags.text_bytes.max(limits.desired.text_bytes);
        if text.len() > max {
            return Err(PatchError::TextTooLong { bytes: text.len(), max });
        }
        let mut twin = object(Value::parse(text)?, "the twin")?;
        let tags = match twin.remove("tags") {
            None | Some(Value::Null) => None,
            Some(tags) => {
                let tags = Patch::from_value(object(tags, "tags")?.into(), &limits.tags);
                Some(tags.map_err(|error| error.below("tags"))?)
            }
        };
        let mut properties = match twin.remove("properties") {
            None | Some(Value::Null) => Map::new(),
            Some(properties) => object(properties, "properties")?,
        };
        let desired = match properties.remove("desired") {
            None | Some(Value::Null) => None,
            Some(desired) => {
                let desired = object(desired, "properties.desired")?;
                let desired = Patch::from_value(desired.into(), &limits.desired);
                Some(desired.map_err(|error| error.below("properties.desired"))?)
            }
        };
        Ok(Self { tags, desired })
    }
}

fn object(value: Value, what: &'static str) -> Result<Map, PatchError> {
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(PatchError::NotAnObject { what }),
    }
}
