//! One process at a time: a lock that the system lets go of when its holder dies, however.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{self, FlockOperation, Mode, OFlags};

use super::StoreError;
use super::defence::{Defence, stands};

const NAME: &str = "lock";
/// A lock that is larger was not written by us.
const TEXT_MAX: u64 = 1024;

/// Who has a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process, if the lock says so.
    pub process: Option<u32>,
    /// The machine, if the lock says so.
    pub host: Option<String>,
}

impl Holder {
    /// This process.
    pub fn me() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let host = host.map(|host| host.trim().to_owned()).filter(|host| !host.is_empty());
        Self { process: Some(std::process::id()), host }
    }

    fn parse(text: &str) -> Self {
        let mut words = text.split_whitespace();
        let process = words.next().and_then(|word| word.parse().ok());
        // What stands in a file of another user may go to a terminal.
        let plain = |word: &str| word.chars().filter(|c| !c.is_control()).take(64).collect();
        Self { process, host: words.next().map(plain) }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.process {
            Some(process) => write!(f, "process {process}")?,
            None => f.write_str("another process")?,
        }
        match &self.host {
            Some(host) => write!(f, " on {host}"),
            None => Ok(()),
        }
    }
}

/// The lock of a folder, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of `folder`. With `take_over` also from a process that still holds it: the
    /// file is replaced, so that the next process meets this lock and not the old one.
    pub fn take(folder: &Path, take_over: bool) -> Result<Self, StoreError> {
        let path = folder.join(NAME);
        loop {
            let mut file = open(&path).map_err(|error| StoreError::io("open", NAME, &error))?;
            match fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                // Between open and lock the file may have been replaced by another's.
                Ok(()) if is_at(&file, &path) => {
                    sign(&mut file).map_err(|error| StoreError::io("write", NAME, &error))?;
                    return Ok(Self { _file: file });
                }
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) if take_over || !stands(Defence::Lock) => {
                    return replace(&path).map_err(|error| StoreError::io("replace", NAME, &error));
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let mut text = String::new();
                    let _unsigned_is_told_too = file.take(TEXT_MAX).read_to_string(&mut text);
                    let holder = Holder::parse(&text);
                    return Err(StoreError::Locked { name: NAME.to_owned(), holder });
                }
                Err(error) => return Err(StoreError::io("lock", NAME, &error.into())),
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(fs::open(path, flags, Mode::RUSR | Mode::WUSR)?))
}

fn is_at(file: &File, path: &Path) -> bool {
    let same =
        |a: &std::fs::Metadata, b: &std::fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(held), Ok(there)) => same(&held, &there),
        _ => false,
    }
}

fn sign(file: &mut File) -> io::Result<()> {
    let me = Holder::me();
    let (process, host) = (me.process.unwrap_or(0), me.host.unwrap_or_default());
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{process} {host}")
}

/// Puts a locked file in the place of the old one.
fn replace(path: &Path) -> io::Result<Lock> {
    let new = path.with_extension(format!("{}", std::process::id()));
    let mut file = open(&new)?;
    fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    sign(&mut file)?;
    std::fs::rename(&new, path)?;
    Ok(Lock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_and_told_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path(), false).unwrap();
        let Err(StoreError::Locked { holder, .. }) = Lock::take(folder.path(), false) else {
            panic!("the lock is held");
        };
        assert_eq!(holder.process, Some(std::process::id()));
        drop(first);
        Lock::take(folder.path(), false).unwrap();
    }

    #[test]
    fn who_takes_over_holds_the_lock_that_others_meet() {
        let folder = tempfile::tempdir().unwrap();
        let old = Lock::take(folder.path(), false).unwrap();
        let new = Lock::take(folder.path(), true).unwrap();
        drop(old);
        assert!(matches!(Lock::take(folder.path(), false), Err(StoreError::Locked { .. })));
        drop(new);
        Lock::take(folder.path(), false).unwrap();
    }

    #[test]
    fn a_lock_with_nonsense_in_it_is_shown_without_harm() {
        let shown = Holder::parse("no \x1b[31mhost\n").to_string();
        assert_eq!(shown, "another process on [31mhost");
    }
}
