//! Many deltas to one.
//!
//! A key group that changes little for its size gets a snapshot late, and until then every delta
//! that has a row of it is needed. So deltas are folded when there are [`PARTS`] of them: of each
//! key the last row stays. It costs each changed row one more writing, a second one only after
//! [`PARTS`] × [`PARTS`] batches without a snapshot; in return a restore reads few parts, and old
//! commit records can go.

use std::collections::BTreeMap;

use super::restore::read_one;
use super::{About, Live, Part, PartKindV1, PartRefV1, PartWriter};
use crate::id::BatchId;
use crate::state::blobs::Blobs;
use crate::state::row::{Cursor, Malformed};
use crate::state::{StateError, StateSchema};

/// Deltas of a kind that are folded to one.
const PARTS: usize = 1_000;

/// Bytes that are folded at once.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

impl Live {
    /// The deltas to be folded now, if there are enough: single ones, or else folded ones.
    pub fn foldable(&self) -> Option<Vec<PartRefV1>> {
        self.foldable_from(PARTS, BYTES_MAX)
    }

    pub(in crate::state) fn foldable_from(
        &self,
        enough: usize,
        bytes_max: u64,
    ) -> Option<Vec<PartRefV1>> {
        let deltas = || self.parts().iter().filter(|part| part.kind == PartKindV1::Delta);
        let (folded, single): (Vec<_>, Vec<_>) = deltas().partition(|part| part.first < part.last);
        if single.len() < enough && folded.len() < enough {
            return None;
        }
        let mut chosen = if single.len() >= enough { single } else { folded };
        let mut bytes = 0;
        let beyond = |part: &&PartRefV1| {
            bytes += part.length;
            bytes > bytes_max
        };
        if let Some(end) = chosen.iter().copied().find(beyond).map(|part| part.last) {
            // The lanes of a batch are folded together or wait together.
            chosen.retain(|part| part.last < end);
        }
        if chosen.len() < 2 {
            return None;
        }
        let first = chosen.iter().map(|part| part.first).min()?;
        let last = chosen.iter().map(|part| part.last).max()?;
        // Whatever else is between them would count as folded.
        let between = |part: &&PartRefV1| part.first <= last && first <= part.last;
        let whole = first < last && deltas().filter(between).count() == chosen.len();
        whole.then(|| chosen.into_iter().cloned().collect())
    }
}

/// The last row of each key in deltas of one state, as one delta.
pub(in crate::state) fn fold(
    schema: &StateSchema,
    live: &Live,
    deltas: &[PartRefV1],
    blobs: &dyn Blobs,
) -> Result<Part, StateError> {
    let mut refs: Vec<&PartRefV1> = deltas.iter().collect();
    refs.sort_by_key(|part| part.last);
    let parts: Vec<Part> =
        refs.iter().map(|part| read_one(live, part, blobs)).collect::<Result<_, _>>()?;
    let mut groups: BTreeMap<u32, BTreeMap<&[u8], &[u8]>> = BTreeMap::new();
    for part in &parts {
        for section in part.sections() {
            let rows = groups.entry(section.group).or_default();
            last_rows(schema, part.rows_of(section), rows).map_err(|problem| {
                StateError::damaged(&format!("delta of op {}", live.op()), problem)
            })?;
        }
    }
    let first = refs.iter().map(|part| part.first).min().unwrap_or_default();
    let last = refs.iter().map(|part| part.last).max().unwrap_or_default();
    let about = About {
        kind: PartKindV1::Delta,
        op: &live.op(),
        groups: live.groups(),
        batches: (BatchId(first), BatchId(last)),
        schema,
        announce: true,
    };
    let mut folded = PartWriter::new(about, 0);
    for (group, rows) in groups {
        let bytes: Vec<u8> = rows.values().copied().collect::<Vec<_>>().concat();
        folded.put(group, rows.len() as u64, &bytes);
    }
    Ok(folded.seal())
}

fn last_rows<'a>(
    schema: &StateSchema,
    delta: &'a [u8],
    rows: &mut BTreeMap<&'a [u8], &'a [u8]>,
) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(delta);
    while !cursor.rest().is_empty() {
        let entry = schema.layout().entry(&mut cursor)?;
        rows.insert(entry.key, entry.bytes);
    }
    Ok(())
}
