//! The folder of one model.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use edge_core::Timestamp;

use super::files::{DiskFiles, Files, Lock, read_all, write_whole};
use super::{Desired, Entry, Hasher, MAX_RECORD_BYTES, ModelName, Record, Sha256, Trust, TrustError};

/// Why a registry did not do what was asked; what serves goes on to serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// A file could not be read or written.
    #[error("{doing} failed")]
    Files {
        /// What was being done.
        doing: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Another process, or another part of this one, has the folder.
    #[error("{} is in use", dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// A file has another content than its version has.
    #[error("the file is not the version asked for: its SHA-256 is {found}, not {expected}")]
    Checksum {
        /// What was asked for.
        expected: Sha256,
        /// What the file has.
        found: Sha256,
    },
    /// A file is longer than files may be.
    #[error("the file is longer than {most} bytes")]
    TooLong {
        /// How long files may be.
        most: u64,
    },
    /// The version is not installed.
    #[error("the version is not installed")]
    Absent,
    /// Nobody trusted vouches for the version.
    #[error("the version is not trusted")]
    Trust(#[source] TrustError),
}

fn failed(doing: impl Into<String>) -> impl FnOnce(io::Error) -> RegistryError {
    let doing = doing.into();
    move |source| RegistryError::Files { doing, source }
}

/// What a registry keeps and whom it believes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegistryOptions {
    /// The longest file of a version; 512 MiB. A file is held in memory while it is opened.
    pub max_model_bytes: u64,
    /// How many versions are kept besides the current one, the candidate and what the record before refers to; 1.
    pub spare_versions: usize,
    /// How many rejected versions are remembered; 16.
    pub max_rejected: usize,
    /// Whose signatures are accepted.
    pub trust: Trust,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            max_model_bytes: 512 * 1024 * 1024,
            spare_versions: 1,
            max_rejected: 16,
            trust: Trust::anybody(),
        }
    }
}

/// In what state the records were found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recovery {
    /// As they were left, or there was none.
    Clean,
    /// The newest could not be read; the one before it counts.
    Older {
        /// What is wrong with the newest.
        reason: String,
    },
    /// None could be read: the model must be asked for again.
    Lost {
        /// What is wrong with them.
        reason: String,
    },
}

/// What is on the disk of one model. While it is open the folder is locked: no other process opens it.
///
/// # Examples
/// ```
/// use edge_ml::registry::{Recovery, Registry, RegistryOptions};
///
/// let folder = tempfile::tempdir()?;
/// let registry = Registry::open(folder.path(), "anomaly".parse()?, RegistryOptions::default())?;
/// assert_eq!(registry.recovery(), &Recovery::Clean);
/// assert!(registry.record().current_entry().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Registry {
    files: Arc<dyn Files>,
    dir: PathBuf,
    options: RegistryOptions,
    record: Record,
    /// What the record in the other place refers to.
    older: BTreeSet<Sha256>,
    recovery: Recovery,
    _lock: Lock,
}

fn record_name(sequence: u64) -> &'static str {
    if sequence.is_multiple_of(2) { "record.0" } else { "record.1" }
}

fn contents(record: &Record) -> BTreeSet<Sha256> {
    record.entries.iter().map(|entry| entry.desired.sha256).collect()
}

impl Registry {
    /// Opens the registry of a model in the folder with its name in `root`, which is made if need be.
    ///
    /// # Errors
    /// [`RegistryError::Files`] when the folder cannot be used, [`RegistryError::InUse`] when somebody has it. Damaged records are no error, see [`Recovery`].
    pub fn open(root: &Path, model: ModelName, options: RegistryOptions) -> Result<Self, RegistryError> {
        Self::open_on(Arc::new(DiskFiles), root, model, options)
    }

