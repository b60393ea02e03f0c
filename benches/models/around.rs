//! What stands around an engine: a message to tensors, a place in the queue, a thread of the pool, and a result.

use std::num::NonZeroUsize;
use std::path::Path;

use edge_core::{Message, Source};
use edge_ml::mapping::MappingSpec;
use edge_ml::{InferenceModel, Mapped, ModelPool, PoolOptions, ReadOptions, Translate, read};
use tokio::runtime::{Builder, Runtime};

use crate::tables;
use crate::timing::{Effort, in_turn, shown};

const MESSAGES: usize = 64;
const MAPPING: &str = r#"{
    "inputs": {"x": {"fields": ["$body.a", "$body.b", "$body.c", "$body.d", "$body.e"]}},
    "outputs": {"y": {"from": "variable"}}
}"#;

fn body(number: usize) -> String {
    format!(r#"{{"a":{number}.5,"b":-2.25,"c":0.125,"d":3,"e":{number}}}"#)
}

/// Sends all messages through mapping, pool and mapping again.
fn through(runtime: &Runtime, pool: &ModelPool, mapped: &Mapped, messages: &[Message]) {
    runtime.block_on(async {
        let mut tickets = Vec::with_capacity(messages.len());
        for message in messages {
            let inputs = mapped.inputs(message).expect("it has all fields").expect("there is no window");
            tickets.push(pool.submit(inputs).await);
        }
        for (ticket, message) in tickets.into_iter().zip(messages) {
            let outputs = ticket.answer().await.expect("it ran in the tests");
            drop(mapped.result(message, &outputs).expect("it is a number").build());
        }
    });
}

pub(crate) fn measure(effort: Effort) {
    let case =
        tables::all().into_iter().find(|case| case.name == "scaler_gbt_regressor").expect("it is there");
    let (mut model, ..) = read(&case.model, &ReadOptions::default()).expect("it ran in the tests");
    let spec: MappingSpec = serde_json::from_str(MAPPING).expect("it is a mapping");
    let mapping = spec.check(model.signature(), Path::new(".")).expect("it fits the model");
    let mapped = Mapped::new(mapping);
    let messages: Vec<_> = (0..MESSAGES)
        .map(|n| Message::builder(&Source::telemetry()).body(body(n).as_bytes()).build())
        .collect();
    let inputs: Vec<_> =
        messages.iter().map(|m| mapped.inputs(m).expect("fields").expect("no window")).collect();
    let mut options = PoolOptions::default();
    options.max_batch = NonZeroUsize::MIN;
    let pool = ModelPool::start(&*model, options).expect("there are threads");
    let runtime = Builder::new_current_thread().enable_time().build().expect("it needs nothing");

    let mut engine = || {
        for input in &inputs {
            drop(model.run(&[input[0].view()]).expect("it ran in the tests"));
        }
    };
    let mut many = || through(&runtime, &pool, &mapped, &messages);
    let mut mapping = || {
        for message in &messages {
            drop(mapped.inputs(message).expect("it has all fields"));
        }
    };
    let times = in_turn(effort, &mut [&mut engine, &mut many, &mut mapping]);
    let mut alone = || through(&runtime, &pool, &mapped, &messages[..1]);
    let single = in_turn(effort, &mut [&mut alone]);
    let each = |seconds: f64| seconds / MESSAGES as f64;
    println!("| around an engine, per message | |\n|---|--:|");
    println!("| the engine alone | {} |", shown(each(times[0])));
    println!(
        "| mapping, queue, thread, engine, result; {MESSAGES} messages on the way | {} |",
        shown(each(times[1]))
    );
    println!("| so all around the engine | {} |", shown(each(times[1] - times[0])));
    println!("| of which the message to tensors | {} |", shown(each(times[2])));
    println!(
        "| the same with one message on the way, two thread switches and all | {} |\n",
        shown(single[0])
    );
}
