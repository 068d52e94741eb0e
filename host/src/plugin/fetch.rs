//! The bytes of a component: a file as it is, or a folder that is built first.

use std::fs;
use std::path::{Path, PathBuf};

use super::build;
use super::error::PluginError;
use crate::id::Digest;

/// A component as it was read. What happens to the file afterwards does not matter.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The name that the job uses.
    pub name: String,
    /// The file it was read from.
    pub path: PathBuf,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Which code it is.
    pub digest: Digest,
}

/// Reads a component; `notice` tells the person about a build.
pub fn fetch(path: &Path, name: &str, notice: &dyn Fn(&str)) -> Result<Fetched, PluginError> {
    let facts = fs::metadata(path).map_err(|_| PluginError::Missing(path.to_owned()))?;
    let file = if facts.is_dir() { build::build(path, notice)?.component } else { path.to_owned() };
    let bytes = fs::read(&file).map_err(|source| PluginError::File {
        action: "read",
        path: file.clone(),
        source,
    })?;
    let digest = Digest::of(&bytes);
    Ok(Fetched { name: name.to_owned(), path: file, bytes, digest })
}
