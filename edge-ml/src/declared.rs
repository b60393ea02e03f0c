//! What a file declares of its inputs, with what the options say of them.

use crate::load::LoadError;
use crate::onnx::{OnnxFile, ValueInfo, ValueKind, element_type};
use crate::options::ReadOptions;
use crate::signature::{Dim, Port};

/// Returns the inputs as the file declares them, with what the options say of their sizes, and without those that the
/// options make constants; every open dimension has a symbol.
pub(crate) fn inputs(file: &OnnxFile<'_>, options: &ReadOptions) -> Result<Vec<Port>, LoadError> {
    let has_constant = |name: &str| file.graph.constants.iter().any(|constant| constant.name == name);
    let declared = || file.graph.inputs.iter().filter(|input| !has_constant(input.name));
    if let Some(unknown) = options.constants.keys().find(|name| !declared().any(|input| input.name == **name))
    {
        return Err(LoadError::NoInput { input: unknown.clone() });
    }
    declared()
        .filter(|input| !options.constants.contains_key(input.name))
        .map(|info| input(info, options))
        .collect()
}

fn input(info: &ValueInfo<'_>, options: &ReadOptions) -> Result<Port, LoadError> {
    let unknown = || LoadError::Type { value: info.name.into() };
    let ValueKind::Tensor(number) = info.kind else { return Err(unknown()) };
    let mut port = Port::of_any_shape(info.name, element_type(number).ok_or_else(unknown)?);
    if let Some(shape) = options.shapes.get(info.name) {
        port.dims = Some(shape.iter().map(|dim| Dim::Fixed(*dim)).collect());
        return Ok(port);
    }
    let named = |(place, dim): (usize, &Dim)| match dim {
        Dim::Fixed(size) => Dim::Fixed(*size),
        Dim::Symbol(symbol) => {
            options.dims.get(&**symbol).map_or_else(|| dim.clone(), |size| Dim::Fixed(*size))
        }
        Dim::Any => Dim::Symbol(format!("{}.{place}", info.name).into()),
    };
    port.dims = info.dims.as_ref().map(|dims| dims.iter().enumerate().map(named).collect());
    Ok(port)
}
