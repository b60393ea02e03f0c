//! What a model takes and gives.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::tensor::{ElementType, Shape, TensorView};

/// The size of one dimension, as a model declares it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dim {
    /// This size.
    Fixed(usize),
    /// Any size, the same wherever the symbol stands.
    Symbol(Arc<str>),
    /// Any size.
    Any,
}

/// Prints dimensions as `[batch, 3, ?]`.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a wrapper with one public field, and nothing more to come")]
pub struct DimText<'a>(pub &'a [Dim]);

impl fmt::Display for DimText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, dim) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            match dim {
                Dim::Fixed(size) => write!(f, "{size}")?,
                Dim::Symbol(name) => f.write_str(name)?,
                Dim::Any => f.write_str("?")?,
            }
        }
        f.write_str("]")
    }
}

/// One input or output of a model.
///
/// # Examples
/// ```
/// use edge_ml::{Dim, ElementType, Port};
///
/// let port = Port::new("x", ElementType::F32, vec![Dim::Symbol("batch".into()), Dim::Fixed(4)]);
/// assert_eq!(port.to_string(), "x: f32[batch, 4]");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Port {
    /// The name.
    pub name: Arc<str>,
    /// The type of the elements.
    pub element: ElementType,
    /// The dimensions; `None` when the model does not say how many there are.
    pub dims: Option<Vec<Dim>>,
    /// What the columns of the last dimension stand for, when the model says so: the classes of a classifier.
    pub labels: Option<Arc<[String]>>,
}

impl Port {
    /// Returns the port with these dimensions, and no labels.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, element: ElementType, dims: Vec<Dim>) -> Self {
        Self { name: name.into(), element, dims: Some(dims), labels: None }
    }

    /// Returns the port without known dimensions.
    #[must_use]
    pub fn of_any_shape(name: impl Into<Arc<str>>, element: ElementType) -> Self {
        Self { name: name.into(), element, dims: None, labels: None }
    }

    /// Says what the columns of the last dimension stand for.
    #[must_use]
    pub fn with_labels(mut self, labels: impl Into<Arc<[String]>>) -> Self {
        self.labels = Some(labels.into());
        self
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.element)?;
        match &self.dims {
            Some(dims) => DimText(dims).fmt(f),
            None => f.write_str("[...]"),
        }
    }
}

/// The inputs and outputs of a model, in its order.
///
/// # Examples
/// ```
/// use edge_ml::{Dim, ElementType, Port, Signature, Tensor};
///
/// let batch = || Dim::Symbol("batch".into());
/// let x = Port::new("x", ElementType::F32, vec![batch(), Dim::Fixed(4)]);
/// let y = Port::new("y", ElementType::F32, vec![batch()]);
/// let signature = Signature::new(vec![x], vec![y]);
/// assert!(signature.is_batched());
///
/// let wrong = Tensor::new([4], vec![0.0f32; 4])?;
/// let error = signature.check_inputs(&[wrong.view()]).unwrap_err();
/// assert_eq!(error.to_string(), "x: f32[batch, 4] does not take f32[4]");
/// # Ok::<(), edge_ml::TensorError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    inputs: Arc<[Port]>,
    outputs: Arc<[Port]>,
}

/// Why tensors do not fit a signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MisfitError {
    /// There are more or fewer tensors than ports.
    #[error("{found} tensors were given for {expected} ports")]
    Count {
        /// How many ports there are.
        expected: usize,
        /// How many tensors were given.
        found: usize,
    },
    /// A tensor is of another type or shape than its port.
    #[error("{port} does not take {element}{shape:?}")]
    Port {
        /// The port, as the signature has it.
        port: String,
        /// The type of the tensor's elements.
        element: ElementType,
        /// The tensor's shape.
        shape: Shape,
    },
    /// A symbol stands for two sizes.
    #[error("{symbol} is {first} in one place and {second} in {port}")]
    Symbol {
        /// The symbol.
        symbol: Arc<str>,
        /// Its size where it was seen first.
        first: usize,
        /// Its size in this port.
        second: usize,
        /// The port, as the signature has it.
        port: String,
    },
}

impl Signature {
    /// Returns the signature with these ports.
    #[must_use]
    pub fn new(inputs: Vec<Port>, outputs: Vec<Port>) -> Self {
        Self { inputs: inputs.into(), outputs: outputs.into() }
    }

