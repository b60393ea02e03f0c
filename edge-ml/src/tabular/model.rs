//! A whole model of operators on tables.

use std::collections::HashMap;
use std::sync::Arc;

use super::build;
use super::kernel::{Inputs, Kernel, Rows};
use crate::load::{LoadError, UnsupportedNode};
use crate::model::{InferenceModel, RunError};
use crate::onnx::{
    Attribute, FileError, FileLimits, Graph, Node, OnnxFile, ValueInfo, ValueKind, element_type,
};
use crate::signature::{Dim, Port, Signature};
use crate::tensor::{ElementType, Tensor, TensorView};

/// Where a value of the graph is while the model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Input(usize),
    Constant(usize),
    /// What a step gives: the step's number among the values that steps give.
    Made(usize),
}

/// One operator, with where its inputs are.
#[derive(Debug)]
struct Step {
    title: String,
    kernel: Box<dyn Kernel>,
    inputs: Vec<Option<Slot>>,
    /// The first of the values that it gives; the others follow.
    first: usize,
    outputs: usize,
}

#[derive(Debug)]
struct Plan {
    signature: Signature,
    constants: Vec<Tensor>,
    steps: Vec<Step>,
    outputs: Vec<Slot>,
    made: usize,
}

/// A model whose operators are those of tables: it needs no engine, and answers in microseconds.
///
/// # Examples
/// ```no_run
/// use edge_ml::{FileLimits, InferenceModel, TabularModel};
///
/// let bytes = std::fs::read("boiler.onnx")?;
/// let model = TabularModel::read(&bytes, &FileLimits::default())?;
/// println!("{}", model.signature());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// ONNX, operators of `ai.onnx.ml` 1 to 4. Where the specification leaves the meaning open, onnxruntime's.
#[derive(Clone, Debug)]
pub struct TabularModel {
    plan: Arc<Plan>,
    made: Vec<Option<Tensor>>,
}

impl TabularModel {
    /// Reads a model from the bytes of an ONNX file.
    ///
    /// # Errors
    /// [`LoadError`] when it is no such file, or has an operator that is not one of tables.
    pub fn read(bytes: &[u8], limits: &FileLimits) -> Result<Self, LoadError> {
        Self::of_file(&OnnxFile::read(bytes, limits)?)
    }

    pub(crate) fn of_file(file: &OnnxFile<'_>) -> Result<Self, LoadError> {
        let mut builder = Builder::default();
        builder.read(&file.graph, file)?;
        let mut outputs = Vec::new();
        for output in &file.graph.outputs {
            let slot = builder.slots.get(output.name).copied();
            outputs.push(
                slot.ok_or_else(|| FileError::Dangling {
                    node: "outputs".into(),
                    value: output.name.into(),
                })?,
            );
        }
        let inputs = file.graph.inputs.iter().filter(|input| builder.is_input(input.name));
        let inputs = inputs.map(port).collect::<Result<Vec<_>, _>>()?;
        let declared = file.graph.outputs.iter().map(port).collect::<Result<Vec<_>, _>>()?;
        let labels: Vec<_> = outputs.iter().map(|slot| builder.labels(*slot)).collect();
        let rows: Vec<_> =
            outputs.iter().map(|slot| builder.rows.get(slot).copied().unwrap_or(Rows::Mixed)).collect();
        let plan = Plan {
            signature: Signature::new(inputs, declared),
            constants: builder.constants,
            steps: builder.steps,
            outputs,
            made: builder.made,
        };
        Ok(Self::new(tried(plan, &rows, labels)))
    }

    fn new(plan: Plan) -> Self {
        Self { made: vec![None; plan.made], plan: Arc::new(plan) }
    }
}

/// Makes a plan of a graph.
#[derive(Debug, Default)]
struct Builder<'f> {
    slots: HashMap<&'f str, Slot>,
    rows: HashMap<Slot, Rows>,
    constants: Vec<Tensor>,
    steps: Vec<Step>,
    made: usize,
}

impl std::hash::Hash for Slot {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let (kind, index) = match self {
            Self::Input(index) => (0u8, index),
            Self::Constant(index) => (1, index),
            Self::Made(index) => (2, index),
        };
        (kind, index).hash(state);
    }
}

impl<'f> Builder<'f> {
    fn constant(&mut self, name: &'f str, tensor: Tensor) {
        let slot = Slot::Constant(self.constants.len());
        self.constants.push(tensor);
        self.slots.insert(name, slot);
        self.rows.insert(slot, Rows::Constant);
    }

    fn is_input(&self, name: &str) -> bool {
        matches!(self.slots.get(name), Some(Slot::Input(_)))
    }

