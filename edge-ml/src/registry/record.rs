//! What is written about a model.

use edge_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::desired::Desired;
use super::{ModelName, Sha256};
use crate::rollout::Baseline;

/// The longest record that is read.
pub const MAX_RECORD_BYTES: u64 = 4 * 1024 * 1024;
const HEAD: &str = "edge-ml registry 1";

/// How far a candidate has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Stage {
    /// Its file is being fetched.
    Fetch,
    /// Its file is there, and is opened and tried on golden samples.
    Check,
    /// It sees the traffic; its answers are only compared.
    Shadow,
    /// It answers a share of the devices.
    Canary,
    /// It answers everybody; what it replaced is kept ready.
    Probation,
}

impl Stage {
    /// Returns the stage's name, as reports and metrics have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Check => "check",
            Self::Shadow => "shadow",
            Self::Canary => "canary",
            Self::Probation => "probation",
        }
    }
}

/// A version on its way to serving.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Candidate {
    /// Which of the generations it is.
    pub generation: u64,
    /// How far it has come.
    pub stage: Stage,
    /// How often it was started; a process that dies of it counts too.
    pub starts: u32,
    /// The entity tag under which a part of its file was fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validator: Option<String>,
}

/// What was asked for once, under a number that is not used again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Entry {
    /// The number.
    pub generation: u64,
    /// What was asked for.
    pub desired: Desired,
    /// How long the file is; 0 until it was installed.
    #[serde(default)]
    pub bytes: u64,
    /// When the file was installed, in milliseconds since 1970.
    #[serde(default)]
    pub installed_ms: u64,
}

impl Entry {
    /// Returns when the file was installed.
    #[must_use]
    pub const fn installed(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.installed_ms)
    }
}

/// A version that was tried and must not be tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Rejected {
    /// What identifies it: see [`Desired::key`].
    pub key: Sha256,
    /// What it was called.
    pub version: String,
    /// Why it was rolled back.
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// All that survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Record {
    /// The model.
    pub model: ModelName,
    /// Grows by one with each change.
    pub sequence: u64,
    /// The highest number that a generation had.
    pub last_generation: u64,
    /// The generations that are kept.
    pub entries: Vec<Entry>,
    /// The generation that was committed last: the last known good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<u64>,
    /// What is on its way to replace it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Candidate>,
    /// How the inputs were distributed under the current generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// What was rolled back, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Rejected>,
}

/// Why bytes are no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// They do not begin as a record does, or are of a version that is not known.
    #[error("it does not begin with {HEAD:?} and a checksum")]
    Head,
    /// The checksum is another one.
    #[error("its checksum does not fit: it is damaged")]
    Checksum,
    /// The content is no record.
    #[error("its content is no record: {reason}")]
    Content {
        /// What is wrong with it.
        reason: String,
    },
}

impl Record {
    /// Returns the record of a model of which nothing is known.
    #[must_use]
    pub const fn new(model: ModelName) -> Self {
        Self {
            model,
            sequence: 0,
            last_generation: 0,
            entries: Vec::new(),
            current: None,
            candidate: None,
            baseline: None,
            rejected: Vec::new(),
        }
    }

    /// Returns the bytes of the record: a line with a checksum, and JSON.
    ///
    /// # Panics
    /// Never: a record has text keys only.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("a record has text keys only");
        let mut bytes = format!("{HEAD} {}\n", Sha256::of(&json)).into_bytes();
        bytes.extend_from_slice(&json);
        bytes
    }

    /// Returns the record with these bytes.
    ///
    /// # Errors
    /// [`RecordError`] when they are damaged, or name generations that they do not have.
    ///
    /// # Examples
    /// ```
    /// use edge_ml::registry::{Record, RecordError};
    ///
    /// let record = Record::new("anomaly".parse()?);
    /// let mut bytes = record.encode();
    /// assert_eq!(Record::decode(&bytes), Ok(record));
    /// bytes.pop();
    /// assert_eq!(Record::decode(&bytes), Err(RecordError::Checksum));
    /// # Ok::<(), edge_ml::registry::NameError>(())
    /// ```
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let end = bytes.iter().take(128).position(|byte| *byte == b'\n').ok_or(RecordError::Head)?;
        let (head, json) = bytes.split_at(end);
        let json = json.get(1..).unwrap_or_default();
        let head = std::str::from_utf8(head).map_err(|_| RecordError::Head)?;
        let sum = head.strip_prefix(HEAD).and_then(|rest| rest.strip_prefix(' '));
        let sum: Sha256 = sum.and_then(|sum| sum.parse().ok()).ok_or(RecordError::Head)?;
        if Sha256::of(json) != sum {
            return Err(RecordError::Checksum);
        }
        let content = |reason: String| RecordError::Content { reason };
        let record: Self = serde_json::from_slice(json).map_err(|error| content(error.to_string()))?;
        record.check().map_err(content)?;
        Ok(record)
    }

    fn check(&self) -> Result<(), String> {
        for (place, entry) in self.entries.iter().enumerate() {
            let number = entry.generation;
            let again = self.entries.iter().skip(place + 1).any(|other| other.generation == number);
            if again || number == 0 || number > self.last_generation {
                return Err(format!("generation {number} stands twice or was never given"));
            }
            if entry.desired.model != self.model {
                return Err(format!("generation {number} is one of {}", entry.desired.model));
            }
        }
        let candidate = self.candidate.as_ref().map(|candidate| candidate.generation);
        for number in self.current.into_iter().chain(candidate) {
            if self.entry(number).is_none() {
                return Err(format!("generation {number} is not there"));
            }
        }
        if candidate.is_some() && candidate == self.current {
            return Err("the candidate is the current generation".into());
        }
        Ok(())
    }

    /// Returns the generation with this number.
    #[must_use]
    pub fn entry(&self, generation: u64) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.generation == generation)
    }

    pub(crate) fn entry_mut(&mut self, generation: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.generation == generation)
    }

    /// Forgets the candidate; what it was never served on its own.
    pub(crate) fn drop_candidate(&mut self) {
        if let Some(candidate) = self.candidate.take() {
            self.entries.retain(|entry| entry.generation != candidate.generation);
        }
    }

    /// Returns what was committed last.
    #[must_use]
    pub fn current_entry(&self) -> Option<&Entry> {
        self.entry(self.current?)
    }

    /// Returns what is to replace it.
    #[must_use]
    pub fn candidate_entry(&self) -> Option<&Entry> {
        self.entry(self.candidate.as_ref()?.generation)
    }
}
