//! The order of calls that makes files durable, over any disk. Does everything on the caller's
//! thread.

use std::io;

use super::crash::{self, Point};
use super::defence::{Defence, stands};
use super::disk::{Disk, Handle};
use super::error::{is_full, refused};
use super::leftovers::tidy;
use super::name::{check_name, folder_of, is_half_made, join, temporary};
use super::{Entry, StoreError};

/// How much of a new segment is written between two looks at what else is to be done.
const STEP_BYTES: u64 = 1 << 20;
/// The file that keeps space back.
const RESERVE: &str = "reserve";

/// The files of a store.
pub struct Files<D> {
    disk: D,
    /// See [`temporary`].
    tag: String,
    reserve_bytes: u64,
    cause: Option<String>,
    tail: Option<Tail>,
    making: Option<Making>,
}

/// The segment that takes appends.
struct Tail {
    name: String,
    file: Handle,
    bytes: u64,
    /// Bytes up to here may hold what an append left that found no space.
    soiled: u64,
}

/// A segment that is not complete.
struct Making {
    name: String,
    temporary: String,
    file: Handle,
    bytes: u64,
    zeroed: u64,
}

impl<D: Disk> Files<D> {
    /// Opens the store: makes its folders and removes what was half-made. `tag` differs from that
    /// of any process that may still live.
    pub fn open(
        mut disk: D,
        tag: &str,
        folders: &[&str],
        reserve_bytes: u64,
    ) -> Result<Self, StoreError> {
        for folder in folders {
            disk.make_folder(folder).map_err(|error| StoreError::io("make", folder, &error))?;
        }
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            tidy(&mut disk, &folder, &mut folders)?;
        }
        let tag = tag.to_owned();
        Ok(Self { disk, tag, reserve_bytes, cause: None, tail: None, making: None })
    }

    /// See [`super::Store::create`].
    pub fn create(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.check(name)?;
        let (temporary, file) = self.begin(name, bytes.len() as u64)?;
        let written = self.write_all(file, 0, bytes);
        if let Err(error) = written {
            self.give_up(file, &temporary);
            return Err(refused(name, "write", bytes.len() as u64, &error));
        }
        self.publish(file, &temporary, name)
    }

    /// The whole file.
    pub fn read(&mut self, name: &str, most: u64) -> Result<Vec<u8>, StoreError> {
        check_name(name)?;
        let failed = |error: io::Error| StoreError::io("read", name, &error);
        let file = self.disk.open(name, false).map_err(failed)?;
        let read = self.read_open(file, name, most);
        self.disk.close(file);
        read
    }

    fn read_open(&mut self, file: Handle, name: &str, most: u64) -> Result<Vec<u8>, StoreError> {
        let failed = |error: io::Error| StoreError::io("read", name, &error);
        let bytes = self.disk.size(file).map_err(failed)?;
        if bytes > most {
            return Err(StoreError::TooLarge { name: name.to_owned(), bytes, most });
        }
        let mut content = vec![0; bytes as usize];
        let mut done = 0;
        while done < content.len() {
            match self.disk.read(file, done as u64, &mut content[done..]) {
                Ok(0) => break,
                Ok(some) => done += some,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        content.truncate(done);
        Ok(content)
    }

    /// The files whose names begin with `prefix`.
    pub fn list(&mut self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        let (mut found, mut folders) = (Vec::new(), vec![folder_of(prefix).to_owned()]);
        while let Some(folder) = folders.pop() {
            let entries = match self.disk.list(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(|error| StoreError::io("list", &folder, &error))?,
            };
            for (name, bytes) in entries {
                let name = join(&folder, &name);
                match bytes {
                    _ if is_half_made(&name) => {}
                    Some(bytes) if name.starts_with(prefix) => found.push(Entry { name, bytes }),
                    None if name.starts_with(prefix) || prefix.starts_with(&name) => {
                        folders.push(name);
                    }
                    _ => {}
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Removes a file.
    pub fn remove(&mut self, name: &str) -> Result<(), StoreError> {
        self.check(name)?;
        if self.tail.as_ref().is_some_and(|tail| tail.name == name) {
            self.let_go();
        }
        match self.disk.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::io("remove", name, &error))
            }
            _ => self.sync_folder(folder_of(name)),
        }
    }

    /// See [`super::Store::create_segment`].
    pub fn create_segment(&mut self, name: &str, bytes: u64) -> Result<(), StoreError> {
        self.prepare_segment(name, bytes)?;
        while self.is_making() {
            self.make(u64::MAX)?;
        }
        Ok(())
    }

    /// Begins a segment, which `make_some` goes on with.
    pub fn prepare_segment(&mut self, name: &str, bytes: u64) -> Result<(), StoreError> {
        self.check(name)?;
        match self.making.take() {
            Some(making) if making.name == name && making.bytes < bytes => {
                self.give_up(making.file, &making.temporary);
            }
            Some(making) => {
                let same = making.name == name;
                self.making = Some(making);
                if same {
                    return Ok(());
                }
            }
            None => {}
        }
        // A name that is taken is known before the work is done; the rename makes sure of it.
        if let Ok(there) = self.disk.open(name, false) {
            self.disk.close(there);
            return Err(StoreError::Exists { name: name.to_owned() });
        }
        // One at a time. If the other one fails, it shows when it is asked for.
        while self.is_making() && self.make_some().is_ok() {}
        self.check(name)?;
        let (temporary, file) = self.begin(name, bytes)?;
        self.making = Some(Making { name: name.to_owned(), temporary, file, bytes, zeroed: 0 });
        Ok(())
    }

    /// Whether a segment is half-made.
    pub fn is_making(&self) -> bool {
        self.making.is_some()
    }

    /// Does a part of the work on the segment that is being made.
    pub fn make_some(&mut self) -> Result<(), StoreError> {
        self.make(STEP_BYTES)
    }

    fn make(&mut self, most: u64) -> Result<(), StoreError> {
        let Some(mut making) = self.making.take() else { return Ok(()) };
        let some = most.min(making.bytes - making.zeroed);
        let zeroes = vec![0; some as usize];
        if let Err(error) = self.write_all(making.file, making.zeroed, &zeroes) {
            self.give_up(making.file, &making.temporary);
            return Err(refused(&making.name, "write", making.bytes, &error));
        }
        making.zeroed += some;
        if making.zeroed < making.bytes {
            self.sync(making.file, &making.name, true)?;
            self.making = Some(making);
            return Ok(());
        }
        crash::point(Point::SegmentZeroed);
        self.publish(making.file, &making.temporary, &making.name)?;
        crash::point(Point::SegmentMade);
        Ok(())
    }

    /// See [`super::Store::append`].
    pub fn append(&mut self, name: &str, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.check(name)?;
        let (file, room, soiled) = self.tail(name)?;
        let end = at + bytes.len() as u64;
        if end > room {
            let problem = "an append would leave its segment";
            return Err(StoreError::Misuse { name: name.to_owned(), problem });
        }
        crash::point(Point::AppendBegins);
        let mut written = self.write_all(file, at, bytes);
        if written.is_ok() && soiled > end {
            written = self.write_all(file, end, &vec![0; (soiled - end) as usize]);
        }
        if let Err(error) = written {
            if let Some(tail) = &mut self.tail {
                tail.soiled = soiled.max(end);
            }
            if is_full(&error) {
                return Err(refused(name, "write", bytes.len() as u64, &error));
            }
            return Err(self.poison("write", name, &error));
        }
        crash::point(Point::AppendWritten);
        if stands(Defence::AppendFlush) {
            self.sync(file, name, false)?;
        }
        if let Some(tail) = &mut self.tail {
            tail.soiled = 0;
        }
        crash::point(Point::AppendDurable);
        Ok(())
    }

    /// See [`super::Store::settle`].
    pub fn settle(&mut self, name: &str) -> Result<(), StoreError> {
        self.check(name)?;
        if !stands(Defence::Settle) {
            return Ok(());
        }
        let failed = |error: io::Error| StoreError::io("open", name, &error);
        let file = self.disk.open(name, true).map_err(failed)?;
        let settled = self.sync(file, name, true);
        // Only a reader that trusts memory more than the disk would be misled by a refusal.
        let forgotten = self.disk.forget(file);
        self.disk.close(file);
        settled?;
        forgotten.map_err(|error| StoreError::io("forget", name, &error))
    }

    /// See [`super::Store::release_reserve`].
    pub fn release_reserve(&mut self) -> Result<bool, StoreError> {
        match self.disk.remove(RESERVE) {
            Ok(()) => {
                self.sync_folder("")?;
                crash::point(Point::ReserveReleased);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("remove", RESERVE, &error)),
        }
    }

    /// See [`super::Store::restore_reserve`].
    pub fn restore_reserve(&mut self) -> Result<(), StoreError> {
        if self.reserve_bytes == 0 {
            return Ok(());
        }
        match self.create_segment(RESERVE, self.reserve_bytes) {
            Err(StoreError::Exists { .. }) => Ok(()),
            other => other,
        }
    }

    fn check(&self, name: &str) -> Result<(), StoreError> {
        check_name(name)?;
        match &self.cause {
            Some(cause) => Err(StoreError::Poisoned { cause: cause.clone() }),
            None => Ok(()),
        }
    }

    /// The temporary file of a new one; makes the folders in which it will lie.
    fn begin(&mut self, name: &str, bytes: u64) -> Result<(String, Handle), StoreError> {
        let temporary = temporary(name, &self.tag);
        let mut file = self.disk.create(&temporary);
        if file.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            for (at, _) in name.match_indices('/') {
                let made = self.disk.make_folder(&name[..at]);
                made.map_err(|error| refused(name, "make", 0, &error))?;
                self.sync_folder(folder_of(&name[..at]))?;
            }
            file = self.disk.create(&temporary);
        }
        // Refused under the temporary name, which says nothing of the other.
        let file = file.map_err(|error| refused(&temporary, "create", bytes, &error))?;
        Ok((temporary, file))
    }

    /// fsync → rename that refuses to replace → fsync of the folder.
    fn publish(&mut self, file: Handle, temporary: &str, name: &str) -> Result<(), StoreError> {
        if stands(Defence::FlushBeforeName) {
            self.sync(file, name, true)?;
        }
        self.disk.close(file);
        crash::point(Point::BlobWritten);
        if let Err(error) = self.disk.rename(temporary, name) {
            // What a half-done change of a folder left is not known.
            if error.kind() != io::ErrorKind::AlreadyExists && !is_full(&error) {
                return Err(self.poison("rename", name, &error));
            }
            let _gone_at_the_next_start = self.disk.remove(temporary);
            return Err(refused(name, "rename", 0, &error));
        }
        crash::point(Point::BlobNamed);
        if stands(Defence::FolderFlush) {
            self.sync_folder(folder_of(name))?;
        }
        crash::point(Point::BlobDurable);
        Ok(())
    }

    fn sync_folder(&mut self, folder: &str) -> Result<(), StoreError> {
        self.disk.sync_folder(folder).map_err(|error| self.poison("flush", folder, &error))
    }

    /// A flush that fails is the last one.
    fn sync(&mut self, file: Handle, name: &str, all: bool) -> Result<(), StoreError> {
        self.disk.sync(file, all).map_err(|error| self.poison("flush", name, &error))
    }

    fn poison(&mut self, doing: &str, name: &str, error: &io::Error) -> StoreError {
        let cause = format!("can't {doing} `{name}`: {error}");
        self.cause = stands(Defence::Poison).then(|| cause.clone());
        StoreError::Poisoned { cause }
    }

    fn write_all(&mut self, file: Handle, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match self.disk.write(file, at + done as u64, &bytes[done..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(some) => done += some,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn give_up(&mut self, file: Handle, temporary: &str) {
        self.disk.close(file);
        // If this fails too, the next start removes it.
        let _gone_at_the_next_start = self.disk.remove(temporary);
    }

    fn let_go(&mut self) {
        if let Some(tail) = self.tail.take() {
            self.disk.close(tail.file);
        }
    }

    fn tail(&mut self, name: &str) -> Result<(Handle, u64, u64), StoreError> {
        if self.tail.as_ref().is_none_or(|tail| tail.name != name) {
            self.let_go();
            let failed = |error: io::Error| StoreError::io("open", name, &error);
            let file = self.disk.open(name, true).map_err(failed)?;
            let bytes = self.disk.size(file).map_err(failed)?;
            self.tail = Some(Tail { name: name.to_owned(), file, bytes, soiled: 0 });
        }
        let missing = || StoreError::Missing { name: name.to_owned() };
        let tail = self.tail.as_ref().ok_or_else(missing)?;
        Ok((tail.file, tail.bytes, tail.soiled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable::test_kit::{EIO, ENOSPC, Fail, SimDisk};

    fn files(disk: &SimDisk) -> Files<SimDisk> {
        Files::open(disk.clone(), "t", &["log"], 4096).unwrap()
    }

    #[test]
    fn a_segment_that_is_being_made_is_not_lost_over_another() {
        let disk = SimDisk::new(1);
        let mut files = files(&disk);
        files.prepare_segment("log/a", 3 << 20).unwrap();
        files.make_some().unwrap();
        files.restore_reserve().unwrap();
        assert_eq!(disk.content("log/a").map(|it| it.len()), Some(3 << 20));
        files.prepare_segment("log/b", 1 << 20).unwrap();
        files.create_segment("log/b", 2 << 20).unwrap();
        assert_eq!(disk.content("log/b").map(|it| it.len()), Some(2 << 20));
        assert!(matches!(files.create_segment("log/b", 1), Err(StoreError::Exists { .. })));
        assert_eq!(disk.names(), ["log/a", "log/b", "reserve"]);
    }

    #[test]
    fn after_a_flush_that_failed_nothing_is_tried_again() {
        let disk = SimDisk::new(1);
        let mut files = files(&disk);
        files.create_segment("log/a", 4096).unwrap();
        disk.fail(Some(Fail::Sync(1, EIO)));
        assert!(matches!(files.append("log/a", 0, &[7; 10]), Err(StoreError::Poisoned { .. })));
        let changes = disk.changes();
        for again in [
            files.append("log/a", 0, &[7; 10]),
            files.create("log/b", b"b"),
            files.remove("log/a"),
            files.settle("log/a"),
            files.create_segment("log/c", 4096),
        ] {
            let Err(StoreError::Poisoned { cause }) = again else { panic!("{again:?}") };
            assert!(cause.contains("`log/a`"), "{cause}");
        }
        assert_eq!(disk.changes(), changes);
        assert_eq!(files.read("log/a", 4096).unwrap().len(), 4096);
    }

    #[test]
    fn two_processes_that_make_one_file_meet_only_when_it_gets_its_name() {
        let disk = SimDisk::new(1);
        let mut one = Files::open(disk.clone(), "1", &["log"], 0).unwrap();
        let mut two = Files::open(disk.clone(), "2", &["log"], 0).unwrap();
        one.prepare_segment("log/a", 3 << 20).unwrap();
        one.make_some().unwrap();
        two.create("log/a", b"two").unwrap();
        assert!(matches!(one.create_segment("log/a", 3 << 20), Err(StoreError::Exists { .. })));
        assert_eq!(disk.content("log/a").unwrap(), b"two");
        assert_eq!(disk.names(), ["log/a"]);
    }

    #[test]
    fn a_name_is_never_written_over() {
        let disk = SimDisk::new(1);
        let mut files = files(&disk);
        files.create("state/op/1/a", b"one").unwrap();
        assert!(matches!(files.create("state/op/1/a", b"two"), Err(StoreError::Exists { .. })));
        assert_eq!(files.read("state/op/1/a", 3).unwrap(), b"one");
        let large = files.read("state/op/1/a", 2).unwrap_err();
        assert_eq!(large.code(), "WEIR-DURABLE-006");
        assert_eq!(files.list("state/op/").unwrap().len(), 1);
        files.remove("state/op/1/a").unwrap();
        files.remove("state/op/1/a").unwrap();
        assert_eq!(files.read("state/op/1/a", 9).unwrap_err().code(), "WEIR-DURABLE-002");
        assert_eq!(disk.names(), Vec::<String>::new());
    }

    #[test]
    fn what_an_append_without_space_left_is_gone_after_the_next() {
        let disk = SimDisk::new(1);
        let mut files = files(&disk);
        files.create_segment("log/a", 8192).unwrap();
        disk.be_short();
        disk.fail(Some(Fail::Change(2, ENOSPC)));
        let full = files.append("log/a", 0, &[7; 5000]).unwrap_err();
        assert!(full.can_wait(), "{full}");
        files.append("log/a", 0, &[8; 100]).unwrap();
        let content = disk.content("log/a").unwrap();
        assert!(content[..100].iter().all(|byte| *byte == 8));
        assert!(content[100..].iter().all(|byte| *byte == 0));
        assert!(matches!(files.append("log/a", 8000, &[7; 500]), Err(StoreError::Misuse { .. })));
    }
}
