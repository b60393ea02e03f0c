use super::*;
use crate::condition::Condition;
use crate::fields::Sample;

#[test]
fn examples_run() {
    let message = Sample::new("/messages");
    for function in Function::all() {
        for example in function.examples() {
            let result = Condition::compile(example.condition).map_or_else(
                |_| "error".into(),
                |condition| alloc::format!("{}", condition.evaluate(&message)),
            );
            assert_eq!(result, example.result, "{}", example.condition);
        }
    }
}

#[test]
fn every_function_has_an_example_and_a_sentence() {
    for function in Function::all() {
        assert!(!function.examples().is_empty(), "{}", function.name());
        assert!(function.about().ends_with('.'), "{}", function.name());
    }
}

#[test]
fn signatures_know_their_types() {
    let concat = Function::named("Concat").expect("exists");
    assert!(concat.accepts(&[Type::String, Type::Dynamic, Type::String]));
    assert!(!concat.accepts(&[Type::String]));
    assert!(!concat.accepts(&[Type::String, Type::String, Type::Number]));
    assert_eq!(alloc::format!("{concat}"), "concat(string, string, …)");
    assert!(Function::named("round").is_none());
}
