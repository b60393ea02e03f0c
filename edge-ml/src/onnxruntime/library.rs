//! The library, of which a process has one.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use edge_core::BoxError;
use ort::environment::Environment;

use crate::guarded::guarded;
use crate::load::LoadError;

/// The library that was loaded first, with where it was found. A library cannot be unloaded while a model uses it, and
/// the binding keeps one for the whole process: this says so instead of silently using another than was asked for.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

/// Returns what the system finds when no path is given.
fn default_name() -> &'static Path {
    Path::new(if cfg!(windows) {
        "onnxruntime.dll"
    } else if cfg!(target_vendor = "apple") {
        "libonnxruntime.dylib"
    } else {
        "libonnxruntime.so"
    })
}

/// Loads the library, or returns the one that is loaded already.
pub(super) fn load(path: Option<&Path>) -> Result<Environment, LoadError> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((first, environment)) = &*loaded {
        return match path {
            Some(path) if path != first => {
                let reason = format!("{} is loaded already, and a process has one", first.display());
                Err(LoadError::Library { path: path.into(), source: reason.into() })
            }
            _ => Ok(environment.clone()),
        };
    }
    let path = match path {
        Some(path) => path,
        None => default_name(),
    };
    let failed = |source: BoxError| LoadError::Library { path: path.into(), source };
    let begun = guarded(|| -> Result<Environment, BoxError> {
        let builder = ort::init_from(path).map_err(|error| error.to_string())?;
        Ok(builder.with_name("edge-ml").with_telemetry(false).build().map_err(|error| error.to_string())?)
    });
    let environment = begun.map_err(|panic| failed(panic.into()))?.map_err(failed)?;
    *loaded = Some((path.into(), environment.clone()));
    Ok(environment)
}
