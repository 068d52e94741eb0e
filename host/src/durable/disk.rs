//! The few calls of the system that everything durable is made of.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, CWD, Mode, OFlags, RenameFlags};

/// A file that a [`Disk`] has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle(pub u64);

/// A disk. Names are relative, their parts joined by `/`; `""` is the top folder. Reads and writes
/// may do less than asked for.
pub trait Disk: Send {
    /// Makes a folder; it is well if it is there.
    fn make_folder(&mut self, name: &str) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&mut self, name: &str) -> io::Result<()>;
    /// What is in a folder: names, sizes of files, `None` for a folder.
    fn list(&mut self, folder: &str) -> io::Result<Vec<(String, Option<u64>)>>;
    /// Creates a file that must not be there.
    fn create(&mut self, name: &str) -> io::Result<Handle>;
    /// Opens a file, for writing too if `write`.
    fn open(&mut self, name: &str, write: bool) -> io::Result<Handle>;
    /// Forgets a file that is open.
    fn close(&mut self, file: Handle);
    /// How many bytes it has.
    fn size(&mut self, file: Handle) -> io::Result<u64>;
    /// Reads some bytes from `at` on; 0 at the end.
    fn read(&mut self, file: Handle, at: u64, into: &mut [u8]) -> io::Result<usize>;
    /// Writes some of the bytes at `at`.
    fn write(&mut self, file: Handle, at: u64, bytes: &[u8]) -> io::Result<usize>;
    /// Makes the content durable, and the size too if `all`.
    fn sync(&mut self, file: Handle, all: bool) -> io::Result<()>;
    /// Forgets what memory holds of the content, as far as it is on the disk.
    fn forget(&mut self, file: Handle) -> io::Result<()>;
    /// Renames a file to a name that must not be there.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;
}

/// A folder of this machine.
pub struct HostDisk {
    root: PathBuf,
    open: HashMap<u64, File, FixedState>,
    next: u64,
}

/// Handles are numbers that count up: no chance is needed to spread them.
type FixedState = std::hash::BuildHasherDefault<xxhash_rust::xxh3::Xxh3>;

impl HostDisk {
    /// The folder `root`, which is made if it is not there.
    pub fn at(root: &Path) -> io::Result<Self> {
        make_durably(root)?;
        Ok(Self { root: root.to_owned(), open: HashMap::default(), next: 0 })
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.root.clone() } else { self.root.join(name) }
    }

    fn file(&self, file: Handle) -> io::Result<&File> {
        self.open.get(&file.0).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
    }

    fn keep(&mut self, file: impl Into<File>) -> Handle {
        self.next += 1;
        self.open.insert(self.next, file.into());
        Handle(self.next)
    }
}

/// Makes a folder and those above it, as far as they are missing.
/// Makes a folder and those above it so that they stay.
pub fn make_durably(folder: &Path) -> io::Result<()> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    match fs::mkdir(folder, Mode::RWXU) {
        Ok(()) => sync_path(parent),
        // It may have been made a moment ago by a process that died. A process that has given up
        // the right to the folder above has been here before that.
        Err(rustix::io::Errno::EXIST) => match sync_path(parent) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            done => done,
        },
        Err(rustix::io::Errno::NOENT) if parent != Path::new(".") => {
            make_durably(parent)?;
            make_durably(folder)
        }
        Err(error) => Err(error.into()),
    }
}

fn sync_path(folder: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = fs::open(folder, flags, Mode::empty())?;
    Ok(fs::fsync(folder)?)
}

impl Disk for HostDisk {
    fn make_folder(&mut self, name: &str) -> io::Result<()> {
        match fs::mkdir(self.path(name), Mode::RWXU) {
            Err(rustix::io::Errno::EXIST) => Ok(()),
            other => Ok(other?),
        }
    }

    fn sync_folder(&mut self, name: &str) -> io::Result<()> {
        sync_path(&self.path(name))
    }

    fn list(&mut self, folder: &str) -> io::Result<Vec<(String, Option<u64>)>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.path(folder))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => found.push((name, None)),
                Ok(meta) => found.push((name, Some(meta.len()))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    fn create(&mut self, name: &str) -> io::Result<Handle> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = fs::open(self.path(name), flags, Mode::RUSR | Mode::WUSR)?;
        Ok(self.keep(file))
    }

    fn open(&mut self, name: &str, write: bool) -> io::Result<Handle> {
        let access = if write { OFlags::RDWR } else { OFlags::RDONLY };
        let flags = access | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = File::from(fs::open(self.path(name), flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file"));
        }
        Ok(self.keep(file))
    }

    fn close(&mut self, file: Handle) {
        self.open.remove(&file.0);
    }

    fn size(&mut self, file: Handle) -> io::Result<u64> {
        Ok(self.file(file)?.metadata()?.len())
    }

    fn read(&mut self, file: Handle, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file(file)?.read_at(into, at)
    }

    fn write(&mut self, file: Handle, at: u64, bytes: &[u8]) -> io::Result<usize> {
        self.file(file)?.write_at(bytes, at)
    }

    fn sync(&mut self, file: Handle, all: bool) -> io::Result<()> {
        let file = self.file(file)?;
        Ok(if all { fs::fsync(file) } else { fs::fdatasync(file) }?)
    }

    fn forget(&mut self, file: Handle) -> io::Result<()> {
        Ok(fs::fadvise(self.file(file)?, 0, None, fs::Advice::DontNeed)?)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.path(from), self.path(to));
        match fs::renameat_with(CWD, &from, CWD, &to, RenameFlags::NOREPLACE) {
            // Not every file system knows how to refuse; every one refuses a second link.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                fs::linkat(CWD, &from, CWD, &to, AtFlags::empty())?;
                Ok(fs::unlink(&from)?)
            }
            other => Ok(other?),
        }
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        Ok(fs::unlink(self.path(name))?)
    }
}
