//! Messages through the versions of a model: each is answered as a whole by one of them.

use std::sync::{Arc, Mutex};

use edge_core::{BoxError, Message, MessageBuilder, Stored, SystemKey};

use super::endpoint::lock;
use super::made::{Made, OnError};
use super::memo::Translated;
use crate::model::RunError;
use crate::rollout::{Asked, Generation, Pinned, Serving};
use crate::tensor::Tensor;

/// Why a version has no result for a message.
struct Fault {
    cause: &'static str,
    error: BoxError,
    is_bad: bool,
    /// What is done then, where its mapping says so.
    on_error: Option<OnError>,
}

type Inputs = Result<Option<Vec<Tensor>>, Fault>;

/// A message that was asked about.
struct Request<'a> {
    stored: &'a Stored,
    pinned: Pinned<'a>,
    /// The run of the version that was picked; otherwise why there is none.
    asked: Result<Option<Asked>, Fault>,
    /// For the version that answers when the one picked does not, and for the one that is only compared.
    of_good: Option<Inputs>,
    of_shadow: Option<Inputs>,
}

/// Runs the model's versions on messages, and returns what each came to; `None` when no version serves.
pub(super) async fn infer(
    serving: &Serving,
    translated: &Mutex<Translated>,
    on_error: OnError,
    batch: &[(u128, Stored)],
) -> Option<Vec<Made>> {
    let mut requests = Vec::with_capacity(batch.len());
    for (key, stored) in batch {
        let device = stored.message.system().value(SystemKey::ConnectionDeviceId).unwrap_or_default();
        let pinned = serving.pick(device).ok()?;
        let map = |generation: &Arc<Generation>| inputs(generation, translated, *key, &stored.message);
        let own = map(pinned.generation());
        let of_good = pinned.good().map(&map);
        let of_shadow = pinned.shadow().map(&map);
        let asked = match own {
            Ok(Some(inputs)) => Ok(Some(serving.ask_one(pinned.generation(), inputs).await)),
            Ok(None) => Ok(None),
            Err(fault) => Err(fault),
        };
        requests.push(Request { stored, pinned, asked, of_good, of_shadow });
    }
    let mut made = Vec::with_capacity(requests.len());
    for request in requests {
        made.push(request.answer(serving, on_error).await);
    }
    Some(made)
}

fn inputs(
    generation: &Arc<Generation>,
    translated: &Mutex<Translated>,
    key: u128,
    message: &Message,
) -> Inputs {
    let fault = |error: BoxError, on_error| Fault { cause: "mapping", error, is_bad: false, on_error };
    let Some(translate) = generation.translate() else {
        return Err(fault("this version has no mapping".into(), None));
    };
    let inputs = lock(translated).inputs(key, translate, message);
    inputs.map_err(|error| fault(error, translate.on_error()))
}

/// Returns the message of a version's answer.
fn result(
    generation: &Generation,
    message: &Message,
    answer: Result<Vec<Tensor>, RunError>,
) -> Result<(MessageBuilder, Vec<Tensor>), Fault> {
    let on_error = generation.translate().and_then(|translate| translate.on_error());
    let outputs = answer.map_err(|error| Fault {
        cause: error.cause(),
        is_bad: matches!(error, RunError::Bad { .. }),
        error: error.into(),
        on_error,
    })?;
    let made = generation.translate().map(|translate| translate.result(message, &outputs));
    match made.unwrap_or_else(|| Err("this version has no mapping".into())) {
        Ok(builder) => Ok((builder, outputs)),
        Err(error) => Err(Fault { cause: "result", error, is_bad: false, on_error }),
    }
}

impl Request<'_> {
    async fn answer(self, serving: &Serving, on_error: OnError) -> Made {
        let Self { stored, pinned, asked, of_good, of_shadow } = self;
        let (message, picked) = (&stored.message, pinned.generation());
        let fault = match asked {
            Ok(Some(asked)) => {
                let (inputs, answer) = asked.answer().await;
                match result(picked, message, answer) {
                    Ok((builder, outputs)) => {
                        let other = of_shadow.or(of_good).and_then(Result::ok).flatten();
                        pinned.answered(&inputs, &outputs, other.as_deref());
                        return Made::Result(builder);
                    }
                    Err(fault) => Some(fault),
                }
            }
            Ok(None) => None,
            Err(fault) => Some(fault),
        };
        // Its makers cannot help it when a message is at fault, as it is when no version has a result for it.
        let held =
            fault.as_ref().map(|fault| fault.cause).filter(|cause| matches!(*cause, "mapping" | "result"));
        if let (Some(good), Some(Ok(Some(inputs)))) = (pinned.good(), of_good) {
            let (inputs, answer) = serving.ask_one(good, inputs).await.answer().await;
            match result(good, message, answer) {
                Ok((builder, _)) => {
                    if let Some(cause) = held {
                        picked.held_against(cause);
                    }
                    pinned.fell_back(&inputs);
                    return Made::Result(builder);
                }
                Err(of_good) => {
                    // Neither has a result: the message is at fault.
                    if let (Some(fault), None) = (&fault, held) {
                        pinned.forgive(fault.cause);
                    }
                    return of_good.made(on_error, message);
                }
            }
        }
        match fault {
            None => Made::Silent,
            Some(fault) => {
                // What does not fit is the message's fault, and nobody else's.
                if fault.cause == "input" {
                    pinned.forgive(fault.cause);
                } else if held == Some("result") {
                    picked.held_against("result");
                }
                fault.made(on_error, message)
            }
        }
    }
}

impl Fault {
    fn made(self, on_error: OnError, message: &Message) -> Made {
        if self.is_bad {
            // Another message was at fault, or none: this one waits for a model that is not bad.
            return Made::Later;
        }
        Made::failed(self.on_error.unwrap_or(on_error), message, self.cause, &*self.error)
    }
}
