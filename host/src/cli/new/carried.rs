//! What the host carries for new projects: the SDK, the crates it is built from, and templates.

use std::io::Read;

use crate::cli::failure::Failure;

/// A file with its path in `sdk/rust`, as the build script found it.
type File = (&'static str, &'static [u8]);

/// All files.
pub const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// The archive of the crates.
pub const ARCHIVE: &str = "vendor.tar.zst";

/// The lock file of the SDK.
pub const LOCK: &str = "Cargo.lock";

/// A text file.
pub fn text(wanted: &str) -> &'static str {
    let bytes = FILES.iter().find(|(name, _)| *name == wanted).map_or(&[][..], |(_, bytes)| bytes);
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// The names of the crates that a project is built from.
pub fn crates() -> impl Iterator<Item = &'static str> {
    let name = |line: &'static str| line.strip_prefix("name = \"")?.strip_suffix('"');
    text(LOCK).lines().filter_map(name)
}

/// The files of the archive, which is a tar file packed with zstd.
pub fn unpack(archive: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    unpacked(archive).map_err(|error| {
        let message = format!("the crates that the host carries can't be read: {error}");
        Failure::new("WEIR-CLI-007", message)
            .help("the file of the host is damaged: install it again")
    })
}

fn unpacked(archive: &[u8]) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in tar::Archive::new(zstd::Decoder::new(archive)?).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let name = entry.path()?.to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            files.push((name, bytes));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_has_the_crates_of_the_lock_and_their_licences() {
        let archive = FILES.iter().find(|(name, _)| *name == ARCHIVE).unwrap().1;
        let files = unpack(archive).unwrap();
        for name in crates().filter(|name| !name.starts_with("weir")) {
            let manifest = format!("vendor/{name}/Cargo.toml");
            let (_, manifest) = files.iter().find(|(name, _)| *name == manifest).unwrap();
            let version = |text: &str, after: &str| {
                let (_, text) = text.split_once(after).unwrap();
                let (_, text) = text.split_once("\nversion = \"").unwrap();
                text.split('"').next().unwrap().to_owned()
            };
            let locked = version(text(LOCK), &format!("name = \"{name}\""));
            let carried = version(std::str::from_utf8(manifest).unwrap(), "[package]");
            assert_eq!(carried, locked, "{name}: run sdk/rust/vendor");
            for wanted in ["Cargo.toml", ".cargo-checksum.json", "src/lib.rs", "LICENSE-MIT"] {
                let path = format!("vendor/{name}/{wanted}");
                assert!(files.iter().any(|(name, _)| *name == path), "{path}");
            }
        }
    }

    #[test]
    fn what_the_host_carries_has_at_most_3_megabytes() {
        let bytes: usize = FILES.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(bytes <= 3_000_000, "{bytes}");
    }

    #[test]
    fn a_damaged_archive_is_an_error() {
        let archive = FILES.iter().find(|(name, _)| *name == ARCHIVE).unwrap().1;
        let tar = zstd::decode_all(archive).unwrap();
        let packed = |tar: &[u8]| zstd::encode_all(tar, 1).unwrap();
        for damaged in [archive[..99].to_vec(), packed(&tar[..2000]), packed(&[7; 512])] {
            assert!(format!("{:?}", unpack(&damaged)).contains("WEIR-CLI-007"));
        }
    }
}
