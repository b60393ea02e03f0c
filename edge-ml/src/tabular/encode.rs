//! Operators on categories: encoding, mapping, picking and joining columns.

use std::collections::HashMap;
use std::hash::Hash;

use super::kernel::{Answer, Fault, Inputs, Kernel, Rows, along_columns, fault, numbers, values};
use crate::onnx::Node;
use crate::tensor::{Element, Tensor, TensorView};

/// The elements of a table, from one kind to another.
#[derive(Debug)]
enum Column {
    Texts(Vec<String>),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
}

impl Column {
    fn read(node: &Node<'_>, texts: &str, ints: &str, floats: &str) -> Option<Self> {
        let found = node.texts(texts)?;
        Some(if !found.is_empty() {
            Self::Texts(found)
        } else if !node.ints(ints).is_empty() {
            Self::Ints(node.ints(ints).to_vec())
        } else if !node.floats(floats).is_empty() {
            Self::Floats(node.floats(floats).to_vec())
        } else {
            return None;
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Texts(all) => all.len(),
            Self::Ints(all) => all.len(),
            Self::Floats(all) => all.len(),
        }
    }

    /// Returns the tensor of the elements at these places; where there is none, of `default`.
    fn at(&self, shape: &[usize], places: &[Option<usize>], default: &Defaults) -> Result<Tensor, Fault> {
        fn pick<T: Clone>(all: &[T], places: &[Option<usize>], default: &T) -> Vec<T> {
            places.iter().map(|place| place.and_then(|at| all.get(at)).unwrap_or(default).clone()).collect()
        }
        Ok(match self {
            Self::Texts(all) => Tensor::new(shape, pick(all, places, &default.text))?,
            Self::Ints(all) => Tensor::new(shape, pick(all, places, &default.int))?,
            Self::Floats(all) => Tensor::new(shape, pick(all, places, &default.float))?,
        })
    }
}

#[derive(Debug)]
struct Defaults {
    text: String,
    int: i64,
    float: f32,
}

/// Where each key is.
#[derive(Debug)]
enum Keys {
    Texts(HashMap<String, usize>),
    Ints(HashMap<i64, usize>),
    Floats(HashMap<u32, usize>, bool),
}

/// Returns the bits by which two equal numbers are the same key.
fn bits(value: f32, nan_is_a_key: bool) -> Option<u32> {
    if value.is_nan() {
        return nan_is_a_key.then_some(f32::NAN.to_bits());
    }
    Some((value + 0.0).to_bits())
}

fn index<K: Eq + Hash>(keys: impl IntoIterator<Item = Option<K>>) -> HashMap<K, usize> {
    let mut map = HashMap::new();
    for (place, key) in keys.into_iter().enumerate() {
        if let Some(key) = key {
            map.entry(key).or_insert(place);
        }
    }
    map
}

impl Keys {
    fn new(column: Column, nan_is_a_key: bool) -> Self {
        match column {
            Column::Texts(all) => Self::Texts(index(all.into_iter().map(Some))),
            Column::Ints(all) => Self::Ints(index(all.into_iter().map(Some))),
            Column::Floats(all) => {
                Self::Floats(index(all.into_iter().map(|key| bits(key, nan_is_a_key))), nan_is_a_key)
            }
        }
    }

