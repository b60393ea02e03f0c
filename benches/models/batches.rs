//! What batching brings: many requests on the way, run one by one, or together.

use std::num::NonZeroUsize;

use edge_ml::{Engine, ModelPool, PoolOptions, ReadOptions, Tensor, read};
use tokio::runtime::{Builder, Runtime};

use crate::tables;
use crate::timing::{Effort, in_turn, shown};

const REQUESTS: usize = 256;

fn pool(model: &[u8], engine: Engine, max_batch: usize) -> ModelPool {
    let options = ReadOptions::default().with_engine(engine);
    let (model, ..) = read(model, &options).expect("it ran in the tests");
    let mut options = PoolOptions::default();
    let number = |value| NonZeroUsize::new(value).expect("it is not zero");
    (options.max_batch, options.max_requests) = (number(max_batch), number(REQUESTS));
    ModelPool::start(&*model, options).expect("there are threads")
}

fn ask(runtime: &Runtime, pool: &ModelPool, row: &Tensor) {
    runtime.block_on(async {
        let mut tickets = Vec::with_capacity(REQUESTS);
        for _ in 0..REQUESTS {
            tickets.push(pool.submit(vec![row.clone()]).await);
        }
        for ticket in tickets {
            drop(ticket.answer().await.expect("it ran in the tests"));
        }
    });
}

pub(crate) fn measure(effort: Effort) {
    println!("| model | engine | one by one | up to 64 together | times |\n|---|---|--:|--:|--:|");
    let runtime = Builder::new_current_thread().enable_time().build().expect("it needs nothing");
    for (name, engine) in [("kmeans", Engine::Tract), ("mlp_classifier", Engine::Tables)] {
        let case = tables::all().into_iter().find(|case| case.name == name).expect("it is there");
        let row = case.inputs[0].1.view().rows(0, 1).expect("it has rows");
        let (single, batched) = (pool(&case.model, engine, 1), pool(&case.model, engine, 64));
        let mut one_by_one = || ask(&runtime, &single, &row);
        let mut together = || ask(&runtime, &batched, &row);
        let times = in_turn(effort, &mut [&mut one_by_one, &mut together]);
        let each = |seconds: f64| shown(seconds / REQUESTS as f64);
        println!(
            "| {name} | {engine} | {} | {} | {:.1} |",
            each(times[0]),
            each(times[1]),
            times[0] / times[1]
        );
    }
}