    /// Returns the inputs.
    #[must_use]
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// Returns the outputs.
    #[must_use]
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// Returns the place and the port of the input with this name.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<(usize, &Port)> {
        self.inputs.iter().enumerate().find(|(_, port)| &*port.name == name)
    }

    /// Returns the place and the port of the output with this name.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<(usize, &Port)> {
        self.outputs.iter().enumerate().find(|(_, port)| &*port.name == name)
    }

    /// Returns whether every input and every output begins with a dimension of one and the same symbol, or of any
    /// size: only then can messages be stacked into one run.
    #[must_use]
    pub fn is_batched(&self) -> bool {
        let first = |port: &Port| port.dims.as_ref().and_then(|dims| dims.first().cloned());
        let mut ports = self.inputs.iter().chain(&*self.outputs).map(first);
        let Some(Some(batch)) = ports.next() else { return false };
        batch != Dim::Any && !matches!(batch, Dim::Fixed(_)) && ports.all(|dim| dim.as_ref() == Some(&batch))
    }

    /// Checks that tensors are what the inputs take.
    ///
    /// # Errors
    /// [`MisfitError`] with the first that does not fit.
    pub fn check_inputs(&self, tensors: &[TensorView<'_>]) -> Result<(), MisfitError> {
        check(&self.inputs, tensors, &mut BTreeMap::new())
    }

    /// Checks that tensors are what the outputs give, for these inputs.
    ///
    /// # Errors
    /// [`MisfitError`] with the first that does not fit.
    pub fn check_run(
        &self,
        inputs: &[TensorView<'_>],
        outputs: &[TensorView<'_>],
    ) -> Result<(), MisfitError> {
        let mut sizes = BTreeMap::new();
        check(&self.inputs, inputs, &mut sizes)?;
        check(&self.outputs, outputs, &mut sizes)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, port) in self.inputs.iter().enumerate() {
            write!(f, "{}{port}", if index > 0 { ", " } else { "" })?;
        }
        f.write_str(" -> ")?;
        for (index, port) in self.outputs.iter().enumerate() {
            write!(f, "{}{port}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

fn check<'p>(
    ports: &'p [Port],
    tensors: &[TensorView<'_>],
    sizes: &mut BTreeMap<&'p str, usize>,
) -> Result<(), MisfitError> {
    if ports.len() != tensors.len() {
        return Err(MisfitError::Count { expected: ports.len(), found: tensors.len() });
    }
    for (port, tensor) in ports.iter().zip(tensors) {
        let misfit = || MisfitError::Port {
            port: port.to_string(),
            element: tensor.element_type(),
            shape: tensor.shape().into(),
        };
        if port.element != tensor.element_type() {
            return Err(misfit());
        }
        let Some(dims) = &port.dims else { continue };
        if dims.len() != tensor.shape().len() {
            return Err(misfit());
        }
        for (dim, &size) in dims.iter().zip(tensor.shape()) {
            match dim {
                Dim::Fixed(fixed) if *fixed != size => return Err(misfit()),
                Dim::Fixed(_) | Dim::Any => {}
                Dim::Symbol(symbol) => {
                    let first = *sizes.entry(symbol).or_insert(size);
                    if first != size {
                        let port = port.to_string();
                        return Err(MisfitError::Symbol {
                            symbol: symbol.clone(),
                            first,
                            second: size,
                            port,
                        });
                    }
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;

    fn symbol(name: &str) -> Dim {
        Dim::Symbol(name.into())
    }

    #[test]
    fn a_symbol_has_one_size_in_all_ports() {
        let a = Port::new("a", ElementType::F32, vec![symbol("n")]);
        let b = Port::new("b", ElementType::F32, vec![symbol("n"), Dim::Any]);
        let signature = Signature::new(vec![a], vec![b]);
        let (two, three) =
            (Tensor::new([2], vec![0f32; 2]).unwrap(), Tensor::new([3, 1], vec![0f32; 3]).unwrap());
        let error = signature.check_run(&[two.view()], &[three.view()]).unwrap_err();
        assert_eq!(error.to_string(), "n is 2 in one place and 3 in b: f32[n, ?]");
    }

    #[test]
    fn fixed_and_any_first_dimensions_are_no_batch() {
        let of = |dim: Dim| {
            let port = Port::new("a", ElementType::F32, vec![dim]);
            Signature::new(vec![port.clone()], vec![port]).is_batched()
        };
        assert!(of(symbol("n")));
        assert!(!of(Dim::Fixed(1)) && !of(Dim::Any));
        assert!(!Signature::new(vec![Port::of_any_shape("a", ElementType::F32)], vec![]).is_batched());
    }
}