    fn places(&self, view: TensorView<'_>) -> Result<Vec<Option<usize>>, Fault> {
        Ok(match self {
            Self::Texts(map) => values::<String>(view)?.iter().map(|key| map.get(key).copied()).collect(),
            Self::Ints(map) => values::<i64>(view)?.iter().map(|key| map.get(key).copied()).collect(),
            Self::Floats(map, nan_is_a_key) => {
                let found = |key: &f32| bits(*key, *nan_is_a_key).and_then(|key| map.get(&key).copied());
                values::<f32>(view)?.iter().map(found).collect()
            }
        })
    }
}

/// `LabelEncoder` and `CategoryMapper`: each element to another by a table.
#[derive(Debug)]
pub(crate) struct Mapper {
    forth: Keys,
    values: Column,
    /// The other way, for operators that go by the kind of their input.
    back: Option<(Keys, Column)>,
    default: Defaults,
}

impl Mapper {
    /// Reads a `LabelEncoder` of any version.
    pub(crate) fn label_encoder(node: &Node<'_>, version: i64) -> Option<Self> {
        if version < 2 {
            let classes = node.texts("classes_strings")?;
            return Self::both_ways(node, classes.clone(), (0..classes.len() as i64).collect(), "_Unused");
        }
        // Keys and values as tensors are written for element types that no table here has.
        if node.attribute("keys_tensor").is_some() || node.attribute("values_tensor").is_some() {
            return None;
        }
        let keys = Column::read(node, "keys_strings", "keys_int64s", "keys_floats")?;
        let values = Column::read(node, "values_strings", "values_int64s", "values_floats")?;
        let default = Defaults {
            text: node.text("default_string").unwrap_or("_Unused").into(),
            int: node.int("default_int64").unwrap_or(-1),
            float: node.float("default_float").unwrap_or(-0.0),
        };
        (keys.len() == values.len()).then(|| Self {
            forth: Keys::new(keys, version >= 4),
            values,
            back: None,
            default,
        })
    }

    pub(crate) fn category_mapper(node: &Node<'_>) -> Option<Self> {
        Self::both_ways(node, node.texts("cats_strings")?, node.ints("cats_int64s").to_vec(), "_Unused")
    }

    fn both_ways(node: &Node<'_>, texts: Vec<String>, ints: Vec<i64>, unknown: &str) -> Option<Self> {
        if texts.len() != ints.len() || texts.is_empty() {
            return None;
        }
        let default = Defaults {
            text: node.text("default_string").unwrap_or(unknown).into(),
            int: node.int("default_int64").unwrap_or(-1),
            float: 0.0,
        };
        let forth = Keys::new(Column::Texts(texts.clone()), false);
        let back = Some((Keys::new(Column::Ints(ints.clone()), false), Column::Texts(texts)));
        Some(Self { forth, values: Column::Ints(ints), back, default })
    }
}

impl Kernel for Mapper {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let view = inputs.get(0)?;
        let (keys, values) = match &self.back {
            Some((keys, values)) if view.values::<i64>().is_some() => (keys, values),
            _ => (&self.forth, &self.values),
        };
        Ok(vec![values.at(view.shape(), &keys.places(view)?, &self.default)?])
    }
}

/// `OneHotEncoder`: a column for each category.
#[derive(Debug)]
pub(crate) struct OneHot {
    keys: Keys,
    count: usize,
    /// Whether an unknown category is a row of zeros, and not an error.
    takes_unknown: bool,
}

impl OneHot {
    pub(crate) fn read(node: &Node<'_>) -> Option<Self> {
        let column = Column::read(node, "cats_strings", "cats_int64s", "")?;
        let takes_unknown = node.int("zeros").unwrap_or(1) != 0;
        Some(Self { count: column.len(), keys: Keys::new(column, false), takes_unknown })
    }
}

impl Kernel for OneHot {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let view = inputs.get(0)?;
        let truncated: Vec<i64>;
        let keys = match view.values::<f32>() {
            Some(floats) => {
                truncated = floats.iter().map(|&value| value as i64).collect();
                TensorView::new(view.shape(), &truncated)?
            }
            None => view,
        };
        let places = self.keys.places(keys)?;
        if !self.takes_unknown && places.contains(&None) {
            return Err(fault!("a category that the model does not know"));
        }
        let mut flags = vec![0.0f32; places.len() * self.count];
        for (row, place) in flags.chunks_exact_mut(self.count).zip(places) {
            if let Some(flag) = place.and_then(|place| row.get_mut(place)) {
                *flag = 1.0;
            }
        }
        let shape: Vec<_> = view.shape().iter().copied().chain([self.count]).collect();
        Ok(vec![Tensor::new(shape, flags)?])
    }

    fn rows(&self, inputs: &[Rows]) -> Rows {
        along_columns(inputs, true)
    }
}

