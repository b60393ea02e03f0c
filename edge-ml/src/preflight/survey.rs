//! What is in a file, and what runs it.

use std::collections::BTreeMap;

use super::{Demands, Objection, Preflight};
use crate::engine::Engine;
use crate::load::{LoadError, UnsupportedNode};
use crate::model::InferenceModel;
use crate::onnx::{Attribute, Graph, OnnxFile};
use crate::options::ReadOptions;
use crate::signature::{Dim, Port};
use crate::tabular::{self, TabularModel};
use crate::tensor::{ElementType, Tensor};

/// A model, what runs it, and the open dimensions that were given a size.
type Read = (Box<dyn InferenceModel>, Engine, Vec<(String, usize)>);

/// Reads a model from the bytes of an ONNX file with the engine that the options name; without one, models of tables are run
/// by the evaluator in this crate, others by `tract`, or by ONNX Runtime in a build without `tract`.
///
/// # Errors
/// [`LoadError`] when the file is no model, or one that the engine does not run.
pub fn read(bytes: &[u8], options: &ReadOptions) -> Result<Read, LoadError> {
    match options.engine {
        Some(engine) => by(engine, bytes, options),
        None => {
            // Options that specialise a model are the engine's.
            let tables = by(Engine::Tables, bytes, options);
            let is_engines = |error: &LoadError| !matches!(error, LoadError::File(_));
            let other = [Engine::Tract, Engine::OnnxRuntime].into_iter().find(|engine| engine.is_built_in());
            match (tables, other) {
                (Err(error), Some(engine)) if is_engines(&error) => by(engine, bytes, options),
                (read, _) => read,
            }
        }
    }
}

fn by(engine: Engine, bytes: &[u8], options: &ReadOptions) -> Result<Read, LoadError> {
    match engine {
        Engine::Tables if options.is_plain() => {
            let model = TabularModel::read(bytes, &options.limits)?;
            Ok((Box::new(model), engine, Vec::new()))
        }
        #[cfg(feature = "tract")]
        Engine::Tract => {
            let model = crate::TractModel::read(bytes, options)?;
            let resolved = model.resolved().to_vec();
            Ok((Box::new(model), engine, resolved))
        }
        #[cfg(feature = "ort")]
        Engine::OnnxRuntime => {
            let model = crate::OnnxRuntimeModel::read(bytes, options)?;
            Ok((Box::new(model), engine, Vec::new()))
        }
        Engine::Tables => Err(LoadError::Options { engine }),
        #[allow(unreachable_patterns, reason = "what is left depends on the features")]
        _ => Err(LoadError::NotBuiltIn { engine }),
    }
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
        match OnnxFile::read(bytes, &demands.read.limits) {
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
pub(crate) fn zeros(port: &Port) -> Option<Tensor> {
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
