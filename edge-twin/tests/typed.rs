//! Structs as properties.

use std::collections::BTreeMap;

use edge_twin::typed::{TwinProperties, Typed};
use edge_twin::{Limits, Patch, Value};

/// How one axis moves.
#[derive(Clone, Debug, PartialEq, TwinProperties)]
struct Axis {
    #[twin(default = 1.5, range = 0.0..10.0)]
    speed: f64,
    locked: bool,
}

/// What a machine should do.
#[derive(Clone, Debug, PartialEq, TwinProperties)]
struct Machine {
    /// Seconds between two reports.
    #[twin(name = "reportEvery", default = 10_u16, range = 1..=3600)]
    report_every: u16,
    label: Option<String>,
    x: Axis,
    tools: Vec<u8>,
    by_name: BTreeMap<String, i32>,
}

fn patch(text: &str) -> Patch {
    Patch::parse(text.as_bytes(), &Limits::default()).unwrap()
}

#[test]
fn a_patch_changes_what_it_names_and_says_so() {
    let mut machine = Typed::<Machine>::default();
    assert_eq!((machine.values().report_every, machine.values().x.speed), (10, 1.5));
    let changes =
        machine.apply(&patch(r#"{"reportEvery":60,"x":{"locked":true},"tools":[1,2],"other":{"a":1}}"#));
    let axis = Axis { speed: 1.5, locked: true };
    let expected = [MachineChange::ReportEvery(60), MachineChange::X(axis), MachineChange::Tools(vec![1, 2])];
    assert_eq!(changes.unwrap(), expected);
    let changes = machine.apply(&patch(r#"{"reportEvery":null,"label":null,"other":{"b":2}}"#)).unwrap();
    assert_eq!(changes, [MachineChange::ReportEvery(10)], "it has its default again");
    let others = Value::from(machine.members().clone());
    assert_eq!(others.member("other").unwrap().to_string(), r#"{"a":1,"b":2}"#, "what is unknown is kept");
}

fn refused(text: &str, message: &str) {
    let mut machine = Typed::<Machine>::default();
    let before = machine.clone();
    assert_eq!(machine.apply(&patch(text)).unwrap_err().to_string(), message);
    assert_eq!(machine, before);
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    refused(r#"{"label":"a","reportEvery":0}"#, "`reportEvery` is 0, which is not in 1..=3600");
    refused(r#"{"reportEvery":70000}"#, "`reportEvery` is 70000, which is not an integer from 0 to 65535");
    refused(r#"{"reportEvery":"x"}"#, "`reportEvery` is \"x\", which is not an integer from 0 to 65535");
    refused(r#"{"x":{"speed":10.0}}"#, "`x.speed` is 10, which is not in 0.0..10.0");
    refused(r#"{"x":7}"#, "`x` is 7, which is not an object");
    refused(r#"{"tools":[1,256]}"#, "`tools.1` is 256, which is not an integer from 0 to 255");
    refused(
        r#"{"by_name":{"a":{}}}"#,
        "`by_name.a` is an object, which is not an integer from -2147483648 to 2147483647",
    );
}

#[test]
fn setting_makes_the_patch_for_others() {
    let mut machine = Typed::<Machine>::read(patch(r#"{"label":"a","other":1}"#).members().clone()).unwrap();
    let mut values = machine.values().clone();
    values.label = None;
    values.x.locked = true;
    let said = machine.set(values);
    let expected =
        r#"{"by_name":{},"label":null,"reportEvery":10,"tools":[],"x":{"locked":true,"speed":1.5}}"#;
    assert_eq!(said.to_json(), expected);
    assert_eq!(machine.members().len(), 5);
    assert!(machine.set(machine.values().clone()).is_empty(), "nothing has changed");
    assert_eq!(Typed::<Machine>::read(machine.members().clone()).unwrap(), machine);
}

#[test]
fn the_schema_says_what_is_taken() {
    let schema = Machine::schema();
    let properties = schema.member("properties").unwrap();
    assert_eq!(schema.member("description").and_then(Value::as_str), Some("What a machine should do."));
    let expected = r#"{"default":10,"description":"Seconds between two reports.","maximum":3600,"minimum":1,"type":"integer"}"#;
    assert_eq!(properties.member("reportEvery").unwrap().to_string(), expected);
    let speed = properties.member("x").and_then(|x| x.member("properties")?.member("speed")).unwrap();
    assert_eq!(speed.to_string(), r#"{"default":1.5,"exclusiveMaximum":10,"minimum":0,"type":"number"}"#);
}

#[test]
fn what_cannot_be_is_refused_by_the_compiler() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
