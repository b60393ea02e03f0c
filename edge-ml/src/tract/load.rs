//! From the bytes of a file to a plan of the engine.

use std::sync::Arc;

use tract_onnx::pb;
use tract_onnx::prelude::{
    Framework, InferenceFact, InferenceModel, InferenceModelExt, IntoRunnable, SymbolScope, TDim, ToDim,
    TractResult, TypedModel, TypedRunnableModel,
};
use tract_onnx::tract_hir::ops::unimpl::UnimplementedOp;

use super::mended::mended;
use super::{branches, convert, names};
use crate::declared;
use crate::engine::Engine;
use crate::guarded::guarded;
use crate::load::{LoadError, UnsupportedNode};
use crate::onnx::{Node, OnnxFile, ValueKind, element_type};
use crate::options::ReadOptions;
use crate::refused;
use crate::signature::{Dim, Port, Signature};

/// A model of the engine, ready to run.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) plan: Arc<TypedRunnableModel>,
    pub(super) signature: Signature,
    /// Dimensions that were given a size, since the engine could not do without.
    pub(super) resolved: Vec<(String, usize)>,
}

/// Reads a file.
pub(super) fn load(bytes: &[u8], options: &ReadOptions) -> Result<Loaded, LoadError> {
    let file = OnnxFile::read(bytes, &options.limits)?;
    refused::check(&file, options, Engine::Tract)?;
    let inputs = inputs(&file, options)?;
    let proto = at("reading the file", || tract_onnx::onnx().proto_model_for_read(&mut &*bytes))?;
    let first = attempt(&proto, &file, &inputs, options);
    let free = free_dims(&inputs);
    // One row at a time is how most models are used that cannot leave the number of rows open.
    let rows: Vec<_> = free.iter().filter(|(_, place)| *place == 0).collect();
    let error = match first {
        Ok((plan, signature)) => return Ok(Loaded { plan, signature, resolved: Vec::new() }),
        Err(error) if free.is_empty() || matches!(error, LoadError::Unsupported { .. }) => return Err(error),
        Err(error) => error,
    };
    if let Some((symbol, _)) =
        free.iter().find(|(symbol, place)| *place > 0 && !rows.iter().any(|(row, _)| row == symbol))
    {
        let port =
            inputs.iter().find(|port| has_symbol(port, symbol)).map(ToString::to_string).unwrap_or_default();
        return Err(LoadError::Dimension { symbol: symbol.clone(), port, source: Box::new(error) });
    }
    let resolved: Vec<_> = rows.iter().map(|(symbol, _)| (symbol.clone(), 1)).collect();
    let inputs: Vec<_> = inputs.iter().map(|port| with_dims(port, &resolved)).collect();
    let (plan, signature) = attempt(&proto, &file, &inputs, options)?;
    Ok(Loaded { plan, signature, resolved })
}

/// Calls something of the engine, and says at what it failed.
fn at<T>(stage: &'static str, call: impl FnOnce() -> TractResult<T>) -> Result<T, LoadError> {
    match guarded(call) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(LoadError::Engine { stage, source: format!("{error:#}").into() }),
        Err(message) => Err(LoadError::Panicked { stage, message }),
    }
}

fn attempt(
    proto: &pb::ModelProto,
    file: &OnnxFile<'_>,
    inputs: &[Port],
    options: &ReadOptions,
) -> Result<(Arc<TypedRunnableModel>, Signature), LoadError> {
    let engine = tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
    let mut proto = branches::chosen(specialised(proto, options)?, &|part| {
        let mut model = engine.model_for_proto_model(part)?;
        set_inputs(&mut model, inputs)?;
        model.into_typed()
    });
    if let Some(graph) = &mut proto.graph {
        names::told_apart(graph);
    }
    let mut model = at("reading the graph", || engine.model_for_proto_model(&proto))?;
    let nodes = at("looking for operators", || unknown(&model, &proto, file))?;
    if !nodes.is_empty() {
        return Err(LoadError::Unsupported { nodes });
    }
    at("taking the inputs", || set_inputs(&mut model, inputs))?;
    let model = at("working out types and shapes", || model.into_typed())?;
    let signature = signature(&model, file, inputs)?;
    let model = at("optimising", || model.into_optimized())?;
    let plan = at("planning", || model.into_runnable())?;
    Ok((plan, signature))
}

/// Returns the nodes on the way to the outputs whose operators the engine does not have.
fn unknown(
    model: &InferenceModel,
    proto: &pb::ModelProto,
    file: &OnnxFile<'_>,
) -> TractResult<Vec<UnsupportedNode>> {
    let order = model.eval_order()?;
    let nodes = order.iter().filter_map(|index| model.nodes().get(*index));
    let unknown = nodes.filter(|node| node.op_is::<UnimplementedOp>());
    let named = |name: &str| {
        let node = proto.graph.as_ref()?.node.iter().find(|node| node.name == name)?;
        let gives =
            |known: &&Node<'_>| known.outputs.first().copied() == node.output.first().map(String::as_str);
        let in_file = file.graph.nodes.iter().find(gives).map(UnsupportedNode::of);
        Some(in_file.unwrap_or_else(|| UnsupportedNode::named(name, &node.domain, &node.op_type)))
    };
    Ok(unknown.filter_map(|node| named(&node.name)).collect())
}

/// Returns the model with its constant inputs in their places.
fn specialised(proto: &pb::ModelProto, options: &ReadOptions) -> Result<pb::ModelProto, LoadError> {
    let mut proto = proto.clone();
    let Some(graph) = &mut proto.graph else { return Ok(proto) };
    mended(graph);
    names::told_apart(graph);
    for (name, tensor) in &options.constants {
        let before = graph.input.len();
        graph.input.retain(|input| input.name != *name);
        if graph.input.len() == before {
            return Err(LoadError::NoInput { input: name.clone() });
        }
        graph.initializer.push(constant(name, tensor)?);
    }
    Ok(proto)
}

