//! Conformance kit for [`ModelFactory`].
//!
//! | contract | case | saboteur that fails it |
//! |---|---|---|
//! | MUST refuse what it cannot run | [`a_damaged_file_is_refused`] | `OpensAnything` |
//! | with a reason | [`a_refusal_says_why`] | `SaysNothing` |
//! | MUST give the same model for the same file | [`a_file_opens_alike`] | `OpensAnother` |
//! | a refused file leaves nothing | [`a_refusal_changes_nothing`] | `SulksAfterRefusing` |
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use crate::registry::{ModelFactory, ModelFile, ModelName, OpenError, Opened, VersionName};
use crate::rollout::divergence;
use crate::tensor::Tensor;

/// How the kit gets at a factory.
pub trait FactoryHarness {
    /// Returns the factory under test, fresh.
    fn open(&self) -> Box<dyn ModelFactory>;

    /// Returns a file that it opens.
    fn good(&self) -> Vec<u8>;

    /// Returns a file that it must refuse.
    fn bad(&self) -> Vec<u8>;

    /// Returns inputs for the model in the good file.
    fn inputs(&self) -> Vec<Tensor>;
}

/// Makes one test of each case of the [factory kit](crate::testing::factory); the argument makes a harness.
#[macro_export]
macro_rules! factory_conformance {
    ($harness:expr) => {
        $crate::__factory_cases! { __factory_tests! [$harness] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __factory_cases {
    ($then:ident! $args:tt) => {
        $crate::$then! { $args
            a_damaged_file_is_refused,
            a_refusal_says_why,
            a_file_opens_alike,
            a_refusal_changes_nothing,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __factory_tests {
    ([$harness:expr] $($case:ident,)*) => {
        $(
            #[test]
            fn $case() {
                $crate::testing::factory::$case(&$harness);
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __factory_index {
    ([] $($case:ident,)*) => {
        /// The names of all cases of the kit.
        pub const CASES: &[&str] = &[$(stringify!($case)),*];

        /// Runs the case with this name.
        ///
        /// # Panics
        /// Panics when the contract is broken, and when there is no such case.
        pub fn run(case: &str, harness: &impl FactoryHarness) {
            match case {
                $(stringify!($case) => $case(harness),)*
                _ => panic!("there is no case {case:?} in this kit"),
            }
        }
    };
}

__factory_cases! { __factory_index! [] }

fn open(factory: &dyn ModelFactory, bytes: &[u8]) -> Result<Opened, OpenError> {
    let model: ModelName = "kit".parse().expect("the text is a name");
    let version: VersionName = "1".parse().expect("the text is a name");
    factory.open(&ModelFile { model: &model, version: &version, bytes, mapping: None, golden: None })
}

fn answer(opened: &mut Opened, inputs: &[Tensor]) -> Vec<Tensor> {
    let views: Vec<_> = inputs.iter().map(Tensor::view).collect();
    opened.model.run(&views).expect("the model answers what the harness gives it")
}

/// > `open` MUST refuse what it cannot run.
pub fn a_damaged_file_is_refused(harness: &impl FactoryHarness) {
    let factory = harness.open();
    open(&*factory, &harness.good()).expect("the good file is opened");
    assert!(open(&*factory, &harness.bad()).is_err(), "the bad file was opened");
    assert!(open(&*factory, &[]).is_err(), "an empty file was opened");
}

/// > with a reason: it is reported as it is.
pub fn a_refusal_says_why(harness: &impl FactoryHarness) {
    let refused = open(&*harness.open(), &harness.bad()).err();
    let reason = refused.map(|error| error.reason).unwrap_or_default();
    assert!(reason.trim().len() > 3, "the reason is {reason:?}");
}

/// > `open` MUST give the same model for the same file and mapping.
pub fn a_file_opens_alike(harness: &impl FactoryHarness) {
    let factory = harness.open();
    let opened = || open(&*factory, &harness.good()).expect("the good file is opened");
    let (mut first, mut second) = (opened(), opened());
    assert_eq!(first.model.signature(), second.model.signature());
    let apart = divergence(&answer(&mut first, &harness.inputs()), &answer(&mut second, &harness.inputs()));
    assert!(apart <= 1e-6, "two openings are {apart} apart");
}

/// > `open` MUST NOT keep anything of a file that it refused.
pub fn a_refusal_changes_nothing(harness: &impl FactoryHarness) {
    let factory = harness.open();
    let mut before = open(&*factory, &harness.good()).expect("the good file is opened");
    let _refused = open(&*factory, &harness.bad());
    let mut after = open(&*factory, &harness.good()).expect("the good file is opened after a bad one");
    let apart = divergence(&answer(&mut before, &harness.inputs()), &answer(&mut after, &harness.inputs()));
    assert!(apart <= 1e-6, "a refusal changed what is opened by {apart}");
}