    fn read(&mut self, graph: &Graph<'f>, file: &OnnxFile<'f>) -> Result<(), LoadError> {
        for constant in &graph.constants {
            self.constant(constant.name, constant.tensor()?);
        }
        // An input that has a constant is the constant's old way of being declared.
        let mut number = 0;
        for input in &graph.inputs {
            if !self.slots.contains_key(input.name) {
                self.slots.insert(input.name, Slot::Input(number));
                self.rows.insert(Slot::Input(number), Rows::Kept);
                number += 1;
            }
        }
        let mut unsupported = Vec::new();
        for node in &graph.nodes {
            if node.operator == "Constant" && matches!(node.domain, "" | "ai.onnx") {
                match (constant_of(node), node.outputs.first()) {
                    (Some(tensor), Some(name)) => self.constant(name, tensor?),
                    _ => unsupported.push(UnsupportedNode::of(node)),
                }
            } else if let Some(kernel) = build::kernel(node, file) {
                self.step(node, kernel)?;
            } else {
                unsupported.push(UnsupportedNode::of(node));
                // What it would give is known, so that only the causes are listed.
                self.slots.extend(node.outputs.iter().map(|name| (*name, Slot::Made(0))));
            }
        }
        if unsupported.is_empty() { Ok(()) } else { Err(LoadError::Unsupported { nodes: unsupported }) }
    }

    fn step(&mut self, node: &Node<'f>, kernel: Box<dyn Kernel>) -> Result<(), LoadError> {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for &name in &node.inputs {
            let missing = || FileError::Dangling { node: node.title().into(), value: name.into() };
            inputs.push(if name.is_empty() {
                None
            } else {
                Some(*self.slots.get(name).ok_or_else(missing)?)
            });
        }
        let before: Vec<_> =
            inputs.iter().flatten().filter_map(|slot| self.rows.get(slot).copied()).collect();
        let rows = kernel.rows(&before);
        let first = self.made;
        for &name in &node.outputs {
            let slot = Slot::Made(self.made);
            self.made += 1;
            self.slots.insert(name, slot);
            self.rows.insert(slot, rows);
        }
        self.steps.push(Step {
            title: node.title().into(),
            kernel,
            inputs,
            first,
            outputs: node.outputs.len(),
        });
        Ok(())
    }

    /// Returns what the columns of a value stand for: labels are given with the last output of a step.
    fn labels(&self, slot: Slot) -> Option<Arc<[String]>> {
        let Slot::Made(number) = slot else { return None };
        let step = self.steps.iter().find(|step| step.first + step.outputs == number + 1)?;
        step.kernel.labels().map(Into::into)
    }
}

fn constant_of(node: &Node<'_>) -> Option<Result<Tensor, FileError>> {
    let (_, attribute) = node.attributes.first()?;
    let list = |count| [count];
    Some(match attribute {
        Attribute::Tensor(constant) => constant.tensor(),
        Attribute::Float(value) => Ok(Tensor::scalar(*value)),
        Attribute::Int(value) => Ok(Tensor::scalar(*value)),
        Attribute::Floats(all) => Ok(Tensor::new(list(all.len()), all.clone()).ok()?),
        Attribute::Ints(all) => Ok(Tensor::new(list(all.len()), all.clone()).ok()?),
        _ => return None,
    })
}

/// Returns the port that a file declares; a list of maps is the matrix of their values.
fn port(info: &ValueInfo<'_>) -> Result<Port, LoadError> {
    let unknown = || LoadError::Type { value: info.name.into() };
    let element = match info.kind {
        ValueKind::Tensor(number) => element_type(number).ok_or_else(unknown)?,
        ValueKind::Maps(_) => ElementType::F32,
        ValueKind::Other => return Err(unknown()),
    };
    let mut port = Port::of_any_shape(info.name, element);
    port.dims = info.dims.clone();
    Ok(port)
}

/// Finds out what the file does not say, by running the plan on nothing in particular: which outputs have rows, and how
/// many columns.
fn tried(plan: Plan, rows: &[Rows], labels: Vec<Option<Arc<[String]>>>) -> Plan {
    let mut inputs = plan.signature.inputs().to_vec();
    let symbol = Dim::Symbol(batch_name(&inputs));
    let free = |dim: &Dim| !matches!(dim, Dim::Fixed(_));
    let has_rows = inputs.iter().all(|port| {
        port.dims
            .as_ref()
            .and_then(|dims| dims.split_first())
            .is_some_and(|(first, rest)| free(first) && !rest.iter().any(free))
    });
    let mut outputs = plan.signature.outputs().to_vec();
    for (port, labels) in outputs.iter_mut().zip(labels) {
        port.labels = labels;
    }
    let mut model = TabularModel::new(plan);
    let (one, three) = if has_rows { (model.shapes(1), model.shapes(3)) } else { (None, None) };
    if let (Some(one), Some(three)) = (one, three) {
        let keeps_rows = rows.iter().all(|rows| *rows == Rows::Kept)
            && one.iter().zip(&three).all(|(a, b)| a.1.first() == Some(&1) && b.1.first() == Some(&3));
        for port in inputs.iter_mut().filter(|_| keeps_rows) {
            port.dims.iter_mut().flat_map(|dims| dims.first_mut()).for_each(|dim| *dim = symbol.clone());
        }
        for ((port, one), three) in outputs.iter_mut().zip(one).zip(three) {
            port.element = one.0;
            let same_rank = one.1.len() == three.1.len();
            let dims = one.1.iter().zip(&three.1).map(|(a, b)| match (*a, *b) {
                (1, 3) if keeps_rows => symbol.clone(),
                (a, b) if a == b => Dim::Fixed(a),
                _ => Dim::Any,
            });
            port.dims = same_rank.then(|| dims.collect());
        }
    } else {
        // What a file declares of its outputs is often wrong, and here nothing says that it is right.
        outputs.iter_mut().for_each(|port| port.dims = None);
    }
    let TabularModel { plan, .. } = model;
    let plan = Arc::into_inner(plan).expect("the model that was tried had the only reference");
    Plan { signature: Signature::new(inputs, outputs), ..plan }
}

