//! Model files of tables, read and run.

use edge_ml::{Dim, ElementType, Engine, FileLimits, Port, ReadOptions, RunError, Tensor, read};

/// How many rows a model is asked for that leaves it open.
const ROWS: usize = 2;
/// The most elements of an input that is made.
const MAX_ELEMENTS: usize = 1 << 12;

/// Reads the input as a model file for the evaluator of tables, runs what it is, and checks that the answer is what the
/// signature says.
///
/// # Panics
/// Panics when something does not hold.
pub fn model_file(data: &[u8]) {
    let mut limits = FileLimits::default();
    limits.max_made_elements = 1 << 16;
    let options = ReadOptions::default().with_limits(limits).with_engine(Engine::Tables);
    let Ok((mut model, ..)) = read(data, &options) else { return };
    let signature = model.signature().clone();
    let Some(inputs) = signature.inputs().iter().map(input).collect::<Option<Vec<_>>>() else { return };
    let views: Vec<_> = inputs.iter().map(Tensor::view).collect();
    signature.check_inputs(&views).expect("they were made for it");
    match model.run(&views) {
        Ok(outputs) => {
            let outputs: Vec<_> = outputs.iter().map(Tensor::view).collect();
            signature.check_run(&views, &outputs).expect("the answer is what the signature says");
        }
        Err(RunError::Failed { .. }) => {}
        Err(error) => panic!("{error:?}"),
    }
}

/// Returns a tensor for an input, with numbers that are none among them; none when it would be too large.
fn input(port: &Port) -> Option<Tensor> {
    let size = |dim: &Dim| if let Dim::Fixed(size) = dim { *size } else { ROWS };
    let shape: Vec<_> = match &port.dims {
        Some(dims) => dims.iter().map(size).collect(),
        None => vec![ROWS, 3],
    };
    let count = shape.iter().try_fold(1usize, |n, dim| n.checked_mul(*dim))?;
    if count > MAX_ELEMENTS {
        return None;
    }
    let numbers = [0.0f32, -1.5, f32::NAN, 3.0, f32::INFINITY].into_iter().cycle().take(count);
    let tensor = match port.element {
        ElementType::F32 => Tensor::new(shape, numbers.collect()),
        ElementType::F64 => Tensor::new(shape, numbers.map(f64::from).collect()),
        ElementType::I64 => Tensor::new(shape, (0..count as i64).map(|n| n - 1).collect()),
        ElementType::I32 => Tensor::new(shape, vec![i32::MIN; count]),
        ElementType::Bool => Tensor::new(shape, vec![true; count]),
        ElementType::Text => Tensor::new(shape, vec!["a".to_owned(); count]),
        _ => return None,
    };
    tensor.ok()
}
