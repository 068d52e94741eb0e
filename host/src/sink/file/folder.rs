//! Folders that are made, renamed and removed so that a crash leaves them as they should be.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};

use crate::sink::SinkError;

/// A folder that goes away unless it stays.
pub(super) struct StagingFolder {
    pub(super) path: PathBuf,
    pub(super) stays: bool,
}

impl StagingFolder {
    /// Makes it anew. What is there under this name was left by the same batch of the same run.
    pub(super) fn make(&self) -> Result<(), SinkError> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(SinkError::io("clear", &self.path)(error));
            }
            _ => {}
        }
        fs::create_dir(&self.path).map_err(SinkError::io("create", &self.path))
    }
}

impl Drop for StagingFolder {
    fn drop(&mut self) {
        if !self.stays {
            // Nobody could do more about a failure, and readers pass the folder over.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Renames, but never onto something that is there.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems don't know the flag. A folder never replaces one that isn't empty
        // there either, and a folder of a batch never is.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => match fs::rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                Err(io::ErrorKind::AlreadyExists.into())
            }
            done => done,
        },
        Err(error) => Err(error.into()),
        Ok(()) => Ok(()),
    }
}

/// Makes a folder and those above it, durably.
pub(in crate::sink) fn make_folder(path: &Path) -> Result<(), SinkError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    if let Some(parent) = parent {
        make_folder(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(SinkError::io("create", path)(error));
        }
        _ => {}
    }
    sync(parent.unwrap_or(Path::new(".")))
}

/// Makes sure that what was created or renamed in a folder stays so.
pub(in crate::sink) fn sync(folder: &Path) -> Result<(), SinkError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(SinkError::io("sync", folder))
}
