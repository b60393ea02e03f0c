//! What the answers of a server mean for a file of which a part may be there.

use std::time::{Duration, Instant};

use super::{FetchHead, FetchRequest};

/// What is taken from a server at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownloadLimits {
    /// The longest file.
    pub max_bytes: u64,
    /// How long one answer may take, from its first byte to its last; 1 h.
    pub max_time: Duration,
    /// How long nothing may come; 30 s.
    pub max_silence: Duration,
}

impl DownloadLimits {
    /// Returns the limits for files of at most so many bytes.
    #[must_use]
    pub const fn new(max_bytes: u64) -> Self {
        Self { max_bytes, max_time: Duration::from_secs(3600), max_silence: Duration::from_secs(30) }
    }
}

/// Why a file did not come. The next try goes on where this one ended if the server lets it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// The server answered with another status than 200 and 206.
    #[error("the server answered with status {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// The server sent, or announced, another part than was asked for.
    #[error("the server answered with another part of the file: {reason}")]
    Range {
        /// What is wrong with it.
        reason: String,
    },
    /// The file changed since a part of it was fetched.
    #[error("the file on the server has changed: it is fetched anew")]
    Changed,
    /// The file is longer than files may be.
    #[error("the file is longer than {most} bytes")]
    TooLong {
        /// How long files may be.
        most: u64,
    },
    /// The server sent more than it announced.
    #[error("the server announced {announced} bytes and sent more")]
    MoreThanAnnounced {
        /// How many it announced.
        announced: u64,
    },
    /// The server sent less than it announced, or than the file has.
    #[error("the server sent {sent} of {announced} bytes")]
    Incomplete {
        /// How many it announced.
        announced: u64,
        /// How many came.
        sent: u64,
    },
    /// The answer took too long.
    #[error("the answer did not end within {} s", most.as_secs())]
    TooSlow {
        /// How long it may take.
        most: Duration,
    },
}

/// Where the bytes of an answer go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// Behind those that are there.
    GoOn,
    /// They are the whole file; what is there is forgotten.
    Anew {
        /// The entity tag under which it can be gone on with; none if the server gave none that is good for it.
        validator: Option<String>,
    },
}

/// One try to fetch a file, without I/O: it is told what the server says and says what to do with it.
///
/// # Examples
/// ```
/// use std::time::Instant;
/// use edge_ml::fetch::{Download, DownloadLimits, FetchHead, Start};
///
/// let now = Instant::now();
/// let mut download = Download::new(DownloadLimits::new(1000), 3, Some("\"a\"".into()));
/// assert_eq!(download.request("https://models.example/m").from, 3);
/// let range = Some("bytes 3-9/10".to_owned());
/// let head = FetchHead { status: 206, content_range: range, ..FetchHead::default() };
/// assert_eq!(download.head(&head, now), Ok(Start::GoOn));
/// download.chunk(7, now)?;
/// assert_eq!(download.end(), Ok(()));
/// # Ok::<(), edge_ml::fetch::DownloadError>(())
/// ```
///
/// # Source
/// RFC 9110 §13.1.5 (`If-Range`), §14 (ranges), §8.8.1 (strong validators).
#[derive(Debug)]
pub struct Download {
    limits: DownloadLimits,
    have: u64,
    validator: Option<String>,
    /// How long the file is after this answer, and as a whole.
    until: Option<u64>,
    total: Option<u64>,
    began: Option<Instant>,
}

const MAX_VALIDATOR_BYTES: usize = 256;

/// Returns the entity tag when it can be asked for again: a strong one, and short.
fn strong(etag: Option<&String>) -> Option<String> {
    let good = |etag: &&String| {
        etag.starts_with('"')
            && etag.len() <= MAX_VALIDATOR_BYTES
            && etag.bytes().all(|byte| byte.is_ascii_graphic())
    };
    etag.filter(good).cloned()
}

