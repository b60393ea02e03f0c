//! The last messages of each device.

use std::collections::VecDeque;

use edge_core::fields::{FieldValue, FieldValues, Scalar};
use hashlink::LruCache;

use super::input::Row;
use super::{MapError, Mapping};

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// By device and module, at these places.
    Identity(usize, usize),
    Field(usize),
}

/// The last messages of each key, as far as a mapping's windows go back.
///
/// They are in memory: after a restart windows fill anew.
///
/// # Examples
/// See [`Mapping`].
#[derive(Debug)]
pub struct MappingWindows {
    /// For each input of the mapping, the rows of the window; the key that was silent longest first.
    keys: LruCache<Box<str>, Vec<VecDeque<Row>>>,
    forgotten: u64,
}

impl MappingWindows {
    /// Returns windows without messages.
    #[must_use]
    pub fn new(_: &Mapping) -> Self {
        Self { keys: LruCache::new_unbounded(), forgotten: 0 }
    }

    /// Returns how many keys were forgotten because there were more than allowed.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Returns how many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Adds a message's rows, and returns those of all windows when they are full.
    pub(super) fn push(
        &mut self,
        mapping: &Mapping,
        found: &FieldValues<'_>,
        rows: Vec<Row>,
    ) -> Result<Option<Vec<Row>>, MapError> {
        if mapping.inputs.iter().all(|input| input.window == 1) {
            return Ok(Some(rows));
        }
        let key = key(mapping, found)?;
        if !self.keys.contains_key(&*key) {
            if self.keys.len() >= mapping.max_keys {
                self.keys.remove_lru();
                self.forgotten += 1;
            }
            self.keys.insert(key.clone(), vec![VecDeque::new(); rows.len()]);
        }
        let Some(windows) = self.keys.get_mut(&*key) else { return Ok(None) };
        for ((window, row), input) in windows.iter_mut().zip(rows).zip(&mapping.inputs) {
            window.push_back(row);
            if window.len() > input.window {
                window.pop_front();
            }
        }
        let full = windows.iter().zip(&mapping.inputs).all(|(window, input)| window.len() == input.window);
        Ok(full.then(|| windows.iter().map(joined).collect()))
    }
}

/// Puts the rows of a window one after the other.
fn joined(window: &VecDeque<Row>) -> Row {
    let mut numbers = Vec::new();
    let mut texts = Vec::new();
    for row in window {
        match row {
            Row::Numbers(row) => numbers.extend_from_slice(row),
            Row::Texts(row) => texts.extend_from_slice(row),
            Row::Tensor(tensor) => return Row::Tensor(tensor.clone()),
        }
    }
    if texts.is_empty() { Row::Numbers(numbers) } else { Row::Texts(texts) }
}

fn key(mapping: &Mapping, found: &FieldValues<'_>) -> Result<Box<str>, MapError> {
    match mapping.key {
        Key::Identity(device, module) => {
            let text = |place| match found.at(place) {
                FieldValue::Text(text) => text,
                _ => "",
            };
            Ok(format!("{}/{}", text(device), text(module)).into())
        }
        Key::Field(place) => {
            let field = || mapping.fields.get(place).map(ToString::to_string).unwrap_or_default();
            let text = match found.at(place).scalar() {
                Scalar::Text(text) => text.into_owned(),
                Scalar::Number(number) => number.to_string(),
                Scalar::Missing => return Err(MapError::Missing { field: field() }),
                other => {
                    let found = other.kind().into();
                    return Err(MapError::Kind { field: field(), found, wanted: "a text or a number" });
                }
            };
            if text.len() > 256 {
                let found = "longer than 256 bytes".into();
                return Err(MapError::Kind { field: field(), found, wanted: "a short text" });
            }
            Ok(text.into())
        }
    }
}