fn constant(name: &str, tensor: &crate::Tensor) -> Result<pb::TensorProto, LoadError> {
    use crate::ElementType;
    use pb::tensor_proto::DataType;
    let mut proto = pb::TensorProto {
        name: name.into(),
        dims: tensor.shape().iter().map(|dim| *dim as i64).collect(),
        ..pb::TensorProto::default()
    };
    let (kind, raw): (_, Vec<u8>) = match tensor.element_type() {
        ElementType::I64 => (
            DataType::Int64,
            tensor.values::<i64>().unwrap_or_default().iter().flat_map(|x| x.to_le_bytes()).collect(),
        ),
        ElementType::F32 => (
            DataType::Float,
            tensor.values::<f32>().unwrap_or_default().iter().flat_map(|x| x.to_le_bytes()).collect(),
        ),
        ElementType::I32 => (
            DataType::Int32,
            tensor.values::<i32>().unwrap_or_default().iter().flat_map(|x| x.to_le_bytes()).collect(),
        ),
        ElementType::Bool => (
            DataType::Bool,
            tensor.values::<bool>().unwrap_or_default().iter().map(|x| u8::from(*x)).collect(),
        ),
        _ => return Err(LoadError::Type { value: name.into() }),
    };
    proto.data_type = kind.into();
    proto.raw_data = raw;
    Ok(proto)
}

/// Returns the inputs, of which the engine must know how many dimensions they have.
fn inputs(file: &OnnxFile<'_>, options: &ReadOptions) -> Result<Vec<Port>, LoadError> {
    let inputs = declared::inputs(file, options)?;
    match inputs.iter().find(|port| port.dims.is_none()) {
        None => Ok(inputs),
        Some(port) => {
            let (symbol, port) = (format!("the shape of {}", port.name), port.to_string());
            Err(LoadError::Dimension { symbol, port, source: "the model says nothing of it".into() })
        }
    }
}

/// Returns the symbols of the inputs, each with the first place that it has.
fn free_dims(inputs: &[Port]) -> Vec<(String, usize)> {
    let mut free: Vec<(String, usize)> = Vec::new();
    for port in inputs {
        for (place, dim) in port.dims.iter().flatten().enumerate() {
            if let Dim::Symbol(symbol) = dim
                && !free.iter().any(|(known, _)| **known == **symbol)
            {
                free.push((symbol.to_string(), place));
            }
        }
    }
    free
}

fn has_symbol(port: &Port, symbol: &str) -> bool {
    port.dims.iter().flatten().any(|dim| matches!(dim, Dim::Symbol(name) if **name == *symbol))
}

fn with_dims(port: &Port, sizes: &[(String, usize)]) -> Port {
    let mut port = port.clone();
    for dim in port.dims.iter_mut().flatten() {
        if let Dim::Symbol(symbol) = &dim
            && let Some((_, size)) = sizes.iter().find(|(name, _)| **name == **symbol)
        {
            *dim = Dim::Fixed(*size);
        }
    }
    port
}

fn set_inputs(model: &mut InferenceModel, inputs: &[Port]) -> TractResult<()> {
    let names: Vec<_> =
        model.input_outlets()?.iter().map(|outlet| model.node(outlet.node).name.clone()).collect();
    for (index, name) in names.iter().enumerate() {
        let Some(port) = inputs.iter().find(|port| *port.name == **name) else { continue };
        let Some(datum) = convert::datum(port.element) else { continue };
        let dims: Vec<_> = port.dims.iter().flatten().map(|dim| size(&model.symbols, dim)).collect();
        model.set_input_fact(index, InferenceFact::dt_shape(datum, dims))?;
    }
    Ok(())
}

fn size(symbols: &SymbolScope, dim: &Dim) -> TDim {
    match dim {
        Dim::Fixed(size) => size.to_dim(),
        // The engine's symbols are words; what exporters write is often a formula.
        Dim::Symbol(symbol) => {
            let word: String = symbol.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
            symbols.sym(&format!("s_{word}")).to_dim()
        }
        Dim::Any => symbols.new_with_prefix("any").to_dim(),
    }
}

/// Returns what the model takes and gives: inputs as they were set, outputs as the engine has worked them out.
fn signature(model: &TypedModel, file: &OnnxFile<'_>, inputs: &[Port]) -> Result<Signature, LoadError> {
    let known: Vec<_> = inputs.iter().flat_map(|port| port.dims.iter().flatten()).cloned().collect();
    let mut outputs = Vec::new();
    for (index, info) in file.graph.outputs.iter().enumerate() {
        let fact = at("asking for the outputs", || Ok(model.output_fact(index)?.clone()))?;
        let declared = match info.kind {
            ValueKind::Tensor(number) => element_type(number),
            _ => None,
        };
        let element = declared.or_else(|| convert::element(fact.datum_type));
        let element = element.ok_or_else(|| LoadError::Type { value: info.name.into() })?;
        let dims = fact.shape.iter().map(|dim| {
            let fixed = dim.to_i64().ok().and_then(|size| usize::try_from(size).ok()).map(Dim::Fixed);
            let same = || known.iter().find(|known| size(&model.symbols, known) == *dim).cloned();
            fixed.or_else(same).unwrap_or(Dim::Any)
        });
        outputs.push(Port::new(info.name, element, dims.collect()));
    }
    Ok(Signature::new(inputs.to_vec(), outputs))
}
