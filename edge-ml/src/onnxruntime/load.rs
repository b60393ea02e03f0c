//! From the bytes of a file to a session of the library.

use std::sync::Arc;

use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::{BuilderResult, SessionBuilder};
use ort::value::ValueType;

use super::{convert, library};
use crate::engine::Engine;
use crate::guarded::guarded;
use crate::load::LoadError;
use crate::onnx::{OnnxFile, ValueKind};
use crate::options::ReadOptions;
use crate::signature::{Dim, Port, Signature};
use crate::tensor::{ElementType, Tensor};
use crate::{declared, onnx, refused};

/// What the instances of a model share.
pub(super) struct Loaded {
    bytes: Box<[u8]>,
    environment: Environment,
    dims: Vec<(String, i64)>,
    pub(super) constants: Vec<(String, Tensor)>,
    pub(super) signature: Signature,
}

/// Reads a file; returns with it the first session, which shows that the library takes it.
pub(super) fn load(bytes: &[u8], options: &ReadOptions) -> Result<(Loaded, Session), LoadError> {
    let file = OnnxFile::read(bytes, &options.limits)?;
    refused::check(&file, options, Engine::OnnxRuntime)?;
    let inputs = declared::inputs(&file, options)?;
    let environment = library::load(options.library.as_deref())?;
    let dim = |(name, size): (&String, &usize)| Some((name.clone(), i64::try_from(*size).ok()?));
    let mut loaded = Loaded {
        bytes: bytes.into(),
        environment,
        dims: options.dims.iter().filter_map(dim).collect(),
        constants: options.constants.iter().map(|(name, tensor)| (name.clone(), tensor.clone())).collect(),
        signature: Signature::new(Vec::new(), Vec::new()),
    };
    let session = loaded.session()?;
    let outputs = outputs(&file, &inputs, &session)?;
    loaded.signature = Signature::new(inputs, outputs);
    Ok((loaded, session))
}

impl Loaded {
    /// Returns another session of the same model.
    pub(super) fn session(&self) -> Result<Session, LoadError> {
        const STAGE: &str = "opening the model";
        let built = guarded(|| self.build());
        match built.map_err(|message| LoadError::Panicked { stage: STAGE, message })? {
            Ok(session) => Ok(session),
            Err(error) => Err(LoadError::Engine { stage: STAGE, source: error.into() }),
        }
    }

    /// Takes back of the signature what the file declares and a run has shown to be wrong: some exporters declare other
    /// numbers of columns than their models give.
    pub(super) fn believe(&mut self, outputs: &[Tensor]) {
        let mut ports = self.signature.outputs().to_vec();
        for (port, output) in ports.iter_mut().zip(outputs) {
            let dims = port.dims.take().filter(|dims| dims.len() == output.shape().len());
            let fits = |(dim, size): (Dim, &usize)| match dim {
                Dim::Fixed(declared) if declared != *size => Dim::Any,
                dim => dim,
            };
            port.dims = dims.map(|dims| dims.into_iter().zip(output.shape()).map(fits).collect());
        }
        self.signature = Signature::new(self.signature.inputs().to_vec(), ports);
    }

    fn build(&self) -> Result<Session, String> {
        let step = |built: BuilderResult| -> Result<SessionBuilder, String> {
            built.map_err(|error| error.to_string())
        };
        // The threads of the pool are what runs at the same time: an engine with threads of its own would compete with them.
        let mut builder = Session::builder(&self.environment).map_err(|error| error.to_string())?;
        builder = step(builder.with_intra_threads(1))?;
        builder = step(builder.with_inter_threads(1))?;
        builder = step(builder.with_log_level(LogLevel::Fatal))?;
        for (name, size) in &self.dims {
            builder = step(builder.with_dimension_override(name, *size))?;
        }
        builder.commit_from_memory(&self.bytes).map_err(|error| error.to_string())
    }
}

/// Returns the outputs as the library has worked them out, with the labels that the file gives to lists of maps.
fn outputs(file: &OnnxFile<'_>, inputs: &[Port], session: &Session) -> Result<Vec<Port>, LoadError> {
    let known = |name: &str| {
        let dims = inputs.iter().flat_map(|port| port.dims.iter().flatten());
        dims.into_iter().find(|dim| matches!(dim, Dim::Symbol(symbol) if **symbol == *name)).cloned()
    };
    let mut ports = Vec::new();
    for (info, outlet) in file.graph.outputs.iter().zip(session.outputs()) {
        let unknown = || LoadError::Type { value: info.name.into() };
        if matches!(info.kind, ValueKind::Maps(_)) {
            let labels = labels(file, info.name).ok_or_else(unknown)?;
            let rows = inputs.first().and_then(|port| port.dims.as_ref()?.first().cloned());
            let dims = vec![rows.unwrap_or(Dim::Any), Dim::Fixed(labels.len())];
            ports.push(Port::new(info.name, ElementType::F32, dims).with_labels(labels));
            continue;
        }
        let ValueType::Tensor { ty, shape, dimension_symbols } = outlet.dtype() else {
            return Err(unknown());
        };
        let mut port = Port::of_any_shape(info.name, convert::element(*ty).ok_or_else(unknown)?);
        // A shape of no dimensions is a scalar, or is not known: what the file declares tells them apart.
        if !shape.is_empty() || info.dims.as_ref().is_some_and(Vec::is_empty) {
            let symbols = dimension_symbols.iter().map(String::as_str).chain(std::iter::repeat(""));
            let dim = |(size, symbol): (&i64, &str)| {
                usize::try_from(*size).map_or_else(|_| known(symbol).unwrap_or(Dim::Any), Dim::Fixed)
            };
            port.dims = Some(shape.iter().zip(symbols).map(dim).collect());
        }
        ports.push(port);
    }
    Ok(ports)
}

/// Returns the classes that the operator names which makes this list of maps.
fn labels(file: &OnnxFile<'_>, output: &str) -> Option<Arc<[String]>> {
    let maker: &onnx::Node<'_> = file.graph.nodes.iter().find(|node| node.outputs.contains(&output))?;
    if maker.operator != "ZipMap" {
        return None;
    }
    let numbers = maker.ints("classlabels_int64s");
    let texts = maker.texts("classlabels_strings")?;
    let all = if texts.is_empty() { numbers.iter().map(ToString::to_string).collect() } else { texts };
    Some(all.into())
}
