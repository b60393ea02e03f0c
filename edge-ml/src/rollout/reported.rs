//! What a twin is told.

use serde_json::{Value, json};

use super::lifecycle::Lifecycle;
use crate::registry::{Entry, Recovery};

impl Lifecycle {
    /// Returns the state for the reported properties of the module twin; what has nothing to say is `null`, which removes it.
    #[must_use]
    pub fn reported(&self) -> Value {
        let record = self.registry.record();
        let version = |entry: &Entry| json!({ "version": entry.desired.version, "sha256": entry.desired.sha256, "generation": entry.generation });
        let serves = self.current.as_ref().map(|current| {
            json!({ "version": current.version(), "sha256": current.sha256(), "generation": current.number() })
        });
        let main = self.serving.main();
        let candidate = record.candidate.as_ref().zip(record.candidate_entry()).map(|(candidate, entry)| {
            let mut told = version(entry);
            told["stage"] = json!(candidate.stage);
            told["starts"] = json!(candidate.starts);
            told["waitsFor"] = json!(self.waits_for);
            let seen = self.trial.as_ref().map(|trial| trial.generation.stage());
            told["seen"] = json!(seen.map(|seen| json!({
                "runs": seen.runs,
                "failed": seen.failed(),
                "p99Us": seen.run_time.quantile(0.99),
                "compared": seen.divergence.count,
                "divergence": seen.divergence.mean,
            })));
            told
        });
        let rejected = record.rejected.iter().rev().take(4).map(|rejected| {
            json!({ "version": rejected.version, "reason": rejected.reason, "atMs": rejected.at_ms })
        });
        let mistakes = self
            .mistakes
            .as_ref()
            .map(|mistakes| mistakes.all.iter().map(ToString::to_string).collect::<Vec<_>>());
        let recovery = match self.registry.recovery() {
            Recovery::Clean => None,
            Recovery::Older { reason } | Recovery::Lost { reason } => Some(reason),
        };
        json!({
            "model": record.model,
            "status": if main.is_some() { "serving" } else { "nothing serves" },
            "answers": main.map(|main| main.version().clone()),
            "current": serves,
            "candidate": candidate,
            "rejected": rejected.collect::<Vec<_>>(),
            "refused": self.refused,
            "problem": self.problem,
            "mistakes": mistakes,
            "recovery": recovery,
            "drift": self.serving.drift(),
        })
    }
}
