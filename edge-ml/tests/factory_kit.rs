//! Every case of the factory kit has teeth: a broken factory fails it, and the table in the docs says which.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use edge_ml::registry::{ModelFactory, ModelFile, OpenError, Opened};
use edge_ml::testing::factory::{self, FactoryHarness};
use edge_ml::{Affine, Tensor};

macro_rules! flaws {
    ($($flaw:ident => $case:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Flaw {
            None,
            $($flaw,)*
        }

        /// Every flaw, with the case that must catch it.
        const FLAWS: &[(Flaw, &str)] = &[$((Flaw::$flaw, $case)),*];
    };
}

flaws! {
    OpensAnything => "a_damaged_file_is_refused",
    SaysNothing => "a_refusal_says_why",
    OpensAnother => "a_file_opens_alike",
    SulksAfterRefusing => "a_refusal_changes_nothing",
}

/// A file with one number is a model that multiplies by it.
#[derive(Debug)]
struct Numbers {
    flaw: Flaw,
    opened: AtomicU32,
    refused: AtomicU32,
}

impl ModelFactory for Numbers {
    fn open(&self, file: &ModelFile<'_>) -> Result<Opened, OpenError> {
        let number = std::str::from_utf8(file.bytes).ok().and_then(|text| text.parse::<f32>().ok());
        let opened = self.opened.fetch_add(1, Ordering::SeqCst);
        let factor = match (number, self.flaw) {
            (Some(factor), Flaw::OpensAnother) => factor + opened as f32,
            (Some(factor), Flaw::SulksAfterRefusing) => factor + self.refused.load(Ordering::SeqCst) as f32,
            (Some(factor), _) => factor,
            (None, Flaw::OpensAnything) => 0.0,
            (None, flaw) => {
                self.refused.fetch_add(1, Ordering::SeqCst);
                let reason = if flaw == Flaw::SaysNothing { "" } else { "it is no number" };
                return Err(OpenError::new(file, reason));
            }
        };
        Ok(Opened::new(Box::new(Affine::new(&[factor], &[0.0]).unwrap())))
    }
}

struct Harness(Flaw);

impl FactoryHarness for Harness {
    fn open(&self) -> Box<dyn ModelFactory> {
        Box::new(Numbers { flaw: self.0, opened: AtomicU32::new(0), refused: AtomicU32::new(0) })
    }

    fn good(&self) -> Vec<u8> {
        b"2.5".to_vec()
    }

    fn bad(&self) -> Vec<u8> {
        b"two".to_vec()
    }

    fn inputs(&self) -> Vec<Tensor> {
        vec![Tensor::new([2, 1], vec![1.0f32, -3.0]).unwrap()]
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
    let listed: BTreeSet<_> = factory::CASES.iter().copied().collect();
    assert_eq!(
        listed,
        FLAWS.iter().map(|(_, case)| *case).collect(),
        "the cases, and those that have a saboteur"
    );
    let rows: BTreeSet<_> = include_str!("../src/testing/factory.rs").lines().filter_map(table_row).collect();
    let pairs = FLAWS.iter().map(|(flaw, case)| ((*case).to_owned(), format!("{flaw:?}"))).collect();
    assert_eq!(rows, pairs, "the table in the kit's docs, and the saboteurs");
    for &(flaw, case) in FLAWS {
        let caught = catch_unwind(AssertUnwindSafe(|| factory::run(case, &Harness(flaw))));
        assert!(caught.is_err(), "{case} does not catch {flaw:?}");
    }
}

mod sound {
    use super::{Flaw, Harness};

    edge_ml::factory_conformance!(Harness(Flaw::None));
}
