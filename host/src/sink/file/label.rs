//! What says whose the folder of a batch is, and which rows it has.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::id::BatchId;
use crate::sink::{Digest, SinkError};

/// The name of the file that says what a folder is.
pub(super) const LABEL: &str = "_weir.json";

/// What `_weir.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Label {
    pub(super) job: String,
    pub(super) run: String,
    pub(super) sink: String,
    pub(super) batch: u64,
    pub(super) time: String,
    pub(super) rows: u64,
    pub(super) parts: usize,
    /// Which owner of the checkpoint wrote it.
    #[serde(default)]
    pub(super) generation: u64,
    /// The sum of the hashes of all rows, in hexadecimal.
    #[serde(default)]
    pub(super) digest: String,
}

impl Label {
    /// Reads the label of a folder and checks that it is of this job, run and sink.
    pub(super) fn read_same(&self, folder: &Path) -> Result<Self, SinkError> {
        let text = fs::read(folder.join(LABEL)).unwrap_or_default();
        let owner = match serde_json::from_slice::<Self>(&text) {
            Ok(found) if found.run != self.run || found.job != self.job => {
                format!("another run: `{}` of job `{}`", found.run, found.job)
            }
            Ok(found) if found.sink != self.sink => format!("another sink: `{}`", found.sink),
            Ok(found) => return Ok(found),
            Err(_) => "something else: there is no `_weir.json` that can be read".to_owned(),
        };
        Err(SinkError::Foreign { path: folder.display().to_string(), owner })
    }

    pub(super) fn digest(&self) -> Digest {
        Digest::from_digits(self.rows, &self.digest)
    }

    /// Whether a batch that is there can be this one.
    pub(super) fn check_same_rows(&self, found: &Self) -> Result<(), SinkError> {
        found.digest().check_same(self.digest(), BatchId(self.batch))
    }

    /// What the staging folders of the sink are called, up to the batch.
    pub(super) fn staging_prefix(&self) -> String {
        format!("_staging-{}-{}-", plain(&self.run), plain(&self.sink))
    }

    pub(super) fn staging(&self) -> String {
        format!("{}{:020}-g{}", self.staging_prefix(), self.batch, self.generation)
    }

    pub(super) fn target(&self) -> String {
        format!("batch={:020}", self.batch)
    }
}

/// A name that can be part of a file's.
fn plain(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    name.chars().map(keep).collect()
}
