//! Completing the segment in which the last run ended, so that it is never read whole again.

use std::path::Path;

use super::Recovered;
use crate::OpenError;
use crate::fs::{Fs, write_all};
use crate::index::Extent;
use crate::log::{ALIGN, Encoder, file_name};

impl Recovered {
    /// Writes the index of the segment that was cut; without room on the disk it is left without.
    ///
    /// Until the next segment is there this one is read whole whatever it ends with, so the index may be torn.
    ///
    /// # Errors
    /// When the segment cannot be synced, or what was written of the index cannot be taken back.
    pub(super) fn complete_newest(&mut self, fs: &dyn Fs, dir: &Path) -> Result<(), OpenError> {
        let Some(number) = self.unindexed.take().filter(|_| self.repairs) else { return Ok(()) };
        let (Some(salt), Some((last, end))) = (self.salt, self.segments.last_mut()) else { return Ok(()) };
        let extents = self
            .replay
            .queues
            .iter()
            .flat_map(|(&queue, found)| found.extents.iter().map(move |extent| (queue, extent.clone())));
        let extents: Vec<(u32, Extent)> = extents.filter(|(_, extent)| extent.segment == number).collect();
        if *last != number || extents.is_empty() {
            return Ok(());
        }
        let mut encoder = Encoder::new();
        encoder.resume(salt, number);
        // The padding of the last record may have been torn off.
        let at = end.next_multiple_of(ALIGN as u64);
        encoder.index(at, &extents);
        let path = dir.join(file_name(number));
        let file = fs.open(&path).map_err(OpenError::io("opening", &path))?;
        if let Err(error) = write_all(file.as_ref(), encoder.bytes(), at) {
            tracing::debug!(%error, "a segment is left without an index");
            return file.set_len(*end).map_err(OpenError::io("cutting", &path));
        }
        *end = encoder.end(at);
        file.sync().map_err(OpenError::io("syncing", &path))
    }
}
