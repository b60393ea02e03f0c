//! Conformance kit for [`InferenceModel`].
//!
//! | contract | case | saboteur that fails it |
//! |---|---|---|
//! | `signature` MUST always say the same | [`the_signature_stays`] | `RenamesItself` |
//! | `run` MUST refuse inputs that do not fit | [`a_wrong_count_is_refused`] | `TakesAnyCount` |
//! | `run` MUST refuse inputs that do not fit | [`a_wrong_type_is_refused`] | `TakesAnyType` |
//! | `run` MUST refuse inputs that do not fit | [`a_wrong_shape_is_refused`] | `TakesAnyShape` |
//! | MUST answer later inputs | [`a_refusal_changes_nothing`] | `SulksAfterRefusing` |
//! | `run` MUST return one tensor for each output | [`answers_fit_the_signature`] | `DropsAnOutput` |
//! | MUST depend on its inputs alone | [`answers_repeat`] | `Remembers` |
//! | each row of an answer MUST depend on the same row | [`rows_are_independent`] | `MixesRows` |
//! | `fork` MUST return a model with the same answers | [`forks_answer_alike`] | `ForksAnother` |
//! | shares nothing that a run changes | [`forks_share_nothing`] | `SharesItsCount` |
//! | `run` MUST NOT panic on any values | [`strange_values_do_not_panic`] | `PanicsOnNan` |
//! | `run` MUST NOT panic on zero rows | [`no_rows_do_not_panic`] | `PanicsOnNothing` |
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use crate::{Dim, ElementType, InferenceModel, RunError, Tensor, TensorView};

/// How the kit gets at a model.
pub trait ModelHarness {
    /// Returns the model under test, fresh.
    fn open(&self) -> Box<dyn InferenceModel>;

    /// Returns inputs that fit the signature, with `rows` different rows if the model is batched; a model that is not
    /// is asked for 1 and 2, which must differ in their values.
    fn inputs(&self, rows: usize) -> Vec<Tensor>;

    /// Returns how far two answers may be apart that differ by rounding, in relation to the larger of 1 and the answer.
    fn tolerance(&self) -> f64 {
        1e-5
    }
}

