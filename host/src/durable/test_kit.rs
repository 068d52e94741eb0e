//! A disk in memory that loses what was not flushed, and fails on request.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::disk::{Disk, Handle};
use super::files::Files;
use super::frame::BLOCK_BYTES;
use super::name::join;
use super::{Entry, Store, StoreError};
use crate::clock::Random;

/// The numbers of the system for what a test makes happen.
pub const ENOSPC: i32 = 28;
/// See [`ENOSPC`].
pub const EIO: i32 = 5;

/// What a file is in memory and on the disk.
#[derive(Clone, Default)]
struct Inode {
    seen: Vec<u8>,
    kept: Vec<u8>,
    dirty: BTreeSet<usize>,
}

/// A failure that a test asks for.
#[derive(Clone, Copy, Debug)]
pub enum Fail {
    /// The n-th call from now on, of any kind that changes the disk, fails with this number.
    Change(u64, i32),
    /// The n-th flush from now on fails with this number.
    Sync(u64, i32),
    /// The power goes at the n-th change.
    Power(u64),
}

struct Sim {
    random: Random,
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    kept_names: BTreeMap<String, u64>,
    folders: BTreeSet<String>,
    next: u64,
    fail: Option<Fail>,
    dark: bool,
    capacity: usize,
    short: bool,
    changes: u64,
}

/// What is asked before each call: lets a test hold one of several processes.
pub type Gate = Arc<dyn Fn() + Send + Sync>;

/// A disk in memory; clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    sim: Arc<Mutex<Sim>>,
    gate: Option<Gate>,
}

impl SimDisk {
    /// An empty disk. Everything that is left to chance follows from the seed.
    pub fn new(seed: u64) -> Self {
        let sim = Sim {
            random: Random::new(seed),
            inodes: BTreeMap::new(),
            names: BTreeMap::new(),
            kept_names: BTreeMap::new(),
            folders: BTreeSet::from([String::new()]),
            next: 1,
            fail: None,
            dark: false,
            capacity: usize::MAX,
            short: false,
            changes: 0,
        };
        Self { sim: Arc::new(Mutex::new(sim)), gate: None }
    }

    /// The same disk, whose calls pass a gate first.
    pub fn behind(&self, gate: Gate) -> Self {
        Self { sim: Arc::clone(&self.sim), gate: Some(gate) }
    }

    /// Asks for a failure.
    pub fn fail(&self, fail: Option<Fail>) {
        self.lock().fail = fail;
    }

    /// Limits the bytes of all files.
    pub fn limit(&self, bytes: usize) {
        self.lock().capacity = bytes;
    }

    /// Reads and writes do less than asked for, now and then.
    pub fn be_short(&self) {
        self.lock().short = true;
    }

    /// How many calls have changed the disk.
    pub fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// How many bytes all files have.
    pub fn used(&self) -> usize {
        self.lock().used()
    }

    /// The power comes back: what was not flushed is there or not, block by block, name by name.
    pub fn power_comes_back(&self) {
        let mut sim = self.lock();
        let sim = &mut *sim;
        (sim.dark, sim.fail) = (false, None);
        for inode in sim.inodes.values_mut() {
            inode.lose(&mut sim.random);
        }
        let both: BTreeSet<String> =
            sim.names.keys().chain(sim.kept_names.keys()).cloned().collect();
        for name in both {
            let (now, kept) = (sim.names.get(&name).copied(), sim.kept_names.get(&name).copied());
            let stays = if now == kept || sim.random.draw().is_multiple_of(2) { now } else { kept };
            match stays {
                Some(inode) => sim.names.insert(name, inode),
                None => sim.names.remove(&name),
            };
        }
        sim.kept_names = sim.names.clone();
    }

    /// The process ends, the machine does not: everything written stays.
    pub fn process_ends(&self) {
        let mut sim = self.lock();
        (sim.dark, sim.fail) = (false, None);
    }

