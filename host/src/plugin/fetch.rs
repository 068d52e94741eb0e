//! The bytes of a component: a file as it is, or a folder that is built first.

use std::fs::{self, File};
use std::io::{self, Read};
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

/// Reads a component of at most so many bytes; `notice` tells the person about a build.
pub fn fetch(
    path: &Path,
    name: &str,
    bytes_max: u64,
    notice: &dyn Fn(&str),
) -> Result<Fetched, PluginError> {
    let facts = fs::metadata(path).map_err(|_| PluginError::Missing(path.to_owned()))?;
    let file = if facts.is_dir() { build::build(path, notice)?.component } else { path.to_owned() };
    let bytes = read(&file, bytes_max).map_err(|source| PluginError::File {
        action: "read",
        path: file.clone(),
        source,
    })?;
    if bytes.len() as u64 > bytes_max {
        return Err(PluginError::NotAComponent {
            plugin: name.to_owned(),
            reason: format!("it has more bytes than its limit of {bytes_max}"),
            help: "build it with optimisation and without debug info, or set `limits.component`",
        });
    }
    let digest = Digest::of(&bytes);
    Ok(Fetched { name: name.to_owned(), path: file, bytes, digest })
}

/// What a file holds, up to a byte more than there may be.
fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    // A pipe would be waited for, and a device has no end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is neither a file nor a folder"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}
