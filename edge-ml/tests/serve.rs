//! Pools of threads that run models.

mod broken;

use std::num::NonZeroUsize;
use std::time::Duration;

use broken::{Behaviour, Gate, Odd};
use edge_ml::{Affine, ModelPool, PoolOptions, RunError, Tensor};

fn row(value: f32) -> Vec<Tensor> {
    vec![Tensor::new([1, 1], vec![value]).unwrap()]
}

fn value(answer: &[Tensor]) -> f32 {
    answer[0].values::<f32>().unwrap()[0]
}

fn affine() -> Affine {
    Affine::new(&[2.0], &[1.0]).unwrap()
}

#[tokio::test]
async fn requests_that_wait_are_answered_by_one_run() {
    let gate = Gate::default();
    let model = Odd::new(affine(), Behaviour::Waits(gate.clone()));
    let pool = ModelPool::start(&model, PoolOptions::default()).unwrap();
    let first = pool.submit(row(0.0)).await;
    gate.until_reached();
    let mut others = Vec::new();
    for number in 1..=10 {
        others.push(pool.submit(row(number as f32)).await);
    }
    gate.open();
    assert_eq!(value(&first.answer().await.unwrap()), 1.0);
    for (number, other) in (1..=10).zip(others) {
        assert_eq!(value(&other.answer().await.unwrap()), 2.0 * number as f32 + 1.0);
    }
    let stats = pool.stats();
    assert_eq!((stats.requests, stats.runs, stats.largest_batch), (11, 2, 10));
}

#[tokio::test]
async fn a_request_that_does_not_fit_fails_alone() {
    let gate = Gate::default();
    let pool = ModelPool::start(&Odd::new(affine(), Behaviour::Waits(gate.clone())), PoolOptions::default())
        .unwrap();
    let first = pool.submit(row(0.0)).await;
    gate.until_reached();
    let good = pool.submit(row(1.0)).await;
    let wrong = pool.submit(vec![Tensor::scalar(1u8)]).await;
    gate.open();
    assert!(first.answer().await.is_ok());
    assert_eq!(value(&good.answer().await.unwrap()), 3.0);
    assert!(matches!(wrong.answer().await, Err(RunError::Input(_))));
    assert_eq!(pool.stats().misfits, 1);
    assert_eq!(pool.bad(), None);
}

#[tokio::test]
async fn a_model_that_panics_is_bad_from_then_on() {
    let pool =
        ModelPool::start(&Odd::new(affine(), Behaviour::PanicsOn(7.0)), PoolOptions::default()).unwrap();
    assert!(pool.run(row(1.0)).await.is_ok());
    let error = pool.run(row(7.0)).await.unwrap_err();
    assert!(matches!(error, RunError::Panicked { .. }), "{error}");
    let error = pool.run(row(1.0)).await.unwrap_err();
    assert!(matches!(error, RunError::Bad { .. }), "{error}");
    assert!(pool.bad().unwrap().contains("panicked"));
}

#[tokio::test]
async fn a_model_that_does_not_return_is_bad_and_nobody_waits_for_it() {
    let gate = Gate::default();
    let mut options = PoolOptions::default();
    options.time_limit = Duration::from_millis(20);
    let pool = ModelPool::start(&Odd::new(affine(), Behaviour::Waits(gate.clone())), options).unwrap();
    let first = pool.submit(row(0.0)).await;
    let second = pool.submit(row(1.0)).await;
    let error = first.answer().await.unwrap_err();
    assert!(matches!(error, RunError::TimedOut { .. }), "{error}");
    assert!(second.answer().await.unwrap_err().is_bad());
    assert!(pool.run(row(2.0)).await.unwrap_err().is_bad());
    gate.open();
}

#[tokio::test]
async fn whoever_asks_for_more_than_allowed_waits() {
    let gate = Gate::default();
    let mut options = PoolOptions::default();
    options.max_requests = NonZeroUsize::new(2).unwrap();
    let pool = ModelPool::start(&Odd::new(affine(), Behaviour::Waits(gate.clone())), options).unwrap();
    let (first, second) = (pool.submit(row(0.0)).await, pool.submit(row(1.0)).await);
    let third = tokio::time::timeout(Duration::ZERO, pool.submit(row(2.0))).await;
    assert!(third.is_err(), "there is no place");
    gate.open();
    assert!(first.answer().await.is_ok() && second.answer().await.is_ok());
    assert!(pool.run(row(2.0)).await.is_ok());
}
