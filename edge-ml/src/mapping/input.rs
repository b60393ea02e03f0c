//! Tensors from a message.

use std::ops::Range;

use edge_core::Message;
use edge_core::fields::{FieldValue, FieldValues, Scalar};

use super::numbers::{self, Unfit};
use super::{MapError, Mapping};
use crate::{ElementType, Tensor};

/// One input of a model.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(super) element: ElementType,
    /// With the window in it.
    pub(super) shape: Vec<usize>,
    pub(super) window: usize,
    pub(super) from: From,
}

/// What a tensor is made of.
#[derive(Clone, Debug)]
pub(super) enum From {
    Fields(Vec<Pick>),
    Raw,
    #[cfg(feature = "image")]
    Image(super::image::Picture),
}

/// One field, and what is done to its value.
#[derive(Clone, Debug)]
pub(super) struct Pick {
    /// Where the field is in the mapping's set.
    pub(super) place: usize,
    pub(super) scale: f64,
    pub(super) offset: f64,
    pub(super) default: Option<f64>,
    pub(super) count: usize,
}

/// What one message gives to one tensor.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    Numbers(Vec<f64>),
    Texts(Vec<String>),
    Tensor(Tensor),
}

impl Input {
    pub(super) fn row(
        &self,
        message: &Message,
        found: &FieldValues<'_>,
        mapping: &Mapping,
    ) -> Result<Row, MapError> {
        match &self.from {
            From::Raw => self.raw(message.body()).map(Row::Tensor),
            #[cfg(feature = "image")]
            From::Image(picture) => {
                picture.tensor(message.body(), self.element, &self.shape).map(Row::Tensor)
            }
            From::Fields(picks) if self.element == ElementType::Text => {
                let texts = picks.iter().map(|pick| pick.text(found.at(pick.place), mapping));
                texts.collect::<Result<_, _>>().map(Row::Texts)
            }
            From::Fields(picks) => {
                let mut numbers = Vec::new();
                for pick in picks {
                    let range = pick.numbers(found.at(pick.place), mapping, &mut numbers)?;
                    self.check(pick, numbers.get(range).unwrap_or_default(), mapping)?;
                }
                Ok(Row::Numbers(numbers))
            }
        }
    }

    /// Checks that numbers are elements of the model's type, before they go into a window.
    fn check(&self, pick: &Pick, numbers: &[f64], mapping: &Mapping) -> Result<(), MapError> {
        match numbers::tensor(self.element, &[numbers.len()], numbers) {
            Err(Unfit::Number(number)) => Err(MapError::Range {
                field: pick.name(mapping),
                number: number.to_string(),
                element: self.element.name(),
            }),
            _ => Ok(()),
        }
    }

    fn raw(&self, body: &[u8]) -> Result<Tensor, MapError> {
        let wanted = self.shape.iter().product::<usize>() * self.element.size_bytes();
        if body.len() != wanted {
            return Err(MapError::RawLength { found: body.len(), wanted });
        }
        numbers::from_bytes(self.element, &self.shape, body).ok_or(MapError::RawValue)
    }

    /// Makes the tensor of what its window holds.
    pub(super) fn tensor(&self, row: Row) -> Result<Tensor, MapError> {
        let wrong = || MapError::Output { result: "input".into(), wanted: "tensor of the model's shape" };
        match row {
            Row::Tensor(tensor) => Ok(tensor),
            Row::Texts(texts) => Tensor::new(self.shape.as_slice(), texts).map_err(|_| wrong()),
            Row::Numbers(values) => numbers::tensor(self.element, &self.shape, &values).map_err(|_| wrong()),
        }
    }
}

impl Pick {
    fn name(&self, mapping: &Mapping) -> String {
        mapping.fields.get(self.place).map(ToString::to_string).unwrap_or_default()
    }

    /// Appends the numbers at the field, and returns where they are.
    fn numbers(
        &self,
        value: FieldValue<'_>,
        mapping: &Mapping,
        out: &mut Vec<f64>,
    ) -> Result<Range<usize>, MapError> {
        let start = out.len();
        if let (FieldValue::Json(json), true) = (value, self.count > 1)
            && json.starts_with('[')
        {
            let all: Vec<f64> = serde_json::from_str(json)
                .map_err(|_| self.kind("an array with other things than numbers", mapping))?;
            if all.len() != self.count {
                let (field, found, wanted) = (self.name(mapping), all.len(), self.count);
                return Err(MapError::Count { field, found, wanted });
            }
            out.extend(all.iter().map(|number| self.scaled(*number)));
            return Ok(start..out.len());
        }
        let number = match (value.number(), self.default) {
            (Ok(number), _) if number.is_finite() => self.scaled(number),
            (Ok(_), _) => return Err(self.kind("infinite or not a number", mapping)),
            (Err(Scalar::Bool(value)), _) => self.scaled(f64::from(u8::from(value))),
            (Err(Scalar::Missing | Scalar::Null), Some(default)) => default,
            (Err(Scalar::Missing), None) => return Err(MapError::Missing { field: self.name(mapping) }),
            (Err(other), _) => return Err(self.kind(other.kind(), mapping)),
        };
        if self.count > 1 && !matches!(value, FieldValue::Missing) && value.number().is_ok() {
            return Err(MapError::Count { field: self.name(mapping), found: 1, wanted: self.count });
        }
        out.extend(std::iter::repeat_n(number, self.count));
        Ok(start..out.len())
    }

    fn scaled(&self, number: f64) -> f64 {
        (number + self.offset) * self.scale
    }

    fn kind(&self, found: &str, mapping: &Mapping) -> MapError {
        MapError::Kind { field: self.name(mapping), found: found.into(), wanted: "a finite number" }
    }

    fn text(&self, value: FieldValue<'_>, mapping: &Mapping) -> Result<String, MapError> {
        match value.scalar() {
            Scalar::Text(text) => Ok(text.into_owned()),
            Scalar::Number(number) => Ok(number.to_string()),
            Scalar::Bool(value) => Ok(value.to_string()),
            Scalar::Missing => Err(MapError::Missing { field: self.name(mapping) }),
            other => {
                let (field, found) = (self.name(mapping), other.kind().into());
                Err(MapError::Kind { field, found, wanted: "a text" })
            }
        }
    }
}