    pub(crate) fn open_on(
        files: Arc<dyn Files>,
        root: &Path,
        model: ModelName,
        options: RegistryOptions,
    ) -> Result<Self, RegistryError> {
        let dir = root.join(model.as_str());
        let doing = |what: &str| format!("{what} {}", dir.display());
        files.create_dir(&dir).map_err(failed(doing("making")))?;
        let lock = files.lock(&dir).map_err(failed(doing("locking")))?;
        let Some(lock) = lock else { return Err(RegistryError::InUse { dir }) };
        let names = files.list(&dir).map_err(failed(doing("listing")))?;
        for (name, _) in names.iter().filter(|(name, _)| name.ends_with(".tmp")) {
            files.remove(&dir.join(name)).map_err(failed(doing("tidying")))?;
        }
        let mut records = Vec::new();
        let mut reasons = Vec::new();
        for name in ["record.0", "record.1"] {
            if !names.iter().any(|(there, _)| there == name) {
                continue;
            }
            let read =
                read_all(&*files, &dir.join(name), MAX_RECORD_BYTES).map_err(|error| error.to_string());
            let record = read.and_then(|bytes| Record::decode(&bytes).map_err(|error| error.to_string()));
            match record {
                Ok(record) if record.model == model => records.push(record),
                Ok(record) => reasons.push(format!("{name}: it is one of {}", record.model)),
                Err(reason) => reasons.push(format!("{name}: {reason}")),
            }
        }
        records.sort_by_key(|record| record.sequence);
        let record = records.pop();
        let older = records.pop().map(|record| contents(&record)).unwrap_or_default();
        let reason = reasons.join("; ");
        let recovery = match (&record, reason.is_empty()) {
            (_, true) => Recovery::Clean,
            (Some(_), false) => Recovery::Older { reason },
            (None, false) => Recovery::Lost { reason },
        };
        let record = record.unwrap_or_else(|| Record::new(model));
        Ok(Self { files, dir, options, record, older, recovery, _lock: lock })
    }

    /// Returns what is known of the model.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// Returns in what state the records were found.
    #[must_use]
    pub const fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Returns the options.
    #[must_use]
    pub const fn options(&self) -> &RegistryOptions {
        &self.options
    }

    /// Changes the record, on the disk first; then removes files to which nothing refers any more.
    ///
    /// When it fails the record is as before here; on the disk it is one or the other.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Record)) -> Result<(), RegistryError> {
        let mut record = self.record.clone();
        change(&mut record);
        record.sequence = record.sequence.saturating_add(1);
        let needed = [record.current, record.candidate.as_ref().map(|candidate| candidate.generation)];
        let mut spare = self.options.spare_versions;
        for place in (0..record.entries.len()).rev() {
            let Some(entry) = record.entries.get(place) else { continue };
            let is_needed = needed.contains(&Some(entry.generation));
            if !is_needed && (spare == 0 || entry.bytes == 0) {
                record.entries.remove(place);
            } else if !is_needed {
                spare -= 1;
            }
        }
        let most = self.options.max_rejected;
        record.rejected.drain(..record.rejected.len().saturating_sub(most));
        let name = record_name(record.sequence);
        write_whole(&*self.files, &self.dir, name, &record.encode()).map_err(failed("writing the record"))?;
        self.older = contents(&self.record);
        self.record = record;
        self.collect();
        Ok(())
    }

    /// Removes what nothing refers to; what cannot be removed now is removed after the next change.
    fn collect(&self) {
        let kept: BTreeSet<String> =
            contents(&self.record).union(&self.older).map(Sha256::to_string).collect();
        let part = self.record.candidate_entry().map(|entry| entry.desired.sha256.to_string());
        for (name, _) in self.files.list(&self.dir).unwrap_or_default() {
            let is_garbage = match name.rsplit_once('.') {
                Some((sum, "model")) => !kept.contains(sum),
                Some((sum, "part")) => part.as_deref() != Some(sum),
                _ => false,
            };
            if is_garbage {
                let _again_after_the_next_change = self.files.remove(&self.dir.join(&name));
            }
        }
    }

    fn model_path(&self, sha256: &Sha256) -> PathBuf {
        self.dir.join(format!("{sha256}.model"))
    }

    /// Returns how long the file with this content is, if it is installed.
    pub(crate) fn installed_bytes(&self, sha256: &Sha256) -> Option<u64> {
        let name = format!("{sha256}.model");
        let names = self.files.list(&self.dir).ok()?;
        names.into_iter().find(|(there, _)| *there == name).map(|(_, bytes)| bytes)
    }

    /// Checks that somebody trusted vouches for a version.
    pub(crate) fn check_trust(&self, desired: &Desired, at: Timestamp) -> Result<(), RegistryError> {
        let signature = desired.signature.as_ref();
        let trust = &self.options.trust;
        trust
            .check(&desired.model, &desired.version, &desired.sha256, signature, at)
            .map_err(RegistryError::Trust)
    }

    /// Reads the file of an installed version, and checks its content and its signature.
    ///
    /// A certificate must have been valid when the version was installed: what serves does not end with it.
    ///
    /// # Errors
    /// [`RegistryError`] when the file is not what was installed.
    pub fn load(&self, entry: &Entry) -> Result<Vec<u8>, RegistryError> {
        self.check_trust(&entry.desired, entry.installed())?;
        let sha256 = &entry.desired.sha256;
        let most = self.options.max_model_bytes;
        let read = read_all(&*self.files, &self.model_path(sha256), most);
        let bytes = read.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => RegistryError::Absent,
            io::ErrorKind::FileTooLarge => RegistryError::TooLong { most },
            _ => failed("reading the model's file")(error),
        })?;
        let found = Sha256::of(&bytes);
        if found == *sha256 { Ok(bytes) } else { Err(RegistryError::Checksum { expected: *sha256, found }) }
    }

    /// Opens the part of a file that was fetched so far; when it may not go on, it begins anew.
    pub(crate) fn part(&self, sha256: Sha256, goes_on: bool) -> Result<Part, RegistryError> {
        let path = self.dir.join(format!("{sha256}.part"));
        let most = self.options.max_model_bytes;
        let mut part = Part {
            files: Arc::clone(&self.files),
            dir: self.dir.clone(),
            path,
            sha256,
            hasher: Hasher::new(),
            bytes: 0,
            most,
        };
        if goes_on {
            part.read_again()?;
        } else {
            part.clear()?;
        }
        Ok(part)
    }

    /// Copies a file of this machine.
    pub(crate) fn copy(&self, from: &Path, sha256: Sha256) -> Result<u64, RegistryError> {
        let doing = || format!("reading {}", from.display());
        let mut source = self.files.read(from).map_err(failed(doing()))?;
        let mut part = self.part(sha256, false)?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return part.install(),
                Ok(count) => part.append(buffer.get(..count).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(doing())(error)),
            }
        }
    }
}

