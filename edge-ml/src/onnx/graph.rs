//! Graphs, nodes and their attributes.

use std::collections::HashSet;

use super::constant::Constant;
use super::wire::Wire;
use super::{FileError, FileLimits};
use crate::Dim;

/// What is left of the file's limits.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) nodes: usize,
    pub(crate) limits: FileLimits,
}

/// A graph of nodes.
#[derive(Debug, Default)]
pub(crate) struct Graph<'a> {
    pub(crate) nodes: Vec<Node<'a>>,
    pub(crate) constants: Vec<Constant<'a>>,
    pub(crate) inputs: Vec<ValueInfo<'a>>,
    pub(crate) outputs: Vec<ValueInfo<'a>>,
}

/// One operator at its place.
#[derive(Debug, Default)]
pub(crate) struct Node<'a> {
    pub(crate) name: &'a str,
    pub(crate) operator: &'a str,
    pub(crate) domain: &'a str,
    pub(crate) inputs: Vec<&'a str>,
    pub(crate) outputs: Vec<&'a str>,
    pub(crate) attributes: Vec<(&'a str, Attribute<'a>)>,
}

/// What an attribute says.
#[derive(Debug)]
pub(crate) enum Attribute<'a> {
    Float(f32),
    Int(i64),
    Text(&'a [u8]),
    Tensor(Box<Constant<'a>>),
    Graph(Box<Graph<'a>>),
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    Texts(Vec<&'a [u8]>),
    /// Of a kind that no operator here has.
    Other,
}

/// What kind of value an input or output is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ValueKind {
    /// A tensor whose elements have this type of ONNX.
    Tensor(i64),
    /// A list of maps, as classifiers make it: the type of its keys.
    Maps(i64),
    #[default]
    Other,
}

/// An input or an output of a graph.
#[derive(Debug, Default)]
pub(crate) struct ValueInfo<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: ValueKind,
    pub(crate) dims: Option<Vec<Dim>>,
}

impl<'a> Graph<'a> {
    pub(crate) fn read(bytes: &'a [u8], depth: usize, budget: &mut Budget) -> Result<Self, FileError> {
        if depth > budget.limits.max_depth {
            return Err(FileError::TooDeep { limit: budget.limits.max_depth });
        }
        let mut graph = Self::default();
        let mut wire = Wire::new(bytes);
        while let Some((number, field)) = wire.field()? {
            match number {
                1 => graph.nodes.push(Node::read(field.bytes()?, depth, budget)?),
                5 => graph.constants.push(Constant::read(field.bytes()?)?),
                11 => graph.inputs.push(ValueInfo::read(field.bytes()?)?),
                12 => graph.outputs.push(ValueInfo::read(field.bytes()?)?),
                15 => return Err(FileError::Malformed { what: "sparse constants".into() }),
                _ => {}
            }
        }
        Ok(graph)
    }

    /// Checks that every value is given before it is taken, and once.
    pub(crate) fn check(&self, outer: &[&HashSet<&'a str>]) -> Result<(), FileError> {
        let constants = self.constants.iter().map(|constant| constant.name);
        let mut given: HashSet<&str> = self.inputs.iter().map(|input| input.name).chain(constants).collect();
        for node in &self.nodes {
            for &value in node.inputs.iter().filter(|value| !value.is_empty()) {
                if !given.contains(value) && !outer.iter().any(|outer| outer.contains(value)) {
                    return Err(FileError::Dangling { node: node.title().into(), value: value.into() });
                }
            }
            for (_, attribute) in &node.attributes {
                if let Attribute::Graph(inner) = attribute {
                    let mut around = outer.to_vec();
                    around.push(&given);
                    inner.check(&around)?;
                }
            }
            for &value in node.outputs.iter().filter(|value| !value.is_empty()) {
                if !given.insert(value) {
                    return Err(FileError::GivenTwice { value: value.into() });
                }
            }
        }
        for output in &self.outputs {
            if !given.contains(output.name) && !outer.iter().any(|outer| outer.contains(output.name)) {
                return Err(FileError::Dangling { node: "the outputs".into(), value: output.name.into() });
            }
        }
        Ok(())
    }
}

impl<'a> Node<'a> {
    fn read(bytes: &'a [u8], depth: usize, budget: &mut Budget) -> Result<Self, FileError> {
        let limit = budget.limits.max_nodes;
        budget.nodes = budget.nodes.checked_sub(1).ok_or(FileError::TooManyNodes { limit })?;
        let mut node = Self::default();
        let mut wire = Wire::new(bytes);
        while let Some((number, field)) = wire.field()? {
            match number {
                1 => node.inputs.push(field.text()?),
                2 => node.outputs.push(field.text()?),
                3 => node.name = field.text()?,
                4 => node.operator = field.text()?,
                5 => node.attributes.push(attribute(field.bytes()?, depth, budget)?),
                7 => node.domain = field.text()?,
                _ => {}
            }
        }
        Ok(node)
    }

    /// Returns the node's name, or what it gives when it has none.
    pub(crate) fn title(&self) -> &'a str {
        let first = self.outputs.first().copied().unwrap_or("");
        if self.name.is_empty() { first } else { self.name }
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute<'a>> {
        self.attributes.iter().find(|(found, _)| *found == name).map(|(_, attribute)| attribute)
    }

    pub(crate) fn float(&self, name: &str) -> Option<f32> {
        if let Some(Attribute::Float(value)) = self.attribute(name) { Some(*value) } else { None }
    }

    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        if let Some(Attribute::Int(value)) = self.attribute(name) { Some(*value) } else { None }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        if let Some(Attribute::Text(value)) = self.attribute(name) {
            std::str::from_utf8(value).ok()
        } else {
            None
        }
    }

    pub(crate) fn floats(&self, name: &str) -> &[f32] {
        if let Some(Attribute::Floats(values)) = self.attribute(name) { values } else { &[] }
    }

    pub(crate) fn ints(&self, name: &str) -> &[i64] {
        if let Some(Attribute::Ints(values)) = self.attribute(name) { values } else { &[] }
    }

    pub(crate) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let Some(Attribute::Texts(values)) = self.attribute(name) else { return Some(Vec::new()) };
        values.iter().map(|value| std::str::from_utf8(value).ok().map(Into::into)).collect()
    }
}

