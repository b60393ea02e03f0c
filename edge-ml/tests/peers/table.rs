//! The ONNX project's own test data: what runs, what is refused, and that nothing is wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use edge_ml::Engine;

use crate::data::{self, Case};
use crate::outcome::{Kind, Outcome, Why, outcomes};
use crate::python;

/// The file with the table.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ONNX.md");

/// How often each outcome came.
#[derive(Debug, Default)]
struct Row {
    cases: usize,
    passed: usize,
    with_constants: usize,
    refused: BTreeMap<Why, usize>,
    passed_by_onnxruntime: usize,
}

impl Row {
    fn count(&mut self, ours: &Outcome, theirs: &Outcome) {
        self.cases += 1;
        match ours.kind {
            Kind::Passed => self.passed += 1,
            Kind::WithConstants => self.with_constants += 1,
            Kind::Refused(why) => *self.refused.entry(why).or_default() += 1,
            Kind::Wrong => {}
        }
        self.passed_by_onnxruntime += usize::from(theirs.kind == Kind::Passed);
    }

    /// Writes the cells, for the row of this name.
    fn line(&self, name: &str) -> String {
        let refused: Vec<_> =
            self.refused.iter().map(|(why, count)| format!("{} {count}", word(*why))).collect();
        let Self { cases, passed, with_constants, passed_by_onnxruntime, .. } = self;
        let number: usize = self.refused.values().sum();
        let by_it = cases - passed_by_onnxruntime;
        format!(
            "| {name} | {cases} | {passed} | {with_constants} | {number} | {} | {passed_by_onnxruntime} | {by_it} |",
            refused.join(", ")
        )
    }
}

fn word(why: Why) -> &'static str {
    match why {
        Why::Type => "type",
        Why::Operator => "operator",
        Why::Name => "name",
        Why::Constant => "constant",
        Why::Engine => "engine",
    }
}

const TEXT: &str = "\
and by ONNX Runtime behind the feature `ort`. A case passes when every output has the type, the shape and the elements that it
must have. *With constants* counts cases that pass once inputs such as shapes and axes are made constants of the model
(`ReadOptions::with_constant`). What is *refused* is refused with a reason, when the model is loaded or at the latest when it
is run:

- *type*: a value is a list, a map or nothing at all, or its elements are of a type that tensors here do not have
  (complex numbers, bfloat16, floats of 8 bits and less, integers of 4 bits and less);
- *operator*: the engine does not have the operator; all such nodes of a model are listed by name;
- *name*: the engine has the operator and would answer wrongly, or by chance; the node is refused by name, and why;
- *constant*: the engine must know a value before anything is run;
- *engine*: another reason, which the engine states.

**Nothing is wrong**: no case that runs gives an answer that differs from the one expected.

Numbers are compared with the tolerance that the test data states, with two additions. Halves may differ by 2e-3 of what is
expected: one rounding of a half is 1e-3, and engines round at different places. All numbers may differ by 1e-6 of the largest
in their tensor besides, or of 1 when that is more: in a sum that is zero in theory (a Fourier transform, the state of a
network), what is left over is rounding.

`cargo xtask onnx-table` writes this file. `cargo xtask test` fails when an answer is wrong, and when fewer cases pass in any row.

| operator | cases | passed | with constants | refused | why | ONNX Runtime: passed | refused |
|---|--:|--:|--:|--:|---|--:|--:|
";

fn table(cases: &[Case], ours: &[Outcome], theirs: &[Outcome]) -> String {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    let mut all = Row::default();
    for ((case, ours), theirs) in cases.iter().zip(ours).zip(theirs) {
        for row in [rows.entry(&case.row).or_default(), &mut all] {
            row.count(ours, theirs);
        }
    }
    let versions = "import importlib.metadata as m; print(m.version('onnx'), m.version('onnxruntime'))";
    let versions = python::run(&["-c", versions]);
    let (onnx, onnxruntime) = versions.trim().split_once(' ').unwrap();
    let mut text = format!(
        "# What runs of ONNX\n\n\
         The ONNX project's own test data ({onnx}), case by case, through `edge_ml::read`: by default, which is the evaluator of\n\
         tables and `tract`; {TEXT}"
    )
    .replace("by ONNX Runtime behind", &format!("by ONNX Runtime ({onnxruntime}) behind"));
    writeln!(text, "{}", all.line("**all**")).unwrap();
    for (name, row) in &rows {
        let name = if name.starts_with('(') { (*name).to_owned() } else { format!("`{name}`") };
        writeln!(text, "{}", row.line(&name)).unwrap();
    }
    text
}

/// Returns the rows of a table: how many cases, how many pass by default, and how many by ONNX Runtime.
fn passed(table: &str) -> BTreeMap<&str, [usize; 3]> {
    let row = |line| {
        let cells: Vec<&str> = str::split(line, '|').map(str::trim).collect();
        let number = |place: usize| cells.get(place)?.parse::<usize>().ok();
        Some((*cells.get(1)?, [number(2)?, number(3)? + number(4)?, number(7)?]))
    };
    table.lines().filter_map(row).collect()
}

/// Returns the rows in which less passes than the table says.
fn fewer(written: &str, found: &str) -> Vec<String> {
    let found = passed(found);
    let mut rows = passed(written).into_iter().filter_map(|(name, before)| {
        let now = found.get(name).copied().unwrap_or_default();
        let is_less = now.iter().zip(&before).any(|(now, before)| now < before);
        is_less.then(|| format!("{name}: {before:?} cases and passes are now {now:?}"))
    });
    rows.by_ref().collect()
}

#[test]
fn less_than_a_table_says_is_seen() {
    let line = |passed: usize| format!("| `Add` | 9 | {passed} | 1 | 2 | type 2 | 7 | 2 |\n");
    assert_eq!(fewer(&line(6), &line(7)), Vec::<String>::new());
    assert_eq!(fewer(&line(6), &line(5)).len(), 1);
    assert_eq!(fewer(&line(6), "").len(), 1);
}

#[test]
fn nothing_is_wrong_and_what_the_table_says_passes() {
    let cases = data::made_by("nodes.py");
    let ours = outcomes(&cases, None);
    let theirs = outcomes(&cases, Some(Engine::OnnxRuntime));
    let both = || cases.iter().zip(ours.iter().zip(&theirs));
    let reasons: Vec<_> = both()
        .map(|(case, (a, b))| {
            format!("{}\t{:?}\t{:?}\t{:?}\t{:?}\n", case.name, a.kind, a.said, b.kind, b.said)
        })
        .collect();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("onnx.tsv");
    fs::write(&file, reasons.concat()).unwrap();
    println!("{} says what became of each case", file.display());
    let wrong: Vec<_> = both()
        .flat_map(|(case, (a, b))| [(case, "default", a), (case, "onnxruntime", b)])
        .filter(|(_, _, outcome)| outcome.kind == Kind::Wrong)
        .map(|(case, engine, outcome)| format!("{} by {engine}: {}", case.name, outcome.said))
        .collect();
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    let found = table(&cases, &ours, &theirs);
    if env::var_os("EDGE_ML_WRITE_TABLE").is_some() {
        fs::write(TABLE, &found).unwrap();
    }
    let written = fs::read_to_string(TABLE).unwrap_or_default();
    assert!(passed(&written).len() > 100, "`cargo xtask onnx-table` writes ONNX.md");
    let fewer = fewer(&written, &found);
    assert!(fewer.is_empty(), "less passes than ONNX.md says:\n{}", fewer.join("\n"));
}