    /// The content of a file, as a process sees it.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let sim = self.lock();
        sim.names.get(name).map(|inode| sim.inodes[inode].seen.clone())
    }

    /// Every file.
    pub fn names(&self) -> Vec<String> {
        self.lock().names.keys().cloned().collect()
    }

    /// Puts a durable file there, or takes it away.
    pub fn put(&self, name: &str, content: Option<Vec<u8>>) {
        let mut sim = self.lock();
        let Some(content) = content else {
            sim.names.remove(name);
            sim.kept_names.remove(name);
            return;
        };
        let inode = sim.next;
        sim.next += 1;
        let kept = content.clone();
        sim.inodes.insert(inode, Inode { seen: content, kept, dirty: BTreeSet::new() });
        sim.names.insert(name.to_owned(), inode);
        sim.kept_names.insert(name.to_owned(), inode);
    }

    /// A store over this disk that works on the caller's thread.
    pub fn store(&self, tag: &str, reserve: u64) -> Result<DirectStore, StoreError> {
        let mut files =
            Files::open(self.clone(), tag, &["log", "owner", "floor", "state"], reserve)?;
        match files.restore_reserve() {
            Ok(()) | Err(StoreError::NoSpace { .. }) => Ok(DirectStore(Mutex::new(files))),
            Err(error) => Err(error),
        }
    }

    /// A folder beside those of a store, for what is kept in another way.
    pub fn folder(&self, name: &str) -> SimFolder {
        let mut disk = self.clone();
        disk.make_folder(name).unwrap();
        SimFolder { disk, name: name.to_owned() }
    }

    fn lock(&self) -> MutexGuard<'_, Sim> {
        self.sim.lock().unwrap()
    }

    fn enter(&self) -> MutexGuard<'_, Sim> {
        if let Some(gate) = &self.gate {
            gate();
        }
        self.lock()
    }
}

impl Inode {
    fn block(&self, block: usize) -> std::ops::Range<usize> {
        let at = block * BLOCK_BYTES;
        at.min(self.seen.len())..(at + BLOCK_BYTES).min(self.seen.len())
    }

    fn keep(&mut self, block: usize) {
        let range = self.block(block);
        if self.kept.len() < range.end {
            self.kept.resize(range.end, 0);
        }
        self.kept[range.clone()].copy_from_slice(&self.seen[range]);
    }

    fn lose(&mut self, random: &mut Random) {
        for block in std::mem::take(&mut self.dirty) {
            if random.draw().is_multiple_of(2) {
                self.keep(block);
            }
        }
        self.seen = self.kept.clone();
    }

    fn sync(&mut self) {
        for block in std::mem::take(&mut self.dirty) {
            self.keep(block);
        }
    }
}

