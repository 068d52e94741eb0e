//! The rows of one key group in memory: one stretch of bytes, and an index by key.
//!
//! A row stands as it came in a delta, so that changes, snapshots and restores copy bytes. A row
//! of the same length takes the place of the one before; otherwise it is appended, and the old one
//! is left until a third of the bytes are such.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::timers::Timers;
use crate::state::row::{Cursor, Entry, Layout, Malformed, REMOVED, TIMED};

/// The row was removed or replaced.
const DEAD: u8 = 4;

/// Bytes of dead rows that are not worth moving the others for.
const DEAD_BYTES_MIN: usize = 4096;

/// Rows of a delta that are looked up at once.
const AT_ONCE: usize = 128;

const SPLIT: &str = "rows were read before they were kept";

/// The rows of a key group.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    rows: Vec<u8>,
    index: HashTable<u32>,
    timers: Timers,
    timed: usize,
    live: usize,
}

impl Group {
    /// How many keys there are.
    pub fn count(&self) -> usize {
        self.index.len()
    }

    /// The bytes of their rows.
    pub fn bytes(&self) -> usize {
        self.live
    }

    /// The bytes of memory that the group takes.
    pub fn memory(&self) -> usize {
        self.rows.capacity() + self.index.allocation_size() + self.timers.memory()
    }

    /// Whether the rows of a delta have room.
    pub fn has_room(&self, more: usize) -> bool {
        self.rows.len() + more < u32::MAX as usize
    }