/// `ArrayFeatureExtractor`: picks elements of the last dimension.
#[derive(Debug)]
pub(crate) struct Extractor;

fn extract<T: Element>(view: TensorView<'_>, picked: &[i64]) -> Answer {
    let columns = view.shape().last().copied().unwrap_or(1);
    let mut out = Vec::with_capacity(picked.len() * view.len() / columns.max(1));
    for row in values::<T>(view)?.chunks_exact(columns.max(1)) {
        for &column in picked {
            let value = usize::try_from(column).ok().and_then(|column| row.get(column));
            out.push(value.ok_or_else(|| fault!("there is no column {column} of {columns}"))?.clone());
        }
    }
    let mut shape: Vec<_> = if view.shape().len() < 2 { vec![1] } else { view.shape().to_vec() };
    if view.shape().len() >= 2 {
        shape.pop();
    }
    shape.push(picked.len());
    Ok(vec![Tensor::new(shape, out)?])
}

impl Kernel for Extractor {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let (view, picked) = (inputs.get(0)?, inputs.values::<i64>(1)?);
        match view.element_type() {
            crate::ElementType::F32 => extract::<f32>(view, picked),
            crate::ElementType::F64 => extract::<f64>(view, picked),
            crate::ElementType::I64 => extract::<i64>(view, picked),
            crate::ElementType::I32 => extract::<i32>(view, picked),
            crate::ElementType::Text => extract::<String>(view, picked),
            other => Err(fault!("{other} cannot be extracted")),
        }
    }

    fn rows(&self, inputs: &[Rows]) -> Rows {
        match inputs {
            [rows, Rows::Constant] => along_columns(&[*rows], true),
            // One row that is the same for all inputs: what is picked stands side by side.
            [Rows::Constant, Rows::Kept] => Rows::Turned,
            _ => Rows::Mixed,
        }
    }
}

/// `FeatureVectorizer`: puts matrices side by side, as `f32`.
#[derive(Debug)]
pub(crate) struct Vectorizer(pub(crate) Vec<usize>);

impl Kernel for Vectorizer {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let mut parts = Vec::new();
        for (view, &width) in inputs.iter().zip(&self.0) {
            let (rows, columns) = super::kernel::dims(view)?;
            if columns != width {
                return Err(fault!("{columns} columns where the model has {width}"));
            }
            parts.push((rows, columns, numbers(view)?));
        }
        let rows = parts.first().map_or(0, |(rows, ..)| *rows);
        if parts.len() != self.0.len() || parts.iter().any(|(other, ..)| *other != rows) {
            return Err(fault!("the parts have not as many rows each"));
        }
        let mut out = Vec::new();
        for row in 0..rows {
            for (_, columns, numbers) in &parts {
                out.extend_from_slice(numbers.get(row * columns..(row + 1) * columns).unwrap_or_default());
            }
        }
        Ok(vec![Tensor::new([rows, self.0.iter().sum()], out)?])
    }

    fn rows(&self, inputs: &[Rows]) -> Rows {
        along_columns(inputs, true)
    }
}

/// `ZipMap`: names the columns; the matrix stays one, and its labels go into the signature.
#[derive(Debug)]
pub(crate) struct ZipMap(pub(crate) Vec<String>);

impl Kernel for ZipMap {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let view = inputs.get(0)?;
        if view.shape().last() == Some(&self.0.len()) {
            Ok(vec![view.to_tensor()])
        } else {
            Err(fault!("{} labels for a matrix of shape {:?}", self.0.len(), view.shape()))
        }
    }

    fn labels(&self) -> Option<Vec<String>> {
        Some(self.0.clone())
    }
}
