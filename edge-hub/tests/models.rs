//! A model as an endpoint of a gateway: routes feed it, and its results are messages of a module.

use std::sync::Arc;

use edge_core::{BoxError, Identity, Message, MessageBuilder, SystemKey};
use edge_hub::{Hub, Outgoing};
use edge_ml::{Affine, ModelEndpoint, ModelPool, OnError, PoolOptions, Tensor, Translate};

/// A message's body is a number, and so is the result's.
#[derive(Debug)]
struct Numbers;

impl Translate for Numbers {
    fn inputs(&self, message: &Message) -> Result<Option<Vec<Tensor>>, BoxError> {
        let number: f32 = std::str::from_utf8(message.body())?.parse()?;
        Ok(Some(vec![Tensor::new([1, 1], vec![number])?]))
    }

    fn result(&self, _: &Message, outputs: &[Tensor]) -> Result<MessageBuilder, BoxError> {
        Ok(MessageBuilder::default().body(outputs[0].values::<f32>().unwrap()[0].to_string().as_bytes()))
    }
}

const ROUTES: [(&str, &str); 2] = [
    (
        "in",
        r#"FROM /messages/* WHERE NOT IS_DEFINED($connectionModuleId) INTO BrokeredEndpoint("/modules/score/inputs/in")"#,
    ),
    (
        "out",
        r#"FROM /messages/modules/score/outputs/scores INTO BrokeredEndpoint("/modules/sink/inputs/in")"#,
    ),
];

/// Sends `bodies` through a model in a gateway, and returns bodies and ids of the first `results` that come out.
async fn through(endpoint: Arc<ModelEndpoint>, bodies: &[&str], results: usize) -> Vec<(String, String)> {
    let mut builder = Hub::builder("edge1".parse().unwrap()).endpoint(endpoint.clone());
    for (name, text) in ROUTES {
        builder = builder.route(name, text);
    }
    let hub = builder.build().unwrap();
    let handle = hub.handle();
    let running = hub.start();
    let identity = |text: &str| text.parse::<Identity>().unwrap();
    let mut sink = handle.client(identity("edge1/sink")).unwrap().inputs();
    let device = handle.client(identity("press")).unwrap();
    endpoint.connect(handle.session(identity("edge1/score")).unwrap());
    for body in bodies {
        device.send(Outgoing::new(body)).await.unwrap();
    }
    let mut found = Vec::new();
    while found.len() < results {
        let delivery = sink.next().await.unwrap();
        let message = delivery.message();
        let id = message.system().value(SystemKey::MessageId).unwrap_or_default().to_owned();
        found.push((String::from_utf8_lossy(message.body()).into_owned(), id));
        delivery.accept();
    }
    running.stop().await.unwrap();
    found
}

fn endpoint(on_error: OnError) -> Arc<ModelEndpoint> {
    let pool = ModelPool::start(&Affine::new(&[2.0], &[1.0]).unwrap(), PoolOptions::default()).unwrap();
    let (device, model) = ("edge1".parse().unwrap(), "score".parse().unwrap());
    let ports = ("in".parse().unwrap(), "scores".parse().unwrap());
    let endpoint = ModelEndpoint::new(&device, &model, (&ports.0, ports.1), pool, Arc::new(Numbers));
    Arc::new(endpoint.on_error(on_error))
}

#[tokio::test]
async fn results_come_out_in_order_each_with_an_id_of_its_own() {
    let bodies: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    let bodies: Vec<_> = bodies.iter().map(String::as_str).collect();
    let found = through(endpoint(OnError::DeadLetter), &bodies, 50).await;
    let expected: Vec<_> = (0..50).map(|number| (2 * number + 1).to_string()).collect();
    assert_eq!(found.iter().map(|(body, _)| body.clone()).collect::<Vec<_>>(), expected);
    let ids: std::collections::HashSet<_> = found.iter().map(|(_, id)| id.clone()).collect();
    assert_eq!(ids.len(), 50);
    assert!(ids.iter().all(|id| id.len() == 32));
}

#[tokio::test]
async fn a_message_without_a_result_takes_the_stated_way() {
    let passing = endpoint(OnError::PassThrough);
    let found = through(passing.clone(), &["1", "no number", "2"], 3).await;
    assert_eq!(found.iter().map(|(body, _)| body.as_str()).collect::<Vec<_>>(), ["3", "no number", "5"]);
    assert_eq!(passing.stats().passed, 1);
    let dropping = endpoint(OnError::Drop);
    let found = through(dropping.clone(), &["1", "no number", "2"], 2).await;
    assert_eq!(found.iter().map(|(body, _)| body.as_str()).collect::<Vec<_>>(), ["3", "5"]);
    assert_eq!(dropping.stats().dropped, 1);
    let setting_aside = endpoint(OnError::DeadLetter);
    let found = through(setting_aside, &["1", "no number", "2"], 2).await;
    assert_eq!(found.iter().map(|(body, _)| body.as_str()).collect::<Vec<_>>(), ["3", "5"]);
}