    #[inline]
    fn at(&self, layout: Layout, place: u32) -> Entry<'_> {
        layout.entry(&mut Cursor::new(&self.rows[place as usize..])).expect(SPLIT)
    }

    /// Where the rows of keys are. All are looked up in the index before any row is looked at, so
    /// that the processor waits for memory once for many, not once for each.
    pub fn locate<'k>(
        &self,
        layout: Layout,
        keys: impl Iterator<Item = &'k [u8]> + Clone,
        places: &mut Vec<Option<u32>>,
    ) {
        places.clear();
        places.extend(keys.clone().map(|key| self.index.find(xxh3_64(key), |_| true).copied()));
        for (place, key) in places.iter_mut().zip(keys) {
            let same = |place: &u32| key_at(layout, &self.rows, *place) == key;
            if place.as_ref().is_some_and(|place| !same(place)) {
                *place = self.index.find(xxh3_64(key), same).copied();
            }
        }
    }

    /// The row at a place.
    #[inline]
    pub fn row(&self, layout: Layout, place: u32) -> Entry<'_> {
        self.at(layout, place)
    }

    /// Applies the rows and removals of a delta, which have been read through once.
    pub fn apply(&mut self, layout: Layout, delta: &[u8], rows: u64) -> Result<(), Malformed> {
        if self.index.is_empty() {
            self.rows.reserve_exact(delta.len());
            let rows = usize::try_from(rows).unwrap_or(0).min(delta.len());
            self.index.reserve(rows, |_| 0);
        }
        let mut cursor = Cursor::new(delta);
        let (mut entries, mut places) = (Vec::with_capacity(AT_ONCE), Vec::new());
        while !cursor.rest().is_empty() {
            entries.clear();
            while entries.len() < AT_ONCE && !cursor.rest().is_empty() {
                entries.push(layout.entry(&mut cursor)?);
            }
            self.locate(layout, entries.iter().map(|entry| entry.key), &mut places);
            for (entry, place) in entries.iter().zip(&places) {
                match entry.mark {
                    0 | TIMED if self.replace(layout, entry, *place) => {}
                    0 | TIMED => self.put(layout, entry),
                    REMOVED => self.remove(layout, entry),
                    _ => return Err(Malformed("a row has an unknown mark")),
                }
            }
        }
        let rows = &self.rows;
        self.timers.clean(|timer| counts(layout, rows, timer));
        if self.rows.len() - self.live > DEAD_BYTES_MIN + self.live / 2 {
            self.compact(layout);
        } else if self.timers.len() > 2 * self.timed + 64 {
            let mut timers = self.timers.until(i64::MAX);
            timers.retain(|timer| counts(layout, &self.rows, *timer));
            self.timers.rebuild(timers);
        }
        Ok(())
    }

    /// Writes over a row of the same length and timer, if the key's is still at the place.
    #[inline]
    fn replace(&mut self, layout: Layout, entry: &Entry<'_>, place: Option<u32>) -> bool {
        let Some(place) = place else { return false };
        let old = self.at(layout, place);
        let fits =
            old.mark == entry.mark && old.bytes.len() == entry.bytes.len() && old.due == entry.due;
        if fits {
            let place = place as usize;
            self.rows[place..place + entry.bytes.len()].copy_from_slice(entry.bytes);
        }
        fits
    }

    #[inline]
    fn put(&mut self, layout: Layout, entry: &Entry<'_>) {
        let (rows, end) = (&self.rows, self.rows.len() as u32);
        let same = |place: &u32| key_at(layout, rows, *place) == entry.key;
        let hash = xxh3_64(entry.key);
        let mut place = end;
        if let Some(found) = self.index.find_mut(hash, same) {
            let old = layout.entry(&mut Cursor::new(&rows[*found as usize..])).expect(SPLIT);
            let (length, before) = (old.bytes.len(), old.due);
            if length == entry.bytes.len() {
                place = *found;
            }
            let dead = std::mem::replace(found, place) as usize;
            self.rows[dead] |= DEAD;
            self.live -= length;
            self.timed -= usize::from(before.is_some());
            if place != end && before == entry.due {
                self.timed += usize::from(before.is_some());
                return self.write(place, entry);
            }
        } else {
            let hash_at = |place: &u32| xxh3_64(key_at(layout, rows, *place));
            self.index.insert_unique(hash, end, hash_at);
        }
        if let Some(due) = entry.due {
            self.timed += 1;
            self.timers.push(due, place);
        }
        self.write(place, entry);
    }

    #[inline]
    fn write(&mut self, place: u32, entry: &Entry<'_>) {
        let (place, length) = (place as usize, entry.bytes.len());
        self.live += length;
        match self.rows.get_mut(place..place + length) {
            Some(old) => old.copy_from_slice(entry.bytes),
            None => {
                if self.rows.capacity() < place + length {
                    self.rows.reserve_exact(length.max(self.rows.len() / 8).max(64));
                }
                self.rows.extend_from_slice(entry.bytes);
            }
        }
    }

    fn remove(&mut self, layout: Layout, entry: &Entry<'_>) {
        let rows = &self.rows;
        let same = |place: &u32| key_at(layout, rows, *place) == entry.key;
        let Ok(found) = self.index.find_entry(xxh3_64(entry.key), same) else { return };
        let (place, _) = found.remove();
        let old = self.at(layout, place);
        let (length, timed) = (old.bytes.len(), old.due.is_some());
        self.live -= length;
        self.timed -= usize::from(timed);
        self.rows[place as usize] |= DEAD;
    }

    /// Moves the rows together.
    fn compact(&mut self, layout: Layout) {
        let old = std::mem::take(self);
        self.rows.reserve_exact(old.live + old.live / 8);
        self.index.reserve(old.count(), |_| 0);
        let mut timers = Vec::with_capacity(old.timed);
        for entry in old.entries(layout) {
            let place = self.rows.len() as u32;
            self.rows.extend_from_slice(entry.bytes);
            self.index.insert_unique(xxh3_64(entry.key), place, |_| 0);
            timers.extend(entry.due.map(|due| (due, place)));
        }
        (self.live, self.timed) = (old.live, old.timed);
        self.timers.rebuild(timers);
    }

    /// The rows as they stand.
    pub fn entries(&self, layout: Layout) -> impl Iterator<Item = Entry<'_>> {
        let mut cursor = Cursor::new(&self.rows);
        std::iter::from_fn(move || {
            while !cursor.rest().is_empty() {
                let entry = layout.entry(&mut cursor).expect(SPLIT);
                if entry.mark & DEAD == 0 {
                    return Some(entry);
                }
            }
            None
        })
    }

    /// All rows one after the other, as a snapshot has them.
    pub fn section(&self, layout: Layout) -> Vec<u8> {
        if self.live == self.rows.len() {
            return self.rows.clone();
        }
        let mut bytes = Vec::with_capacity(self.live);
        self.entries(layout).for_each(|entry| bytes.extend_from_slice(entry.bytes));
        bytes
    }

    /// The rows whose timers are due.
    pub fn due(&self, layout: Layout, until: i64) -> impl Iterator<Item = Entry<'_>> {
        let timers = self.timers.until(until).into_iter();
        timers
            .filter(move |timer| counts(layout, &self.rows, *timer))
            .map(move |(_, place)| self.at(layout, place))
    }
}

#[inline]
fn key_at(layout: Layout, rows: &[u8], place: u32) -> &[u8] {
    layout.key(&rows[place as usize..]).expect(SPLIT)
}

fn counts(layout: Layout, rows: &[u8], (due, place): (i64, u32)) -> bool {
    let row = layout.entry(&mut Cursor::new(&rows[place as usize..])).expect(SPLIT);
    row.mark & DEAD == 0 && row.due == Some(due)
}
