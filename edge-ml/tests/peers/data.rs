//! Cases as `cases.py` writes them.

use std::path::Path;

use edge_ml::{Element, F16, ReadOptions, Tensor};
use serde_json::Value;

use crate::python;

pub(crate) struct Case {
    pub(crate) name: String,
    /// What it is counted under.
    pub(crate) row: String,
    pub(crate) model: Vec<u8>,
    /// The tensors; `None` is a value of another kind, or of a type that no tensor here has.
    pub(crate) inputs: Vec<(String, Option<Tensor>)>,
    pub(crate) outputs: Vec<(String, Option<Tensor>)>,
    pub(crate) relative: f64,
    pub(crate) absolute: f64,
    pub(crate) options: ReadOptions,
}

impl Case {
    /// Returns the tensors of the inputs, or `None` when one of them is none.
    pub(crate) fn tensors(&self) -> Option<Vec<&Tensor>> {
        self.inputs.iter().map(|(_, tensor)| tensor.as_ref()).collect()
    }
}

/// Has a script write its cases, and reads them.
pub(crate) fn made_by(script: &str) -> Vec<Case> {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let script = root.join("edge-ml").join("tests").join("peers").join(script);
    python::run(&[script.to_str().unwrap(), folder.path().to_str().unwrap()]);
    let blob = std::fs::read(folder.path().join("tensors.bin")).unwrap();
    let index = std::fs::read(folder.path().join("index.json")).unwrap();
    let index: Vec<Value> = serde_json::from_slice(&index).unwrap();
    index.iter().map(|case| read(case, &blob)).collect()
}

fn read(case: &Value, blob: &[u8]) -> Case {
    let all = |key: &str| {
        let tensors = case[key].as_array().unwrap().iter();
        tensors
            .map(|described| (described["name"].as_str().unwrap().into(), tensor(described, blob)))
            .collect()
    };
    Case {
        name: case["name"].as_str().unwrap().into(),
        row: case["row"].as_str().unwrap_or_default().into(),
        model: bytes(&case["model"], blob).to_vec(),
        inputs: all("inputs"),
        outputs: all("outputs"),
        relative: case["rtol"].as_f64().unwrap_or_default(),
        absolute: case["atol"].as_f64().unwrap_or_default(),
        options: options(&case["options"]),
    }
}

fn options(described: &Value) -> ReadOptions {
    let mut options = ReadOptions::default();
    for (name, value) in described["constants"].as_object().into_iter().flatten() {
        options = options.with_constant(name, Tensor::scalar(value.as_i64().unwrap()));
    }
    for (name, value) in described["shapes"].as_object().into_iter().flatten() {
        options = options.with_shape(name, sizes(value));
    }
    options
}

fn sizes(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize).collect()
}

fn bytes<'b>(described: &Value, blob: &'b [u8]) -> &'b [u8] {
    let (at, count) =
        (described["at"].as_u64().unwrap() as usize, described["bytes"].as_u64().unwrap() as usize);
    &blob[at..at + count]
}

fn tensor(described: &Value, blob: &[u8]) -> Option<Tensor> {
    fn made<T: Element, const N: usize>(
        described: &Value,
        blob: &[u8],
        from: impl Fn([u8; N]) -> T,
    ) -> Tensor {
        let (elements, _) = bytes(described, blob).as_chunks::<N>();
        Tensor::new(sizes(&described["shape"]), elements.iter().copied().map(from).collect()).unwrap()
    }
    Some(match described["type"].as_str().unwrap() {
        "f32" => made(described, blob, f32::from_le_bytes),
        "f64" => made(described, blob, f64::from_le_bytes),
        "f16" => made(described, blob, |b| F16::from_bits(u16::from_le_bytes(b))),
        "i8" => made(described, blob, i8::from_le_bytes),
        "i16" => made(described, blob, i16::from_le_bytes),
        "i32" => made(described, blob, i32::from_le_bytes),
        "i64" => made(described, blob, i64::from_le_bytes),
        "u8" => made(described, blob, u8::from_le_bytes),
        "u16" => made(described, blob, u16::from_le_bytes),
        "u32" => made(described, blob, u32::from_le_bytes),
        "u64" => made(described, blob, u64::from_le_bytes),
        "bool" => made(described, blob, |[b]: [u8; 1]| b != 0),
        "text" => {
            let texts = described["texts"].as_array().unwrap().iter();
            let texts = texts.map(|text| text.as_str().unwrap().to_owned()).collect();
            Tensor::new(sizes(&described["shape"]), texts).unwrap()
        }
        _ => return None,
    })
}