/// Makes one test of each case of the [model kit](crate::testing::model); the argument makes a harness.
#[macro_export]
macro_rules! model_conformance {
    ($harness:expr) => {
        $crate::__model_cases! { __model_tests! [$harness] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __model_cases {
    ($then:ident! $args:tt) => {
        $crate::$then! { $args
            the_signature_stays,
            a_wrong_count_is_refused,
            a_wrong_type_is_refused,
            a_wrong_shape_is_refused,
            a_refusal_changes_nothing,
            answers_fit_the_signature,
            answers_repeat,
            rows_are_independent,
            forks_answer_alike,
            forks_share_nothing,
            strange_values_do_not_panic,
            no_rows_do_not_panic,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __model_tests {
    ([$harness:expr] $($case:ident,)*) => {
        $(
            #[test]
            fn $case() {
                $crate::testing::model::$case(&$harness);
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __model_index {
    ([] $($case:ident,)*) => {
        /// The names of all cases of the kit.
        pub const CASES: &[&str] = &[$(stringify!($case)),*];

        /// Runs the case with this name.
        ///
        /// # Panics
        /// Panics when the contract is broken, and when there is no such case.
        pub fn run(case: &str, harness: &impl ModelHarness) {
            match case {
                $(stringify!($case) => $case(harness),)*
                _ => panic!("there is no case {case:?} in this kit"),
            }
        }
    };
}

__model_cases! { __model_index! [] }

fn views(tensors: &[Tensor]) -> Vec<TensorView<'_>> {
    tensors.iter().map(Tensor::view).collect()
}

fn answer(model: &mut dyn InferenceModel, inputs: &[Tensor]) -> Vec<Tensor> {
    model.run(&views(inputs)).expect("the model answers what fits its signature")
}

/// Returns the elements as numbers, or none for text.
fn numbers(tensor: &Tensor) -> Option<Vec<f64>> {
    macro_rules! widen {
        ($($type:ty),*) => {
            $(if let Some(values) = tensor.values::<$type>() {
                return Some(values.iter().map(|&value| value as f64).collect());
            })*
        };
    }
    widen!(f32, f64, i8, i16, i32, i64, u8, u16, u32, u64);
    let halves =
        tensor.values::<crate::F16>().map(|all| all.iter().map(|half| half.to_f32().into()).collect());
    halves
        .or_else(|| Some(tensor.values::<bool>()?.iter().map(|&truth| f64::from(u8::from(truth))).collect()))
}

/// Panics unless two answers are the same up to rounding.
fn assert_alike(left: &[Tensor], right: &[Tensor], tolerance: f64, what: &str) {
    assert_eq!(left.len(), right.len(), "{what}: as many tensors");
    for (index, (a, b)) in left.iter().zip(right).enumerate() {
        assert_eq!((a.element_type(), a.shape()), (b.element_type(), b.shape()), "{what}: output {index}");
        let (Some(x), Some(y)) = (numbers(a), numbers(b)) else {
            assert!(a == b, "{what}: the text of output {index} differs");
            continue;
        };
        for (place, (x, y)) in x.iter().zip(&y).enumerate() {
            let near = (x - y).abs() <= tolerance * x.abs().max(y.abs()).max(1.0);
            let same = near || (x.is_nan() && y.is_nan()) || x == y;
            assert!(same, "{what}: element {place} of output {index} is {x} and {y}");
        }
    }
}

fn refused(model: &mut dyn InferenceModel, inputs: &[Tensor], what: &str) {
    let outcome = model.run(&views(inputs));
    assert!(matches!(outcome, Err(RunError::Input(_))), "{what}: {outcome:?}");
}

fn of_another_type(tensor: &Tensor) -> Tensor {
    let (shape, count) = (tensor.shape(), tensor.len());
    if tensor.element_type() == ElementType::U16 {
        Tensor::new(shape, vec![0i8; count]).expect("the count is the tensor's own")
    } else {
        Tensor::new(shape, vec![0u16; count]).expect("the count is the tensor's own")
    }
}

/// > `signature` MUST always say the same.
pub fn the_signature_stays(harness: &impl ModelHarness) {
    let mut model = harness.open();
    let before = model.signature().clone();
    answer(&mut *model, &harness.inputs(1));
    assert_eq!(*model.signature(), before, "after a run");
    let _refused = model.run(&[]);
    assert_eq!(*model.signature(), before, "after a refusal");
}

/// > `run` MUST refuse inputs that do not fit the signature with [`RunError::Input`].
pub fn a_wrong_count_is_refused(harness: &impl ModelHarness) {
    let mut model = harness.open();
    let mut inputs = harness.inputs(1);
    inputs.push(Tensor::scalar(0u8));
    refused(&mut *model, &inputs, "one more than there are inputs");
    if inputs.len() > 1 {
        refused(&mut *model, &[], "no input");
    }
}

/// > `run` MUST refuse inputs that do not fit the signature with [`RunError::Input`].
pub fn a_wrong_type_is_refused(harness: &impl ModelHarness) {
    let mut model = harness.open();
    let good = harness.inputs(1);
    for index in 0..good.len() {
        let mut inputs = good.clone();
        inputs[index] = of_another_type(&inputs[index]);
        refused(&mut *model, &inputs, "another type");
    }
}

/// > `run` MUST refuse inputs that do not fit the signature with [`RunError::Input`].
pub fn a_wrong_shape_is_refused(harness: &impl ModelHarness) {
    let mut model = harness.open();
    let good = harness.inputs(1);
    let ports = model.signature().inputs().to_vec();
    for (index, dims) in
        ports.iter().enumerate().filter_map(|(index, port)| Some((index, port.dims.as_ref()?)))
    {
        let mut inputs = good.clone();
        let deeper: Vec<_> = inputs[index].shape().iter().copied().chain([1]).collect();
        inputs[index] = inputs[index].clone().reshaped(deeper).expect("one more dimension of size 1");
        refused(&mut *model, &inputs, "one dimension more");
        let Some(place) = dims.iter().position(|dim| matches!(dim, Dim::Fixed(_))) else { continue };
        let mut shape = good[index].shape().to_vec();
        shape[place] += 1;
        let count = shape.iter().product();
        let bytes = good[index].element_type();
        let Some(wider) = zeros(bytes, shape, count) else { continue };
        inputs[index] = wider;
        refused(&mut *model, &inputs, "a dimension of another size");
    }
}

fn zeros(element: ElementType, shape: Vec<usize>, count: usize) -> Option<Tensor> {
    let tensor = match element {
        ElementType::F32 => Tensor::new(shape, vec![0f32; count]),
        ElementType::F64 => Tensor::new(shape, vec![0f64; count]),
        ElementType::I64 => Tensor::new(shape, vec![0i64; count]),
        ElementType::I32 => Tensor::new(shape, vec![0i32; count]),
        ElementType::U8 => Tensor::new(shape, vec![0u8; count]),
        ElementType::Text => Tensor::new(shape, vec![String::new(); count]),
        _ => return None,
    };
    tensor.ok()
}

/// > MUST answer later inputs as if it had not been called.
pub fn a_refusal_changes_nothing(harness: &impl ModelHarness) {
    let mut model = harness.open();
    let inputs = harness.inputs(1);
    let before = answer(&mut *model, &inputs);
    let wrong: Vec<_> = inputs.iter().map(of_another_type).collect();
    let _refused = model.run(&views(&wrong));
    let after = answer(&mut *model, &inputs);
    assert_alike(&before, &after, 0.0, "before and after a refusal");
}

/// > `run` MUST return one tensor for each output of the signature, in its order, of its type and dimensions.
pub fn answers_fit_the_signature(harness: &impl ModelHarness) {
    let mut model = harness.open();
    for rows in [1, 2] {
        let inputs = harness.inputs(rows);
        let outputs = answer(&mut *model, &inputs);
        let fits = model.signature().check_run(&views(&inputs), &views(&outputs));
        fits.unwrap_or_else(|error| panic!("{} answered with {outputs:?}: {error}", model.signature()));
    }
}

/// > What `run` returns MUST depend on its inputs alone: not on earlier calls, not on time.
pub fn answers_repeat(harness: &impl ModelHarness) {
    let mut model = harness.open();
    let (one, other) = (harness.inputs(1), harness.inputs(2));
    let first = answer(&mut *model, &one);
    for _ in 0..3 {
        answer(&mut *model, &other);
        assert_alike(&first, &answer(&mut *model, &one), 0.0, "the same inputs again");
    }
}

/// > each row of an answer MUST depend on the same row of the inputs alone, up to the rounding of the engine.
pub fn rows_are_independent(harness: &impl ModelHarness) {
    let mut model = harness.open();
    if !model.signature().is_batched() {
        println!("rows_are_independent: nothing checked, since the model is not batched");
        return;
    }
    const ROWS: usize = 5;
    let inputs = harness.inputs(ROWS);
    let together = answer(&mut *model, &inputs);
    for row in 0..ROWS {
        let cut = |all: &[Tensor]| -> Vec<_> {
            all.iter()
                .map(|tensor| tensor.view().rows(row, row + 1).expect("there are as many rows"))
                .collect()
        };
        let alone = answer(&mut *model, &cut(&inputs));
        assert_alike(&cut(&together), &alone, harness.tolerance(), "a row among others and alone");
    }
}

/// > `fork` MUST return a model with the same signature and the same answers.
pub fn forks_answer_alike(harness: &impl ModelHarness) {
    let mut model = harness.open();
    let mut fork = model.fork();
    assert_eq!(fork.signature(), model.signature());
    let inputs = harness.inputs(2);
    assert_alike(&answer(&mut *model, &inputs), &answer(&mut *fork, &inputs), 0.0, "a model and its fork");
}

/// > which shares nothing that a run changes.
pub fn forks_share_nothing(harness: &impl ModelHarness) {
    let mut model = harness.open();
    let mut fork = model.fork();
    let (one, other) = (harness.inputs(1), harness.inputs(2));
    let first = answer(&mut *model, &one);
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| (0..20).for_each(|_| drop(answer(&mut *fork, &other))));
        for _ in 0..20 {
            assert_alike(&first, &answer(&mut *model, &one), 0.0, "while a fork runs");
        }
        busy.join().expect("the fork answers as well");
    });
    assert_alike(&first, &answer(&mut *model, &one), 0.0, "after a fork has run");
}

/// > `run` MUST NOT panic on any values: not on NaN, not on infinities.
pub fn strange_values_do_not_panic(harness: &impl ModelHarness) {
    let mut model = harness.open();
    let good = harness.inputs(1);
    for number in 0..4 {
        let strange: Vec<_> = good.iter().map(|tensor| strange(tensor, number)).collect();
        let _any_answer = model.run(&views(&strange));
    }
    answer(&mut *model, &good);
}

fn strange(tensor: &Tensor, number: usize) -> Tensor {
    const FLOATS: [f32; 4] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX];
    const INTEGERS: [i64; 4] = [i64::MIN, i64::MAX, -1, 0];
    let (shape, count) = (tensor.shape(), tensor.len());
    let made = match tensor.element_type() {
        ElementType::F32 => Tensor::new(shape, vec![FLOATS[number]; count]),
        ElementType::F64 => Tensor::new(shape, vec![f64::from(FLOATS[number]); count]),
        ElementType::I64 => Tensor::new(shape, vec![INTEGERS[number]; count]),
        ElementType::Text => Tensor::new(shape, vec![["", "\0", "-", "\u{fffd}"][number].to_owned(); count]),
        _ => Ok(tensor.clone()),
    };
    made.expect("the count is the tensor's own")
}

/// > `run` MUST NOT panic on any values: not on zero rows.
pub fn no_rows_do_not_panic(harness: &impl ModelHarness) {
    let mut model = harness.open();
    let good = harness.inputs(1);
    if model.signature().is_batched() {
        let none: Vec<_> =
            good.iter().map(|tensor| tensor.view().rows(0, 0).expect("none of the rows")).collect();
        let _any_answer = model.run(&views(&none));
    } else {
        println!("no_rows_do_not_panic: nothing checked, since the model is not batched");
    }
    answer(&mut *model, &good);
}
