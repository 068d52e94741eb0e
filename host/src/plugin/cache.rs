//! Precompiled components on disk, so that a start need not compile.
//!
//! The folder is derived and may be deleted at any time. It holds native code, so it is used only
//! when it belongs to this user and nobody else may write to it; each file begins with a header:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `WEIRCWA1` |
//! | 8 | the engine's compatibility number, little endian |
//! | 32 | SHA-256 of the component |
//! | 32 | SHA-256 of the rest of the file |

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::id::Digest;

const MAGIC: &[u8; 8] = b"WEIRCWA1";
const HEADER_BYTES: usize = 8 + 8 + 32 + 32;

/// The folder of precompiled code, or nothing where it can't be trusted.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Opens the folder, making it if needed. The error says why it is not used.
    pub fn open(folder: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("`{}`: {error}", folder.display());
        let mut maker = fs::DirBuilder::new();
        maker.recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let facts = fs::symlink_metadata(folder).map_err(failed)?;
        if !facts.is_dir() {
            return Err(format!("`{}` is not a folder", folder.display()));
        }
        trusted(&facts).map_err(|why| format!("`{}` {why}", folder.display()))?;
        Ok(Self { folder: folder.to_owned() })
    }

    fn path(&self, component: &Digest, engine: u64) -> PathBuf {
        self.folder.join(format!("{}-{engine:016x}.cwasm", component.hex()))
    }

    /// The precompiled code of a component for an engine. `None` where there is none or what is
    /// there is damaged, of another engine, or writable by others.
    pub fn get(&self, component: &Digest, engine: u64) -> Option<Vec<u8>> {
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(self.path(component, engine))
            .ok()?;
        trusted(&file.metadata().ok()?).ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let (header, code) = bytes.split_at_checked(HEADER_BYTES)?;
        let genuine = header == header_of(component, engine, code);
        genuine.then(|| code.to_vec())
    }

    /// Keeps precompiled code. A failure only costs the next start time, so it is told as text.
    pub fn put(&self, component: &Digest, engine: u64, code: &[u8]) -> Result<(), String> {
        let path = self.path(component, engine);
        let draft = path.with_extension(format!("{}.draft", std::process::id()));
        let write = || -> std::io::Result<()> {
            let _ = fs::remove_file(&draft);
            let mut file: File =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(&header_of(component, engine, code))?;
            file.write_all(code)?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        };
        write().map_err(|error| format!("`{}`: {error}", path.display()))
    }
}

fn header_of(component: &Digest, engine: u64, code: &[u8]) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&engine.to_le_bytes());
    header.extend_from_slice(&component.0);
    header.extend_from_slice(&Digest::of(code).0);
    header
}

fn trusted(facts: &fs::Metadata) -> Result<(), &'static str> {
    if facts.uid() != rustix::process::geteuid().as_raw() {
        return Err("belongs to another user");
    }
    if facts.mode() & 0o022 != 0 {
        return Err("may be written by others");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_what_was_put_for_this_engine_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&folder.path().join("c")).unwrap();
        let digest = Digest::of(b"component");
        cache.put(&digest, 7, b"code").unwrap();
        assert_eq!(cache.get(&digest, 7).as_deref(), Some(&b"code"[..]));
        assert_eq!(cache.get(&digest, 8), None);
        assert_eq!(cache.get(&Digest::of(b"other"), 7), None);
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&folder.path().join("c")).unwrap();
        let digest = Digest::of(b"component");
        cache.put(&digest, 7, b"code").unwrap();
        let path = cache.path(&digest, 7);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert_eq!(cache.get(&digest, 7), None, "byte {at}");
            fs::write(&path, &good[..at]).unwrap();
            assert_eq!(cache.get(&digest, 7), None, "cut at {at}");
        }
    }

    #[test]
    fn what_others_may_write_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("c");
        let cache = Cache::open(&place).unwrap();
        let digest = Digest::of(b"component");
        cache.put(&digest, 7, b"code").unwrap();
        fs::set_permissions(cache.path(&digest, 7), fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(cache.get(&digest, 7), None);
        fs::set_permissions(&place, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Cache::open(&place).unwrap_err().contains("may be written by others"));
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&folder.path().join("c")).unwrap();
        let digest = Digest::of(b"component");
        cache.put(&digest, 7, b"code").unwrap();
        let path = cache.path(&digest, 7);
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert_eq!(cache.get(&digest, 7), None);
    }
}
