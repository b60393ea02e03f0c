//! `[[models]]`: models that answer messages.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use toml::de::DeValue;

use super::reader::{Section, closest};

/// A model of the configuration.
#[cfg_attr(not(feature = "ml"), allow(dead_code, reason = "a gateway without models refuses them"))]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelSpec {
    /// Its name, which is that of its module.
    pub(crate) name: String,
    /// The version that is asked for as long as the module's twin asks for none; JSON as the twin has it.
    pub(crate) desired: Value,
    /// What happens to a message without a result: `dead-letter`, `pass` or `drop`.
    pub(crate) on_error: &'static str,
    /// Its ports.
    pub(crate) input: String,
    pub(crate) output: String,
    /// How many threads run each version, and how many messages share a run.
    pub(crate) workers: usize,
    pub(crate) batch: usize,
    pub(crate) batch_wait: Duration,
    /// The most memory that a version may be estimated to need.
    pub(crate) max_memory_bytes: Option<u64>,
    /// Whose certificates a server of model files may have, in PEM.
    pub(crate) ca: Option<PathBuf>,
    /// Whose signatures a version must have: authorities in PEM, and Ed25519 keys by name.
    pub(crate) trust: Option<PathBuf>,
    pub(crate) trusted_keys: Vec<(String, Vec<u8>)>,
}

const ON_ERROR: [&str; 3] = ["dead-letter", "pass", "drop"];

/// Reads one of the list.
pub(super) fn read(section: &mut Section<'_, '_>, base: &Path) -> Option<ModelSpec> {
    let at = section.at();
    if !cfg!(feature = "ml") {
        let what = "this gateway was built without models: build it with `--features ml`";
        section.mistake(at, what);
        section.rest();
        return None;
    }
    let name = section.required("name").map(toml::Spanned::into_inner);
    let mut desired = serde_json::Map::new();
    let mut put = |key: &str, value: Option<Value>| value.map(|value| desired.insert(key.into(), value));
    put("model", name.clone().map(Value::from));
    for key in ["version", "sha256", "url"] {
        put(key, section.string(key).map(|text| text.into_inner().into()));
    }
    let file = section.string("file").map(|file| base.join(file.into_inner()));
    put(
        "file",
        file.as_deref().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.into())).map(text),
    );
    for key in ["mapping", "policy", "signature"] {
        put(key, section.take(key).map(|value| json(value.into_inner())));
    }
    if let Some(golden) = section.string("golden") {
        put("golden", read_json(section, golden.span(), &base.join(golden.get_ref())));
    }
    if let Some(engine) = section.string("engine").filter(|engine| engine.get_ref() != "auto") {
        let what = format!("unknown engine `{}`: write auto", engine.get_ref());
        section.mistake(engine.span(), what);
    }
    let on_error = section.string("on_error");
    let known = on_error
        .as_ref()
        .map_or(Some("dead-letter"), |text| ON_ERROR.into_iter().find(|known| known == text.get_ref()));
    if let (Some(text), None) = (&on_error, known) {
        let close = closest(text.get_ref(), &ON_ERROR).map(|close| format!("did you mean `{close}`?"));
        let help = close.unwrap_or_else(|| format!("write {}", ON_ERROR.join(", ")));
        section.mistake(text.span(), format!("unknown on_error `{}`; {help}", text.get_ref()));
    }
    let mut port = |key| section.string(key).map(toml::Spanned::into_inner);
    let (input, output) = (port("input"), port("output"));
    let mut number = |key, most| section.integer(key, 1..=most).and_then(|n| usize::try_from(n).ok());
    let (workers, batch) = (number("workers", 256).unwrap_or(1), number("batch", 4096).unwrap_or(16));
    let wait = section.integer("batch_wait_ms", 0..=60_000).and_then(|ms| u64::try_from(ms).ok());
    let memory = section.parsed::<super::values::Bytes>("max_memory").map(|bytes| bytes.0);
    let mut path = |key| section.string(key).map(|path| base.join(path.into_inner()));
    let (ca, trust) = (path("ca"), path("trust"));
    let trusted_keys = section.section("trusted_keys", keys).unwrap_or_default();
    let spec = ModelSpec {
        name: name?,
        desired: Value::Object(desired),
        on_error: known.unwrap_or("dead-letter"),
        input: input.unwrap_or_else(|| "in".into()),
        output: output.unwrap_or_else(|| "results".into()),
        workers,
        batch,
        batch_wait: Duration::from_millis(wait.unwrap_or(0)),
        max_memory_bytes: memory,
        ca,
        trust,
        trusted_keys,
    };
    for mistake in mistakes(&spec) {
        section.mistake(at.clone(), mistake);
    }
    Some(spec)
}

/// Reads the Ed25519 keys that may sign: their names, and 32 bytes in base64.
fn keys(section: &mut Section<'_, '_>) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for (name, value) in section.rest() {
        let key = match value.get_ref() {
            DeValue::String(text) => STANDARD.decode(text.as_bytes()).ok().filter(|key| key.len() == 32),
            _ => None,
        };
        match key {
            Some(key) => all.push((name.into_inner(), key)),
            None => section.mistake(value.span(), "write the 32 bytes of an Ed25519 public key, in base64"),
        }
    }
    all
}

fn text(path: PathBuf) -> Value {
    path.display().to_string().into()
}