fn batch_name(inputs: &[Port]) -> Arc<str> {
    let first = inputs.first().and_then(|port| port.dims.as_ref()?.first().cloned());
    match first {
        Some(Dim::Symbol(name)) => name,
        _ => "batch".into(),
    }
}

impl TabularModel {
    /// Runs the plan on zeros, and returns type and shape of what comes out.
    fn shapes(&mut self, rows: usize) -> Option<Vec<(ElementType, Vec<usize>)>> {
        let ports = self.plan.signature.inputs().to_vec();
        let zeros = ports.iter().map(|port| zeros(port, rows)).collect::<Option<Vec<_>>>()?;
        let views: Vec<_> = zeros.iter().map(Tensor::view).collect();
        let outputs = self.evaluate(&views).ok()?;
        Some(outputs.iter().map(|tensor| (tensor.element_type(), tensor.shape().to_vec())).collect())
    }

    fn evaluate(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, RunError> {
        let plan = &*self.plan;
        let made = &mut self.made;
        let view = |slot: Slot, made: &'_ [Option<Tensor>]| -> Option<Tensor> {
            match slot {
                Slot::Input(index) => inputs.get(index).map(TensorView::to_tensor),
                Slot::Constant(index) => plan.constants.get(index).cloned(),
                Slot::Made(index) => made.get(index).cloned().flatten(),
            }
        };
        for step in &plan.steps {
            let views: Vec<_> = step
                .inputs
                .iter()
                .map(|slot| match (*slot)? {
                    Slot::Input(index) => inputs.get(index).copied(),
                    Slot::Constant(index) => plan.constants.get(index).map(Tensor::view),
                    Slot::Made(index) => made.get(index)?.as_ref().map(Tensor::view),
                })
                .collect();
            let outputs = step
                .kernel
                .run(&Inputs(&views))
                .map_err(|fault| RunError::Failed { reason: format!("in {}: {}", step.title, fault.0) })?;
            for (place, output) in made.iter_mut().skip(step.first).take(step.outputs).zip(outputs) {
                *place = Some(output);
            }
        }
        let mut answers = Vec::with_capacity(plan.outputs.len());
        for &slot in &plan.outputs {
            let taken = match slot {
                Slot::Made(index) if is_last_use(&plan.outputs, slot) => {
                    made.get_mut(index).and_then(Option::take)
                }
                _ => view(slot, made),
            };
            answers.push(taken.ok_or_else(|| RunError::Failed { reason: "an output was not made".into() })?);
        }
        Ok(answers)
    }
}

/// Returns whether a value is only one of the outputs, so that it need not be copied.
fn is_last_use(outputs: &[Slot], slot: Slot) -> bool {
    outputs.iter().filter(|other| **other == slot).count() == 1
}

fn zeros(port: &Port, rows: usize) -> Option<Tensor> {
    let mut shape = vec![rows];
    for dim in port.dims.as_ref()?.iter().skip(1) {
        let Dim::Fixed(size) = dim else { return None };
        shape.push(*size);
    }
    let count =
        shape.iter().try_fold(1usize, |n, dim| n.checked_mul(*dim)).filter(|count| *count <= 1 << 20)?;
    match port.element {
        ElementType::F32 => Tensor::new(shape, vec![0.0f32; count]),
        ElementType::F64 => Tensor::new(shape, vec![0.0f64; count]),
        ElementType::I64 => Tensor::new(shape, vec![0i64; count]),
        ElementType::I32 => Tensor::new(shape, vec![0i32; count]),
        ElementType::Bool => Tensor::new(shape, vec![false; count]),
        ElementType::Text => Tensor::new(shape, vec![String::new(); count]),
        _ => return None,
    }
    .ok()
}

impl InferenceModel for TabularModel {
    fn signature(&self) -> &Signature {
        &self.plan.signature
    }

    fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, RunError> {
        self.plan.signature.check_inputs(inputs)?;
        let outputs = self.evaluate(inputs)?;
        // A model whose shapes depend on what is in its inputs may give others than it gave when it was read.
        let views: Vec<_> = outputs.iter().map(Tensor::view).collect();
        let checked = self.plan.signature.check_run(inputs, &views);
        checked.map_err(|misfit| RunError::Failed {
            reason: format!("an output is none that it gives: {misfit}"),
        })?;
        Ok(outputs)
    }

    fn fork(&self) -> Box<dyn InferenceModel> {
        Box::new(Self { made: vec![None; self.plan.made], plan: self.plan.clone() })
    }
}