fn system(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

impl Sim {
    fn used(&self) -> usize {
        let live: BTreeSet<_> = self.names.values().collect();
        live.into_iter().map(|inode| self.inodes[inode].seen.len()).sum()
    }

    fn is_lit(&self) -> io::Result<()> {
        if self.dark { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    /// Before a change: whether it is the one that fails. `Ok(true)` = the power goes now.
    fn change(&mut self, sync: bool) -> io::Result<bool> {
        self.is_lit()?;
        self.changes += 1;
        let (counts, left) = match &mut self.fail {
            Some(Fail::Change(left, _) | Fail::Power(left)) => (true, left),
            Some(Fail::Sync(left, _)) => (sync, left),
            None => return Ok(false),
        };
        if counts {
            *left = left.saturating_sub(1);
        }
        if !counts || *left > 0 {
            return Ok(false);
        }
        match self.fail.take() {
            Some(Fail::Change(_, number) | Fail::Sync(_, number)) => Err(system(number)),
            _ => {
                self.dark = true;
                Ok(true)
            }
        }
    }

    fn inode(&mut self, file: Handle) -> &mut Inode {
        self.inodes.get_mut(&file.0).unwrap()
    }

    fn find(&self, name: &str) -> io::Result<u64> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// How much of a write is done when it is cut off: the system copies by the page, so that no
    /// block is half-written.
    fn part(&mut self, at: usize, bytes: usize) -> usize {
        let end = at + self.random.draw() as usize % (bytes + 1);
        (end / BLOCK_BYTES * BLOCK_BYTES).saturating_sub(at)
    }

    fn write(&mut self, file: Handle, at: usize, bytes: &[u8]) {
        let inode = self.inode(file);
        let end = at + bytes.len();
        if inode.seen.len() < end {
            inode.seen.resize(end, 0);
        }
        inode.seen[at..end].copy_from_slice(bytes);
        inode.dirty.extend(at / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES));
    }
}

fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Disk for SimDisk {
    fn make_folder(&mut self, name: &str) -> io::Result<()> {
        self.enter().folders.insert(name.to_owned());
        Ok(())
    }

    fn sync_folder(&mut self, name: &str) -> io::Result<()> {
        let mut sim = self.enter();
        if sim.change(true)? {
            return Err(io::Error::other("the power is gone"));
        }
        let sim = &mut *sim;
        sim.kept_names.retain(|kept, _| folder_of(kept) != name);
        let now = sim.names.iter().filter(|(at, _)| folder_of(at) == name);
        sim.kept_names.extend(now.map(|(at, inode)| (at.clone(), *inode)));
        Ok(())
    }

    fn list(&mut self, folder: &str) -> io::Result<Vec<(String, Option<u64>)>> {
        let sim = self.enter();
        sim.is_lit()?;
        let last = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
        let files = sim.names.iter().filter(|(name, _)| folder_of(name) == folder);
        let files = files.map(|(name, at)| (last(name), Some(sim.inodes[at].seen.len() as u64)));
        let inside = |name: &&String| !name.is_empty() && folder_of(name) == folder;
        Ok(files.chain(sim.folders.iter().filter(inside).map(|name| (last(name), None))).collect())
    }

    fn create(&mut self, name: &str) -> io::Result<Handle> {
        let mut sim = self.enter();
        sim.change(false)?;
        if sim.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !sim.folders.contains(folder_of(name)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inode = sim.next;
        sim.next += 1;
        sim.inodes.insert(inode, Inode::default());
        sim.names.insert(name.to_owned(), inode);
        Ok(Handle(inode))
    }

    fn open(&mut self, name: &str, _write: bool) -> io::Result<Handle> {
        let sim = self.enter();
        sim.is_lit()?;
        sim.find(name).map(Handle)
    }

    fn close(&mut self, _file: Handle) {}

    fn size(&mut self, file: Handle) -> io::Result<u64> {
        let mut sim = self.enter();
        sim.is_lit()?;
        Ok(sim.inode(file).seen.len() as u64)
    }

    fn read(&mut self, file: Handle, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut sim = self.enter();
        sim.is_lit()?;
        let at = at as usize;
        let mut most = into.len().min(sim.inode(file).seen.len().saturating_sub(at));
        if sim.short && most > 1 {
            most = 1 + sim.random.draw() as usize % most;
        }
        into[..most].copy_from_slice(&sim.inode(file).seen[at..at + most]);
        Ok(most)
    }

    fn write(&mut self, file: Handle, at: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut sim = self.enter();
        let mut most = bytes.len();
        if sim.change(false)? {
            most = sim.part(at as usize, most);
            sim.write(file, at as usize, &bytes[..most]);
            return Err(io::Error::other("the power is gone"));
        }
        let grows = (at as usize + most).saturating_sub(sim.inode(file).seen.len());
        let room = sim.capacity.saturating_sub(sim.used());
        if grows > room {
            most -= grows - room;
            if most == 0 {
                return Err(system(ENOSPC));
            }
        }
        if sim.short && most > BLOCK_BYTES {
            most = sim.part(at as usize, most).max(BLOCK_BYTES - at as usize % BLOCK_BYTES);
        }
        sim.write(file, at as usize, &bytes[..most]);
        Ok(most)
    }

    fn sync(&mut self, file: Handle, _all: bool) -> io::Result<()> {
        let mut sim = self.enter();
        match sim.change(true) {
            Ok(false) => sim.inode(file).sync(),
            Ok(true) => return Err(io::Error::other("the power is gone")),
            // A part got there, and the system forgets about the rest: the next flush would work.
            Err(error) => {
                let sim = &mut *sim;
                if let (false, Some(inode)) = (sim.dark, sim.inodes.get_mut(&file.0)) {
                    for block in std::mem::take(&mut inode.dirty) {
                        if sim.random.draw().is_multiple_of(2) {
                            inode.keep(block);
                        }
                    }
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn forget(&mut self, file: Handle) -> io::Result<()> {
        let mut sim = self.enter();
        let inode = sim.inode(file);
        if inode.dirty.is_empty() {
            inode.seen = inode.kept.clone();
        }
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut sim = self.enter();
        let dark = sim.change(false)?;
        let inode = sim.find(from)?;
        if sim.names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        sim.names.remove(from);
        sim.names.insert(to.to_owned(), inode);
        if dark { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut sim = self.enter();
        let dark = sim.change(false)?;
        sim.find(name)?;
        sim.names.remove(name);
        if dark { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }
}

/// A folder that is written as a file sink does: what is ready gets its name in one step.
pub struct SimFolder {
    disk: SimDisk,
    name: String,
}

impl SimFolder {
    fn path(&self, name: &str) -> String {
        join(&self.name, name)
    }

    /// Writes a file that must not be there, durably.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.disk.create(&self.path(name))?;
        let mut done = 0;
        while done < bytes.len() {
            done += self.disk.write(file, done as u64, &bytes[done..])?;
        }
        self.disk.sync(file, true)?;
        self.disk.sync_folder(&self.name)
    }

    /// Gives a file a name that must be free, durably.
    pub fn publish(&mut self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.path(from), self.path(to));
        let renamed = self.disk.rename(&from, &to);
        match &renamed {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.disk.remove(&from)?;
            }
            _ => {}
        }
        self.disk.sync_folder(&self.name)?;
        renamed
    }

    /// Removes a file.
    pub fn remove(&mut self, name: &str) -> io::Result<()> {
        self.disk.remove(&self.path(name))
    }

    /// What is there.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let inside = format!("{}/", self.name);
        let names = self.disk.names().into_iter();
        names
            .filter_map(|name| {
                let content = self.disk.content(&name)?;
                Some((name.strip_prefix(&inside)?.to_owned(), content))
            })
            .collect()
    }
}

/// A store without a thread.
pub struct DirectStore(Mutex<Files<SimDisk>>);

impl DirectStore {
    fn files(&self) -> MutexGuard<'_, Files<SimDisk>> {
        self.0.lock().unwrap()
    }
}

impl Store for DirectStore {
    fn create(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.files().create(name, bytes)
    }

    fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, StoreError> {
        self.files().read(name, most)
    }

    fn list(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        self.files().list(prefix)
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.files().remove(name)
    }

    fn create_segment(&self, name: &str, bytes: u64) -> Result<(), StoreError> {
        self.files().create_segment(name, bytes)
    }

    fn prepare_segment(&self, name: &str, bytes: u64) -> Result<(), StoreError> {
        // As the thread of a store would, at once.
        let mut files = self.files();
        files.prepare_segment(name, bytes)?;
        while files.is_making() {
            if files.make_some().is_err() {
                break;
            }
        }
        Ok(())
    }

    fn append(&self, name: &str, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.files().append(name, at, bytes)
    }

    fn settle(&self, name: &str) -> Result<(), StoreError> {
        self.files().settle(name)
    }

    fn release_reserve(&self) -> Result<bool, StoreError> {
        self.files().release_reserve()
    }

    fn restore_reserve(&self) -> Result<(), StoreError> {
        self.files().restore_reserve()
    }
}