fn read_json(section: &mut Section<'_, '_>, at: Range<usize>, path: &Path) -> Option<Value> {
    let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
    let value = read.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    value.map_err(|error| section.mistake(at, format!("{} cannot be read: {error}", path.display()))).ok()
}

/// Returns what is wrong with a model as far as it can be said without its file.
#[cfg(feature = "ml")]
fn mistakes(spec: &ModelSpec) -> Vec<String> {
    use edge_ml::mapping::MappingSpec;
    use edge_ml::registry::Desired;
    let mut found = Vec::new();
    let mut desired = spec.desired.clone();
    if let Some(mapping) = desired.get("mapping")
        && let Err(error) = serde_json::from_value::<MappingSpec>(mapping.clone())
    {
        found.push(format!("mapping: {error}"));
    }
    for (key, what) in [("input", &spec.input), ("output", &spec.output)] {
        if let Err(error) = what.parse::<edge_core::PortName>() {
            found.push(format!("{key}: {error}"));
        }
    }
    let has = |key: &str| desired.get(key).is_some();
    if has("file") || has("url") {
        if has("url") && !has("sha256") {
            found.push("url needs `sha256 = \"…\"` beside it: the checksum of the file".into());
        }
    } else if has("version") || has("sha256") {
        found.push("a model needs `file = \"model.onnx\"`, or `url` with `sha256`".into());
    } else {
        // The module's twin asks for a version.
        desired["file"] = "/".into();
    }
    super::super::models::complete(&mut desired, || Some(String::new()));
    if let Err(mistakes) = Desired::parse(&desired) {
        let own = |mistake: &&edge_ml::registry::Mistake| {
            mistake.path != "sha256" || spec.desired.get("sha256").is_some()
        };
        found.extend(mistakes.all.iter().filter(own).map(ToString::to_string));
    }
    found
}

#[cfg(not(feature = "ml"))]
fn mistakes(_: &ModelSpec) -> Vec<String> {
    Vec::new()
}

/// Returns a value of TOML as JSON.
fn json(value: DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => text.into_owned().into(),
        DeValue::Integer(number) => i64::from_str_radix(&number.as_str().replace('_', ""), number.radix())
            .map_or(Value::Null, Value::from),
        DeValue::Float(number) => {
            number.as_str().replace('_', "").parse::<f64>().map_or(Value::Null, Value::from)
        }
        DeValue::Boolean(value) => value.into(),
        DeValue::Datetime(time) => time.to_string().into(),
        DeValue::Array(all) => all.into_iter().map(|value| json(value.into_inner())).collect(),
        DeValue::Table(all) => all
            .into_iter()
            .map(|(key, value)| (key.into_inner().into_owned(), json(value.into_inner())))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Mistakes};

    fn parse(models: &str) -> Result<Config, Mistakes> {
        Config::parse("gateway.toml", format!("device_id = \"edge1\"\n{models}"), Path::new("/base"))
    }

    #[cfg(not(feature = "ml"))]
    #[test]
    fn a_gateway_without_models_says_how_to_have_them() {
        let text = parse("[[models]]\nname = \"a\"\n").unwrap_err().to_string();
        assert!(text.contains("build it with `--features ml`"), "{text}");
    }

    #[cfg(feature = "ml")]
    #[test]
    fn models_are_read() {
        let config = parse(
            "[[models]]\nname = \"anomaly\"\nfile = \"a.onnx\"\nversion = \"1\"\nworkers = 2\non_error = \"pass\"\n\
             mapping = { inputs = { x = { fields = [\"$body.t\"] } }, outputs = { y = {} } }\n\
             policy = { canary = { percent = 10 } }\n\
             trusted_keys = { builds = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\" }\n\
             signature = { key = \"builds\", value = \"AAAA\" }\n[[models]]\nname = \"later\"\n",
        );
        let config = config.unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let names: Vec<_> = config.models.iter().map(|model| &*model.name).collect();
        assert_eq!(names, ["anomaly", "later"]);
        assert_eq!(config.models[0].desired["file"], "/base/a.onnx");
        assert_eq!(config.models[0].desired["policy"]["canary"]["percent"], 10);
        assert_eq!(config.models[0].desired["signature"]["key"], "builds");
        assert_eq!(config.models[0].trusted_keys, [("builds".to_owned(), vec![0; 32])]);
    }

    #[cfg(feature = "ml")]
    #[test]
    fn every_mistake_is_told() {
        let mistakes = parse(
            "[[models]]\nname = \"a\"\nurl = \"https://x/a.onnx\"\non_error = \"dropp\"\nengine = \"gpu\"\n\
             mapping = { input = {} }\npolicy = { canry = {} }\nworkers = 0\n\
             [[models]]\nname = \"a\"\nversion = \"1\"\n[[models]]\nfile = \"x\"\nsha256 = \"1\"\nnam = \"b\"\n\
             trusted_keys = { builds = \"AAAA\" }\n",
        );
        let text = mistakes.unwrap_err().to_string();
        for expected in [
            "unknown on_error `dropp`; did you mean `drop`?",
            "unknown engine `gpu`: write auto",
            "mapping: unknown field `input`, expected one of `inputs`",
            "policy.canry",
            "workers must be a whole number from 1 to 256",
            "a model needs `file = \"model.onnx\"`, or `url` with `sha256`",
            "[models] needs `name = \"…\"`",
            "write the 32 bytes of an Ed25519 public key, in base64",
            "unknown key `nam`; did you mean `name`?",
            "`a` is the name of two things: write another name",
        ] {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
    }
}
