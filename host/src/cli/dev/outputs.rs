//! Where a run of `host dev` writes: not where the job does, because every run begins anew, and
//! what an earlier one wrote must be gone by then.

use std::io;
use std::path::{Path, PathBuf};

use super::inputs;
use crate::cli::failure::Failure;
use crate::job::Job;

/// The outputs of a run.
pub struct Outputs {
    /// The folder of them all.
    pub folder: PathBuf,
    /// What is changed in the job.
    pub settings: Vec<String>,
    /// Whether the job writes files at all.
    files: bool,
}

impl Outputs {
    /// Moves everything that a job writes into a folder of its own.
    pub fn of(job: &Job) -> Self {
        let below = format!(".weir/{}/dev", job.name.as_str());
        let sinks = job.sinks.iter().filter(|sink| sink.kind.path().is_some());
        let mut settings: Vec<String> =
            sinks.map(|sink| format!("sink.{0}.path={below}/{0}", sink.id)).collect();
        let files = !settings.is_empty();
        settings.push(format!("dead_letters.path={below}/.dead-letters"));
        Self { folder: job.folder.join(Path::new(&below)), settings, files }
    }

    /// Removes what an earlier run wrote.
    pub fn clear(&self) -> Result<(), Failure> {
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let message = format!("can't remove `{}`: {error}", self.folder.display());
                Err(Failure::new("WEIR-CLI-001", message))
            }
            _ => Ok(()),
        }
    }

    /// What is said of them when a run begins.
    pub fn text(&self) -> String {
        match self.files {
            true => format!("running; files are written to {}", inputs::shown(&self.folder)),
            false => "running".to_owned(),
        }
    }
}
