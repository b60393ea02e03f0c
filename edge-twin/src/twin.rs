//! The whole twin of a device or a module.

use bytes::Bytes;
use edge_core::Timestamp;

use crate::{Etag, Expect, LimitError, Limits, Patch, Section, TwinLimits, TwinUpdate, View};

/// A twin: tags that only services see, desired properties that services set, reported properties that the device sets.
///
/// A twin is cheap to clone. A change that is refused changes nothing.
///
/// # Examples
/// ```
/// use edge_core::Timestamp;
/// use edge_twin::{Expect, Patch, Twin, TwinLimits, TwinUpdate};
///
/// let limits = TwinLimits::default();
/// let mut twin = Twin::new(Timestamp::from_unix_ms(0));
///
/// // A device reports.
/// let patch = Patch::parse(br#"{"rpm": 880}"#, &limits.reported)?;
/// assert_eq!(twin.report(&patch, Expect::Anything, &limits.reported, Timestamp::from_unix_ms(1))?, 2);
///
/// // A service wishes, and the device is told.
/// let update = TwinUpdate::parse(br#"{"properties": {"desired": {"rpm": 900}}}"#, &limits)?;
/// let change = twin.update(&update, Expect::Anything, &limits, Timestamp::from_unix_ms(2))?;
/// let notice = change.desired.ok_or("desired has changed")?;
/// assert_eq!(notice.to_json(), r#"{"rpm":900,"$version":2}"#);
///
/// let seen = r#"{"desired":{"rpm":900,"$version":2},"reported":{"rpm":880,"$version":2}}"#;
/// assert_eq!(twin.to_device_json(), seen);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// Azure IoT Hub, "Understand and use device twins in IoT Hub".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    version: u64,
    etag: Etag,
    pub(crate) tags: Section,
    pub(crate) desired: Section,
    pub(crate) reported: Section,
}

/// Which section of a twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SectionKind {
    /// The tags.
    Tags,
    /// The desired properties.
    Desired,
    /// The reported properties.
    Reported,
}

/// Why a twin was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The twin is in another state than the change was meant for.
    #[error("twin has etag {etag} and the section version {version}, which is not what the change expects")]
    Conflict {
        /// The etag that it has.
        etag: Etag,
        /// The version that the section has.
        version: u64,
    },
    /// A section would break a limit.
    #[error("{section:?} properties would break a limit")]
    Limit {
        /// Which section.
        section: SectionKind,
        /// Which limit.
        #[source]
        source: LimitError,
    },
}

/// What a service's change did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Updated {
    /// What the device is to be told, when desired properties were changed.
    pub desired: Option<DesiredChange>,
}

/// A change of desired properties, as the device is told of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DesiredChange {
    /// The version of the section after the change.
    pub version: u64,
    /// What was changed; after a replacement everything that there is, and nulls for what is gone.
    pub patch: Patch,
}

impl DesiredChange {
    /// Returns the patch with `$version`, which is what a device reads.
    #[must_use]
    pub fn to_json(&self) -> Bytes {
        self.patch.to_json_with_version(self.version)
    }
}

/// Whether a service's change merges or replaces.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Merge,
    Replace,
}

