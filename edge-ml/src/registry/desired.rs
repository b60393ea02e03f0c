//! What a module twin asks for.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::mistakes::{Mistaken, Mistakes, Object};
use super::trust::ModelSignature;
use super::{ModelName, Policy, Sha256, VersionName};

/// Where the file of a version comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Origin {
    /// From a server.
    Url(String),
    /// From a file of this machine, which is copied.
    File(PathBuf),
}

/// The version of a model that is to serve, as a module twin's desired properties have it.
///
/// # Examples
/// ```
/// use edge_ml::registry::Desired;
///
/// let text = r#"{
///     "model": "anomaly", "version": "3", "url": "https://models.example/anomaly-3.onnx",
///     "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
///     "policy": { "canary": { "percent": 10 }, "gates": { "divergence": 0.05 } }
/// }"#;
/// let desired = Desired::parse(&serde_json::from_str(text)?)?;
/// assert_eq!(desired.policy.canary.unwrap().percent, 10.0);
///
/// let wrong = serde_json::json!({ "model": "a/b", "version": "3", "polcy": {}, "file": "/m.onnx" });
/// let mistakes = Desired::parse(&wrong).unwrap_err();
/// let paths: Vec<_> = mistakes.all.iter().map(|mistake| mistake.path.as_str()).collect();
/// assert_eq!(paths, ["polcy", "model", "sha256"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
#[non_exhaustive]
pub struct Desired {
    /// The model.
    pub model: ModelName,
    /// What the version is called.
    pub version: VersionName,
    /// The checksum of its file.
    pub sha256: Sha256,
    /// Where its file comes from.
    #[serde(flatten)]
    pub origin: Origin,
    /// Who says that the file is this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<ModelSignature>,
    /// How messages become its inputs and its outputs messages; for the engine's factory to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping: Option<Value>,
    /// Inputs with the outputs that the model's makers expect; for the engine's factory to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub golden: Option<Value>,
    /// How it is judged.
    pub policy: Policy,
}

const MEMBERS: [&str; 9] =
    ["model", "version", "sha256", "url", "file", "signature", "mapping", "golden", "policy"];
const MAX_URL_BYTES: usize = 2048;
/// A twin's desired properties are smaller; what else calls this is held to a bound too.
const MAX_MAPPING_BYTES: usize = 64 * 1024;

impl Desired {
    /// Reads desired properties; members that begin with `$` belong to the twin and are left out.
    ///
    /// # Errors
    /// [`Mistakes`] with all that is wrong.
    pub fn parse(document: &Value) -> Result<Self, Mistakes> {
        let mut mistaken = Mistaken::default();
        let own = document.as_object().map(|members| {
            let own = members.iter().filter(|(name, _)| !name.starts_with('$'));
            Value::Object(own.map(|(name, value)| (name.clone(), value.clone())).collect())
        });
        let object = Object::open(own.as_ref().or(Some(document)), "", &MEMBERS, &mut mistaken);
        let model = object.parsed("model", &mut mistaken);
        let version = object.parsed("version", &mut mistaken);
        let sha256 = object.parsed("sha256", &mut mistaken);
        let origin = origin(&object, &mut mistaken);
        let signature = object.member("signature").and_then(|value| {
            let read = serde_json::from_value(value.clone());
            read.map_err(|error| mistaken.add("signature", error.to_string())).ok()
        });
        let mapping = object.member("mapping").cloned();
        let golden = object.member("golden").cloned();
        for (name, member) in [("mapping", &mapping), ("golden", &golden)] {
            if member.as_ref().is_some_and(|member| member.to_string().len() > MAX_MAPPING_BYTES) {
                mistaken.add(name, format!("has more than {MAX_MAPPING_BYTES} bytes"));
            }
        }
        let policy = Policy::read(object.member("policy"), &mut mistaken);
        let desired = (|| {
            Some(Self {
                model: model?,
                version: version?,
                sha256: sha256?,
                origin: origin?,
                signature,
                mapping,
                golden,
                policy,
            })
        })();
        mistaken.into_result(desired)
    }

    /// Returns what tells versions apart: name, version, content, mapping and golden samples, and not how they are fetched and judged.
    #[must_use]
    pub fn key(&self) -> Sha256 {
        let mapping = self.mapping.as_ref().map(Value::to_string).unwrap_or_default();
        let mut key = format!("{}\n{}\n{}\n{mapping}", self.model, self.version, self.sha256);
        if let Some(golden) = &self.golden {
            key += &format!("\n{golden}");
        }
        Sha256::of(key.as_bytes())
    }
}

impl TryFrom<Value> for Desired {
    type Error = Mistakes;

    fn try_from(document: Value) -> Result<Self, Mistakes> {
        Self::parse(&document)
    }
}

fn origin(object: &Object<'_>, mistaken: &mut Mistaken) -> Option<Origin> {
    let (url, file) = (object.text("url", mistaken), object.text("file", mistaken));
    match (url, file) {
        (Some(url), None) => {
            let plain = url.len() <= MAX_URL_BYTES && url.bytes().all(|byte| byte.is_ascii_graphic());
            if plain && (url.starts_with("https://") || url.starts_with("http://")) {
                return Some(Origin::Url(url.to_owned()));
            }
            mistaken.add(
                "url",
                format!("must begin with https:// or http://, without blanks, in {MAX_URL_BYTES} bytes"),
            );
        }
        (None, Some(file)) => {
            let path = PathBuf::from(file);
            if path.is_absolute() && !file.contains('\0') {
                return Some(Origin::File(path));
            }
            mistaken.add("file", "must be an absolute path");
        }
        (Some(_), Some(_)) => mistaken.add("url", "stands beside \"file\"; there must be one of both"),
        (None, None) if object.member("url").is_none() && object.member("file").is_none() => {
            mistaken.add("url", "is missing, and so is \"file\"");
        }
        (None, None) => {}
    }
    None
}