impl Download {
    /// Returns the try to fetch a file of which `have` bytes are there, under this entity tag.
    #[must_use]
    pub fn new(limits: DownloadLimits, have: u64, validator: Option<String>) -> Self {
        let have = if validator.is_some() { have } else { 0 };
        Self { limits, have, validator, until: None, total: None, began: None }
    }

    /// Returns what to ask the server.
    #[must_use]
    pub fn request(&self, url: &str) -> FetchRequest {
        let whole = FetchRequest::whole(url);
        match &self.validator {
            Some(validator) if self.have > 0 => whole.from(self.have, validator),
            _ => whole,
        }
    }

    /// Takes what the server says before the bytes.
    ///
    /// # Errors
    /// [`DownloadError`] when the bytes are not wanted.
    pub fn head(&mut self, head: &FetchHead, now: Instant) -> Result<Start, DownloadError> {
        self.began = Some(now);
        match head.status {
            200 => {
                self.have = 0;
                self.announce(head.content_length, head.content_length)?;
                Ok(Start::Anew { validator: strong(head.etag.as_ref()) })
            }
            206 if self.have > 0 => {
                let range = head.content_range.as_deref().unwrap_or_default();
                let wrong = |reason: &str| DownloadError::Range {
                    reason: format!("{reason} in {:?}", range.chars().take(64).collect::<String>()),
                };
                let (from, to, total) =
                    content_range(range).ok_or_else(|| wrong("nothing that is understood"))?;
                if from != self.have || to < from || total.is_some_and(|total| to >= total) {
                    return Err(wrong("it does not go on where asked for"));
                }
                if strong(head.etag.as_ref()).is_some_and(|etag| Some(etag) != self.validator) {
                    return Err(DownloadError::Changed);
                }
                if head.content_length.is_some_and(|length| length != to - from + 1) {
                    return Err(wrong("another length than is announced"));
                }
                self.announce(to.checked_add(1), total)?;
                Ok(Start::GoOn)
            }
            206 => Err(DownloadError::Range { reason: "no part was asked for".into() }),
            416 if self.have > 0 => Err(DownloadError::Changed),
            status => Err(DownloadError::Status { status }),
        }
    }

    fn announce(&mut self, until: Option<u64>, total: Option<u64>) -> Result<(), DownloadError> {
        let most = self.limits.max_bytes;
        if until.into_iter().chain(total).any(|bytes| bytes > most) {
            return Err(DownloadError::TooLong { most });
        }
        (self.until, self.total) = (until, total);
        Ok(())
    }

    /// Takes note of so many more bytes; they are to be written when it returns `Ok`.
    ///
    /// # Errors
    /// [`DownloadError`] when no more are wanted.
    pub fn chunk(&mut self, bytes: usize, now: Instant) -> Result<(), DownloadError> {
        let have = self.have.saturating_add(bytes as u64);
        if let Some(announced) = self.until.filter(|until| have > *until) {
            return Err(DownloadError::MoreThanAnnounced { announced });
        }
        if have > self.limits.max_bytes {
            return Err(DownloadError::TooLong { most: self.limits.max_bytes });
        }
        let most = self.limits.max_time;
        if self.began.is_some_and(|began| now.saturating_duration_since(began) > most) {
            return Err(DownloadError::TooSlow { most });
        }
        self.have = have;
        Ok(())
    }

    /// Takes note that the server said that there are no more bytes.
    ///
    /// # Errors
    /// [`DownloadError::Incomplete`] when there should be.
    pub fn end(&self) -> Result<(), DownloadError> {
        match self.until.max(self.total) {
            Some(announced) if self.have < announced => {
                Err(DownloadError::Incomplete { announced, sent: self.have })
            }
            _ => Ok(()),
        }
    }
}

/// Reads `bytes <from>-<to>/<total or *>`.
fn content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (from, to) = range.split_once('-')?;
    let total = if total == "*" { None } else { Some(number(total)?) };
    Some((number(from)?, number(to)?, total))
}
