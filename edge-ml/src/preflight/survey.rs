//! What is in a file, and what runs it.

use std::collections::BTreeMap;

use super::{Demands, Objection, Preflight};
use crate::load::{LoadError, UnsupportedNode};
use crate::model::InferenceModel;
use crate::onnx::{Attribute, FileLimits, Graph, OnnxFile};
use crate::signature::{Dim, Port};
use crate::tabular::{self, TabularModel};
use crate::tensor::{ElementType, Tensor};

/// What runs a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Engine {
    /// The evaluator of tables in this crate.
    Tables,
    /// `tract`.
    Tract,
}

/// How a model file is read.
#[cfg(feature = "tract")]
pub type ReadOptions = crate::TractOptions;

/// How a model file is read.
#[cfg(not(feature = "tract"))]
pub type ReadOptions = FileLimits;

#[cfg(feature = "tract")]
fn limits(options: &ReadOptions) -> &FileLimits {
    &options.limits
}

#[cfg(not(feature = "tract"))]
fn limits(options: &ReadOptions) -> &FileLimits {
    options
}

/// A model, what runs it, and the open dimensions that were given a size.
type Read = (Box<dyn InferenceModel>, Engine, Vec<(String, usize)>);

/// Reads a model from the bytes of an ONNX file with what runs it best: models of tables by the evaluator in this crate,
/// others by the engine that was built in.
///
/// # Errors
/// [`LoadError`] when the file is no model, or one that nothing here runs.
pub fn read(bytes: &[u8], options: &ReadOptions) -> Result<Read, LoadError> {
    let file = OnnxFile::read(bytes, limits(options))?;
    let of_tables = TabularModel::of_file(&file);
    match of_tables {
        // Options that specialise a model are the engine's.
        Ok(model) if is_plain(options) => Ok((Box::new(model), Engine::Tables, Vec::new())),
        #[cfg(feature = "tract")]
        _ => {
            drop(file);
            let model = crate::TractModel::read(bytes, options)?;
            let resolved = model.resolved().to_vec();
            Ok((Box::new(model), Engine::Tract, resolved))
        }
        #[cfg(not(feature = "tract"))]
        Ok(model) => Ok((Box::new(model), Engine::Tables, Vec::new())),
        #[cfg(not(feature = "tract"))]
        Err(error) => Err(error),
    }
}

#[cfg(feature = "tract")]
fn is_plain(options: &ReadOptions) -> bool {
    options.dims.is_empty() && options.shapes.is_empty() && options.constants.is_empty()
}

#[cfg(not(feature = "tract"))]
fn is_plain(_: &ReadOptions) -> bool {
    true
}

impl Preflight {
    /// Lists what is in the file, without running anything; returns whether it is a model file at all.
    pub(super) fn survey(bytes: &[u8], demands: &Demands) -> (Self, bool) {
        let mut report = Self {
            engine: None,
            signature: None,
            operators: BTreeMap::new(),
            not_of_tables: Vec::new(),
            resolved: Vec::new(),
            constant_bytes: 0,
            memory_bytes: 0,
            run_time: None,
            objections: Vec::new(),
        };
        match OnnxFile::read(bytes, limits(&demands.read)) {
            Ok(file) => {
                report.count(&file.graph, &file);
                (report, true)
            }
            Err(error) => {
                report.objections.push(Objection::File(error));
                (report, false)
            }
        }
    }

    fn count(&mut self, graph: &Graph<'_>, file: &OnnxFile<'_>) {
        let constants = graph.constants.iter().map(|constant| constant.bytes() as u64);
        self.constant_bytes = constants.fold(self.constant_bytes, u64::saturating_add);
        for node in &graph.nodes {
            let listed = UnsupportedNode::of(node);
            *self.operators.entry(listed.operator.clone()).or_default() += 1;
            if node.operator != "Constant" && !tabular::is_supported(node, file) {
                self.not_of_tables.push(listed);
            }
            for (_, attribute) in &node.attributes {
                if let Attribute::Graph(inner) = attribute {
                    self.count(inner, file);
                }
            }
        }
    }
}

/// Returns zeros for an input, one where its size is open; `None` when they would be too many.
pub(super) fn zeros(port: &Port) -> Option<Tensor> {
    let size = |dim: &Dim| if let Dim::Fixed(size) = dim { *size } else { 1 };
    let shape: Vec<_> = port.dims.as_ref()?.iter().map(size).collect();
    let count =
        shape.iter().try_fold(1usize, |n, dim| n.checked_mul(*dim)).filter(|count| *count <= 1 << 26)?;
    let tensor = match port.element {
        ElementType::F32 => Tensor::new(shape, vec![0f32; count]),
        ElementType::F64 => Tensor::new(shape, vec![0f64; count]),
        ElementType::I64 => Tensor::new(shape, vec![0i64; count]),
        ElementType::I32 => Tensor::new(shape, vec![0i32; count]),
        ElementType::U8 => Tensor::new(shape, vec![0u8; count]),
        ElementType::Bool => Tensor::new(shape, vec![false; count]),
        ElementType::Text => Tensor::new(shape, vec![String::new(); count]),
        _ => return None,
    };
    tensor.ok()
}
