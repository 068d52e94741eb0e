//! Every name in a checkpoint.

use crate::durable::Entry;

/// Which job the checkpoint belongs to.
pub const IDENTITY: &str = "weir-checkpoint";
/// Where the log is.
pub const LOG: &str = "log/";
/// Where it is noted that generations were begun.
pub const CLAIMS: &str = "owner/";
/// Where it is noted from where on the log counts.
pub const FLOORS: &str = "floor/";
/// Where pieces of state are that stand in no record.
pub const STATES: &str = "state/";
/// Where a repair puts what it does not trust.
pub const ASIDE: &str = "aside/";
/// Folders that are made at the first start.
pub const FOLDERS: &[&str] = &["log", "owner", "floor", "state"];

/// A segment of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// Whose it is.
    pub generation: u64,
    /// Which one of its owner, from 1 on.
    pub number: u64,
}

impl Segment {
    /// Its name.
    pub fn name(self) -> String {
        format!("{LOG}g{}-{}.wlog", self.generation, self.number)
    }

    /// The segment with this name, if it is written as `name` writes it.
    pub fn parse(name: &str) -> Option<Self> {
        let inside = name.strip_prefix(LOG)?.strip_prefix('g')?.strip_suffix(".wlog")?;
        let (generation, number) = inside.split_once('-')?;
        let it = Self { generation: generation.parse().ok()?, number: number.parse().ok()? };
        (it.name() == name && it.generation > 0 && it.number > 0).then_some(it)
    }

    /// The one after it, of the same owner.
    pub fn next(self) -> Self {
        Self { number: self.number + 1, ..self }
    }
}

/// The note that a generation was begun.
pub fn claim(generation: u64) -> String {
    format!("{CLAIMS}g{generation}")
}

/// The generation of such a note.
pub fn parse_claim(name: &str) -> Option<u64> {
    let generation = name.strip_prefix(CLAIMS)?.strip_prefix('g')?.parse().ok()?;
    (claim(generation) == name).then_some(generation)
}

/// The note that records up to `seq` may be gone.
pub fn floor(seq: u64) -> String {
    format!("{FLOORS}{seq:020}")
}

/// The seq of such a note.
pub fn parse_floor(name: &str) -> Option<u64> {
    let seq = name.strip_prefix(FLOORS)?.parse().ok()?;
    (floor(seq) == name).then_some(seq)
}

/// A piece of state: `what` is `delta` or `snap`. The attempt makes the name one that no other try
/// of the batch uses.
pub fn state(op: &str, group: u32, batch: u64, attempt: u128, what: &str) -> String {
    format!("{STATES}{op}/{group}/n{batch}-{attempt:032x}.{what}")
}

/// The newest generation of which a listing shows anything.
pub fn newest(log: &[Entry]) -> Option<Segment> {
    log.iter().filter_map(|entry| Segment::parse(&entry.name)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_no_other_way() {
        let segment = Segment { generation: 12, number: 3 };
        assert_eq!(segment.name(), "log/g12-3.wlog");
        assert_eq!(Segment::parse("log/g12-3.wlog"), Some(segment));
        for other in ["log/g012-3.wlog", "log/g12-0.wlog", "log/g+1-3.wlog", "log/g1-3.wlog~", "g"]
        {
            assert_eq!(Segment::parse(other), None, "{other}");
        }
        assert_eq!(parse_claim(&claim(7)), Some(7));
        assert_eq!(parse_claim("owner/g07"), None);
        assert_eq!(parse_floor(&floor(99)), Some(99));
        assert_eq!(parse_floor("floor/99"), None);
    }
}
