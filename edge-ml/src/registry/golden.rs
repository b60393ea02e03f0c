//! Golden samples as they are written down.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::Golden;
use crate::signature::{Port, Signature};
use crate::tensor::{ElementType, F16, Tensor};

/// The most elements of one tensor.
const MAX_ELEMENTS: usize = 1 << 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    inputs: BTreeMap<String, Written>,
    outputs: BTreeMap<String, Written>,
    #[serde(default = "tolerance")]
    tolerance: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    shape: Vec<usize>,
    values: Vec<Value>,
}

const fn tolerance() -> f64 {
    1e-5
}

/// Reads a list of samples for a model.
pub(super) fn read(list: &Value, signature: &Signature) -> Result<Vec<Golden>, String> {
    let samples: Vec<Sample> = serde_json::from_value(list.clone()).map_err(|error| error.to_string())?;
    let of = |(place, sample): (usize, &Sample)| {
        let at = |what: String| format!("{place}: {what}");
        let inputs = tensors(signature.inputs(), &sample.inputs).map_err(at)?;
        let outputs = tensors(signature.outputs(), &sample.outputs).map_err(at)?;
        Ok(Golden::new(inputs, outputs, sample.tolerance))
    };
    samples.iter().enumerate().map(of).collect()
}

fn tensors(ports: &[Port], written: &BTreeMap<String, Written>) -> Result<Vec<Tensor>, String> {
    if let Some(name) = written.keys().find(|name| ports.iter().all(|port| *port.name != ***name)) {
        return Err(format!("the model has no {name}"));
    }
    let of = |port: &Port| {
        let written = written.get(&*port.name).ok_or_else(|| format!("{} is missing", port.name))?;
        tensor(port.element, written).ok_or_else(|| format!("{} does not fit {port}", port.name))
    };
    ports.iter().map(of).collect()
}

fn tensor(element: ElementType, written: &Written) -> Option<Tensor> {
    let Written { shape, values } = written;
    if values.len() > MAX_ELEMENTS {
        return None;
    }
    let shape = shape.as_slice();
    let float = || values.iter().map(Value::as_f64).collect::<Option<Vec<_>>>();
    fn whole<T: TryFrom<i64>>(values: &[Value]) -> Option<Vec<T>> {
        values.iter().map(|value| T::try_from(value.as_i64()?).ok()).collect()
    }
    let made = match element {
        ElementType::F64 => Tensor::new(shape, float()?),
        ElementType::F32 => Tensor::new(shape, float()?.into_iter().map(|x| x as f32).collect()),
        ElementType::F16 => {
            Tensor::new(shape, float()?.into_iter().map(|x| F16::from_f32(x as f32)).collect())
        }
        ElementType::I64 => Tensor::new(shape, whole::<i64>(values)?),
        ElementType::I32 => Tensor::new(shape, whole::<i32>(values)?),
        ElementType::I16 => Tensor::new(shape, whole::<i16>(values)?),
        ElementType::I8 => Tensor::new(shape, whole::<i8>(values)?),
        ElementType::U8 => Tensor::new(shape, whole::<u8>(values)?),
        ElementType::Bool => Tensor::new(shape, values.iter().map(Value::as_bool).collect::<Option<_>>()?),
        ElementType::Text => {
            let texts =
                values.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<_>>()?;
            Tensor::new(shape, texts)
        }
        _ => return None,
    };
    made.ok()
}