impl Twin {
    /// Returns an empty twin; all versions are 1.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let empty = Section::new(now);
        Self {
            version: 1,
            etag: Etag::first(now),
            tags: empty.clone(),
            desired: empty.clone(),
            reported: empty,
        }
    }

    /// Returns the number of the twin's last change, in any section.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns what names this state of tags and desired properties.
    #[must_use]
    pub fn etag(&self) -> Etag {
        self.etag
    }

    /// Returns the tags.
    #[must_use]
    pub fn tags(&self) -> &Section {
        &self.tags
    }

    /// Returns the desired properties.
    #[must_use]
    pub fn desired(&self) -> &Section {
        &self.desired
    }

    /// Returns the reported properties.
    #[must_use]
    pub fn reported(&self) -> &Section {
        &self.reported
    }

    /// Merges a device's patch into the reported properties, and returns their new version.
    ///
    /// # Errors
    /// [`ApplyError`]; then nothing has changed.
    pub fn report(
        &mut self,
        patch: &Patch,
        expect: Expect,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<u64, ApplyError> {
        self.check(expect, &self.reported)?;
        let reported = self.reported.apply(patch, limits, now).map_err(refusal(SectionKind::Reported))?;
        self.set_reported(reported);
        Ok(self.reported.version())
    }

    /// Merges a service's change into tags and desired properties: both or none.
    ///
    /// # Errors
    /// [`ApplyError`]; then nothing has changed.
    pub fn update(
        &mut self,
        update: &TwinUpdate,
        expect: Expect,
        limits: &TwinLimits,
        now: Timestamp,
    ) -> Result<Updated, ApplyError> {
        self.change(update, Manner::Merge, expect, limits, now)
    }

    /// Replaces tags and desired properties, each when the change has it: both or none.
    ///
    /// # Errors
    /// [`ApplyError`]; then nothing has changed.
    ///
    /// # Source
    /// Azure IoT Hub, REST "Twin - Replace". That a section stays which the change does not name is our choice, because
    /// nobody means to lose what is not spoken of.
    pub fn replace(
        &mut self,
        update: &TwinUpdate,
        expect: Expect,
        limits: &TwinLimits,
        now: Timestamp,
    ) -> Result<Updated, ApplyError> {
        self.change(update, Manner::Replace, expect, limits, now)
    }

    fn change(
        &mut self,
        update: &TwinUpdate,
        manner: Manner,
        expect: Expect,
        limits: &TwinLimits,
        now: Timestamp,
    ) -> Result<Updated, ApplyError> {
        self.check(expect, &self.desired)?;
        let next = |section: &Section, patch: &Option<Patch>, limits: &Limits, kind| match (patch, manner) {
            (None, _) => Ok(section.clone()),
            (Some(patch), Manner::Merge) => section.apply(patch, limits, now).map_err(refusal(kind)),
            (Some(whole), Manner::Replace) => section.replace(whole, limits, now).map_err(refusal(kind)),
        };
        let tags = next(&self.tags, &update.tags, &limits.tags, SectionKind::Tags)?;
        let desired = next(&self.desired, &update.desired, &limits.desired, SectionKind::Desired)?;
        let told = update.desired.as_ref().filter(|_| desired.version() != self.desired.version());
        let told = told.map(|patch| DesiredChange {
            version: desired.version(),
            patch: match manner {
                Manner::Merge => patch.clone(),
                Manner::Replace => patch.replacing(&self.desired.to_map()),
            },
        });
        if tags.version() != self.tags.version() || told.is_some() {
            (self.tags, self.desired) = (tags, desired);
            self.version = self.version.saturating_add(1);
            self.etag = self.etag.next();
        }
        Ok(Updated { desired: told })
    }

    /// Puts another state of the desired properties in the place of this one, such as a parent's.
    pub fn set_desired(&mut self, desired: Section) {
        if self.desired != desired {
            self.desired = desired;
            self.version = self.version.saturating_add(1);
            self.etag = self.etag.next();
        }
    }

    /// Puts another state of the reported properties in the place of this one.
    pub fn set_reported(&mut self, reported: Section) {
        if self.reported != reported {
            self.reported = reported;
            self.version = self.version.saturating_add(1);
        }
    }

    fn check(&self, expect: Expect, section: &Section) -> Result<(), ApplyError> {
        let is_met = match expect {
            Expect::Anything => true,
            Expect::Etag(etag) => etag == self.etag,
            Expect::Version(version) => version == section.version(),
            Expect::Unknown => false,
        };
        if is_met {
            return Ok(());
        }
        Err(ApplyError::Conflict { etag: self.etag, version: section.version() })
    }

    /// Returns the twin as its device sees it: `{"desired":{…,"$version":n},"reported":{…,"$version":n}}`.
    ///
    /// # Source
    /// Azure IoT Hub, "Retrieve a device twin's properties" over MQTT: without tags and without `$metadata`.
    #[must_use]
    pub fn to_device_json(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.desired.json_bytes() + self.reported.json_bytes() + 96);
        out.extend_from_slice(b"{\"desired\":");
        self.desired.write_json(View::Versioned, &mut out);
        out.extend_from_slice(b",\"reported\":");
        self.reported.write_json(View::Versioned, &mut out);
        out.push(b'}');
        out.into()
    }

    /// Writes what a service sees of the twin, without braces, so that the caller can put what it knows beside it:
    /// `"etag":…,"version":…,"tags":{…},"properties":{"desired":{…},"reported":{…}}`.
    ///
    /// # Examples
    /// ```
    /// use edge_core::Timestamp;
    ///
    /// let twin = edge_twin::Twin::new(Timestamp::from_unix_ms(1));
    /// let mut json = b"{\"deviceId\":\"press-7\",".to_vec();
    /// twin.write_service_members(&mut json);
    /// json.push(b'}');
    /// assert!(json.starts_with(br#"{"deviceId":"press-7","etag":"AAAAAAAAAAE=","version":1,"tags":{},"properties":{"#));
    /// ```
    ///
    /// # Source
    /// Azure IoT Hub, REST "Twin - Get"; `$lastUpdatedVersion` stands in the metadata of desired properties only.
    pub fn write_service_members(&self, out: &mut Vec<u8>) {
        let head = format!("\"etag\":\"{}\",\"version\":{},\"tags\":", self.etag, self.version);
        out.extend_from_slice(head.as_bytes());
        self.tags.write_json(View::Plain, out);
        out.extend_from_slice(b",\"properties\":{\"desired\":");
        self.desired.write_json(View::DatedAndNumbered, out);
        out.extend_from_slice(b",\"reported\":");
        self.reported.write_json(View::Dated, out);
        out.push(b'}');
    }

    pub(crate) fn from_parts(version: u64, etag: Etag, [tags, desired, reported]: [Section; 3]) -> Self {
        Self { version, etag, tags, desired, reported }
    }
}

fn refusal(section: SectionKind) -> impl Fn(LimitError) -> ApplyError {
    move |source| ApplyError::Limit { section, source }
}