/// A file that is being fetched.
pub(crate) struct Part {
    files: Arc<dyn Files>,
    dir: PathBuf,
    path: PathBuf,
    sha256: Sha256,
    hasher: Hasher,
    bytes: u64,
    most: u64,
}

impl Part {
    /// Returns how many bytes there are.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read_again(&mut self) -> Result<(), RegistryError> {
        let mut file = match self.files.read(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.clear(),
            Err(error) => return Err(failed("reading what was fetched")(error)),
        };
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    self.hasher.update(buffer.get(..count).unwrap_or_default());
                    self.bytes += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("reading what was fetched")(error)),
            }
        }
    }

    /// Begins anew.
    pub(crate) fn clear(&mut self) -> Result<(), RegistryError> {
        self.files.write(&self.path, 0, &[]).map_err(failed("making the file"))?;
        self.hasher = Hasher::new();
        self.bytes = 0;
        Ok(())
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), RegistryError> {
        let after = self.bytes.saturating_add(bytes.len() as u64);
        if after > self.most {
            return Err(RegistryError::TooLong { most: self.most });
        }
        self.files.write(&self.path, self.bytes, bytes).map_err(failed("writing the file"))?;
        self.hasher.update(bytes);
        self.bytes = after;
        Ok(())
    }

    /// Gives the file its name when it has the content that was asked for, and returns how long it is; it is removed otherwise.
    pub(crate) fn install(self) -> Result<u64, RegistryError> {
        let found = self.hasher.finish();
        if found != self.sha256 {
            let _it_begins_anew_all_the_same = self.files.remove(&self.path);
            return Err(RegistryError::Checksum { expected: self.sha256, found });
        }
        let doing = "installing the file";
        self.files.sync(&self.path).map_err(failed(doing))?;
        let name = self.dir.join(format!("{}.model", self.sha256));
        self.files.rename(&self.path, &name).map_err(failed(doing))?;
        self.files.sync_dir(&self.dir).map_err(failed(doing))?;
        Ok(self.bytes)
    }
}
