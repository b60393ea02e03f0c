//! Every case of the model kit has teeth: a broken model fails it, and the table in the docs says which.

mod saboteurs;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use edge_ml::testing::model::{self, ModelHarness};
use edge_ml::{Affine, InferenceModel, Tensor};
use saboteurs::{Broken, Flaw};

struct Harness<F>(F);

impl<F: Fn(Affine) -> Box<dyn InferenceModel>> ModelHarness for Harness<F> {
    fn open(&self) -> Box<dyn InferenceModel> {
        (self.0)(Affine::new(&[2.0, -1.0], &[0.5, 3.0]).unwrap())
    }

    fn inputs(&self, rows: usize) -> Vec<Tensor> {
        vec![Tensor::new([rows, 2], (0..2 * rows).map(|i| i as f32 + rows as f32).collect()).unwrap()]
    }
}

/// Returns case and saboteur of a row ``| contract | [`case`] | `Saboteur` |``.
fn table_row(line: &str) -> Option<(String, String)> {
    let (rest, saboteur) = line.strip_prefix("//! |")?.strip_suffix("` |")?.rsplit_once("| `")?;
    let (_, case) = rest.trim().strip_suffix("`]")?.rsplit_once("[`")?;
    Some((case.into(), saboteur.into()))
}

#[test]
fn every_saboteur_is_caught() {
    let listed: BTreeSet<_> = model::CASES.iter().copied().collect();
    let attacked: BTreeSet<_> = Flaw::ALL.iter().map(|(_, case)| *case).collect();
    assert_eq!(listed, attacked, "the cases of the kit, and those that have a saboteur");
    let rows: BTreeSet<_> = include_str!("../src/testing/model.rs").lines().filter_map(table_row).collect();
    let pairs: BTreeSet<_> =
        Flaw::ALL.iter().map(|(flaw, case)| ((*case).to_owned(), format!("{flaw:?}"))).collect();
    assert_eq!(rows, pairs, "the table in the kit's docs, and the saboteurs");
    for &(flaw, case) in Flaw::ALL {
        let harness = Harness(move |inner| Box::new(Broken::new(inner, flaw)) as Box<dyn InferenceModel>);
        let caught = catch_unwind(AssertUnwindSafe(|| model::run(case, &harness)));
        assert!(caught.is_err(), "{case} does not catch {flaw:?}");
    }
}

mod the_reference {
    use super::Harness;

    edge_ml::model_conformance!(Harness(|inner| -> Box<dyn edge_ml::InferenceModel> { Box::new(inner) }));
}
