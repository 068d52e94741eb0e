//! A store that is only looked at, while another process may work in it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::name::{check_name, folder_of, is_half_made, join};
use super::{Entry, Store, StoreError};

/// A folder of this machine, for reading. Takes no lock and changes nothing.
#[derive(Debug)]
pub struct ReadStore {
    folder: PathBuf,
}

impl ReadStore {
    /// The store in a folder, which need not be there: then there is nothing in it.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }
}

fn refused<T>(name: &str) -> Result<T, StoreError> {
    Err(StoreError::Misuse { name: name.to_owned(), problem: "it was opened for reading only" })
}

impl Store for ReadStore {
    fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, StoreError> {
        check_name(name)?;
        let failed = |error: io::Error| StoreError::io("read", name, &error);
        let file = File::open(self.folder.join(name)).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        if bytes > most {
            return Err(StoreError::TooLarge { name: name.to_owned(), bytes, most });
        }
        let mut content = Vec::with_capacity(bytes as usize);
        file.take(bytes).read_to_end(&mut content).map_err(failed)?;
        Ok(content)
    }

    fn list(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        let (mut found, mut folders) = (Vec::new(), vec![folder_of(prefix).to_owned()]);
        while let Some(folder) = folders.pop() {
            let failed = |error: io::Error| StoreError::io("list", &folder, &error);
            let entries = match fs::read_dir(self.folder.join(&folder)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(failed)?,
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                let name = join(&folder, &entry.file_name().to_string_lossy());
                // What has gone meanwhile is not there.
                let Ok(about) = entry.metadata() else { continue };
                if is_half_made(&name) {
                    continue;
                }
                if about.is_dir() {
                    if name.starts_with(prefix) || prefix.starts_with(&name) {
                        folders.push(name);
                    }
                } else if name.starts_with(prefix) {
                    found.push(Entry { name, bytes: about.len() });
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn create(&self, name: &str, _: &[u8]) -> Result<(), StoreError> {
        refused(name)
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        refused(name)
    }

    fn create_segment(&self, name: &str, _: u64) -> Result<(), StoreError> {
        refused(name)
    }

    fn prepare_segment(&self, name: &str, _: u64) -> Result<(), StoreError> {
        refused(name)
    }

    fn append(&self, name: &str, _: u64, _: &[u8]) -> Result<(), StoreError> {
        refused(name)
    }

    fn settle(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    fn release_reserve(&self) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn restore_reserve(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_and_lists_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = ReadStore::new(folder.path());
        assert!(store.list("log/").unwrap().is_empty());
        fs::create_dir(folder.path().join("log")).unwrap();
        fs::write(folder.path().join("log/a"), "text").unwrap();
        let entry = Entry { name: "log/a".into(), bytes: 4 };
        assert_eq!(store.list("log/").unwrap(), [entry]);
        assert_eq!(store.read("log/a", 4).unwrap(), b"text");
        assert!(matches!(store.read("log/a", 3), Err(StoreError::TooLarge { .. })));
        assert!(matches!(store.read("log/b", 3), Err(StoreError::Missing { .. })));
        assert!(store.append("log/a", 0, b"x").is_err() && store.remove("log/a").is_err());
    }
}