fn attribute<'a>(
    bytes: &'a [u8],
    depth: usize,
    budget: &mut Budget,
) -> Result<(&'a str, Attribute<'a>), FileError> {
    let (mut name, mut kind) = ("", 0);
    let (mut float, mut int, mut text) = (0.0, 0, &b""[..]);
    let (mut tensor, mut graph) = (None, None);
    let (mut floats, mut ints, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = 0;
    let mut wire = Wire::new(bytes);
    while let Some((number, field)) = wire.field()? {
        // What type 20 would say can be told from the field that is set, in files that leave it out.
        seen = match number {
            2..=9 => number,
            10 | 11 | 14 | 15 | 22 | 23 => 99,
            _ => seen,
        };
        match number {
            1 => name = field.text()?,
            2 => float = f32::from_bits(u32::try_from(field.number()?).unwrap_or_default()),
            3 => int = field.signed()?,
            4 => text = field.bytes()?,
            5 => tensor = Some(Constant::read(field.bytes()?)?),
            6 => graph = Some(Graph::read(field.bytes()?, depth + 1, budget)?),
            7 => field.floats(&mut floats)?,
            8 => field.integers(&mut ints)?,
            9 => texts.push(field.bytes()?),
            20 => kind = field.number()?,
            _ => {}
        }
    }
    let kind = if kind == 0 { seen.saturating_sub(1) } else { kind };
    let value = match (kind, tensor, graph) {
        (1, ..) => Attribute::Float(float),
        (2, ..) => Attribute::Int(int),
        (3, ..) => Attribute::Text(text),
        (4, Some(tensor), _) => Attribute::Tensor(Box::new(tensor)),
        (5, _, Some(graph)) => Attribute::Graph(Box::new(graph)),
        (6, ..) => Attribute::Floats(floats),
        (7, ..) => Attribute::Ints(ints),
        (8, ..) => Attribute::Texts(texts),
        _ => Attribute::Other,
    };
    Ok((name, value))
}

impl<'a> ValueInfo<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, FileError> {
        let mut info = Self::default();
        let mut wire = Wire::new(bytes);
        while let Some((number, field)) = wire.field()? {
            match number {
                1 => info.name = field.text()?,
                2 => (info.kind, info.dims) = value_type(field.bytes()?)?,
                _ => {}
            }
        }
        Ok(info)
    }
}

/// Reads a type: a tensor, or a list of maps.
fn value_type(bytes: &[u8]) -> Result<(ValueKind, Option<Vec<Dim>>), FileError> {
    let mut wire = Wire::new(bytes);
    while let Some((number, field)) = wire.field()? {
        match number {
            1 => return tensor_type(field.bytes()?),
            4 => return Ok((maps(field.bytes()?)?, None)),
            _ => {}
        }
    }
    Ok((ValueKind::Other, None))
}

fn tensor_type(bytes: &[u8]) -> Result<(ValueKind, Option<Vec<Dim>>), FileError> {
    let (mut element, mut dims) = (0, None);
    let mut wire = Wire::new(bytes);
    while let Some((number, field)) = wire.field()? {
        match number {
            1 => element = field.signed()?,
            2 => {
                let mut all = Vec::new();
                let mut shape = Wire::new(field.bytes()?);
                while let Some((number, field)) = shape.field()? {
                    if number == 1 {
                        all.push(dim(field.bytes()?)?);
                    }
                }
                dims = Some(all);
            }
            _ => {}
        }
    }
    Ok((ValueKind::Tensor(element), dims))
}

fn dim(bytes: &[u8]) -> Result<Dim, FileError> {
    let mut dim = Dim::Any;
    let mut wire = Wire::new(bytes);
    while let Some((number, field)) = wire.field()? {
        match number {
            // Exporters write 0 or -1 where they mean any size.
            1 => {
                dim = usize::try_from(field.signed()?)
                    .ok()
                    .filter(|size| *size > 0)
                    .map_or(Dim::Any, Dim::Fixed)
            }
            2 if !field.bytes()?.is_empty() => dim = Dim::Symbol(field.text()?.into()),
            _ => {}
        }
    }
    Ok(dim)
}

/// Reads a list's type, and returns the type of the keys of the maps in it.
fn maps(bytes: &[u8]) -> Result<ValueKind, FileError> {
    let find = |bytes, wanted| -> Result<Option<_>, FileError> {
        let mut wire = Wire::new(bytes);
        while let Some((number, field)) = wire.field()? {
            if number == wanted {
                return Ok(Some(field));
            }
        }
        Ok(None)
    };
    let Some(element) = find(bytes, 1)? else { return Ok(ValueKind::Other) };
    let Some(map) = find(element.bytes()?, 5)? else { return Ok(ValueKind::Other) };
    let key = find(map.bytes()?, 1)?;
    key.map_or(Ok(0), |key| key.signed()).map(ValueKind::Maps)
}
