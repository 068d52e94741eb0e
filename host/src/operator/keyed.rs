//! The keys of one lane in one batch, and all that is known of them: those that values came for,
//! in the order of their first values, those whose timers went off, and all others if they are to
//! be visited too.

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat, take_record_batch};
use datafusion::common::{Result, internal_datafusion_err};

use super::call::Call;
use super::mailbox::rows_bytes;
use super::moments;
use super::node::state_failed;
use super::settle::Settling;
use crate::plugin::Visits;
use crate::plugin::columns::{CHUNK_BYTES_MAX, CHUNK_ROWS_MAX, row_bytes};
use crate::state::{Keys, Lane, StateRows};

/// One key may have values that take up this part of the memory of its function in one call.
const HOT_PART: u64 = 16;

/// What is known of a key besides its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// Whether it has a state.
    pub known: bool,
    /// Whether there is one in the store: it may have expired.
    pub stored: bool,
    /// Its timer.
    pub timer: Option<i64>,
    /// When its state was set, if that counts because it is dropped some time.
    pub set: Option<i64>,
    /// Whether its timer went off.
    pub timed_out: bool,
    /// Whether the store has moments by another `ttl` than the job has now.
    pub stale: bool,
}

/// Keys that are visited in one call.
#[derive(Clone, Debug)]
pub struct Round {
    /// The keys.
    pub keys: Keys,
    /// Their states, one row a key.
    pub states: RecordBatch,
    /// What else is known of them.
    pub before: Vec<Before>,
    /// The rows of their values, key after key.
    pub rows: Vec<u32>,
    /// Where the rows of each key end.
    pub ends: Vec<u32>,
}

impl Round {
    /// How many rows stand before those of a key.
    fn start(&self, key: usize) -> usize {
        if key == 0 { 0 } else { self.ends[key - 1] as usize }
    }

    /// The rows of the values of a key.
    pub fn values(&self, key: usize) -> &[u32] {
        &self.rows[self.start(key)..self.ends[key] as usize]
    }

    /// Some of its keys.
    pub fn select(&self, keys: &[u32]) -> Result<Self> {
        let (mut rows, mut ends) = (Vec::new(), Vec::with_capacity(keys.len()));
        for key in keys {
            rows.extend_from_slice(self.values(*key as usize));
            ends.push(rows.len() as u32);
        }
        Ok(Self {
            keys: self.keys.select(keys).map_err(state_failed)?,
            states: take_record_batch(&self.states, &UInt32Array::from(keys.to_vec()))?,
            before: keys.iter().map(|key| self.before[*key as usize]).collect(),
            rows,
            ends,
        })
    }

    /// What crosses, when these are the values of the lane.
    pub fn visits(&self, call: &Call, values: &RecordBatch) -> Result<Visits> {
        let options = RecordBatchOptions::new().with_row_count(Some(self.keys.len()));
        let columns = self.keys.columns().columns().to_vec();
        let schema = call.site.key().clone();
        let bits = |of: fn(&Before) -> bool| {
            self.before.iter().map(|before| Some(of(before))).collect::<BooleanArray>()
        };
        Ok(Visits {
            keys: RecordBatch::try_new_with_options(schema, columns, &options)?,
            states: self.states.clone(),
            known: bits(|before| before.known),
            timed_out: bits(|before| before.timed_out),
            values: take_record_batch(values, &UInt32Array::from(self.rows.clone()))?,
            ends: self.ends.clone(),
        })
    }
}

/// The keys of one lane.
#[derive(Debug)]
pub struct Keyed {
    /// All values, all of their columns, in source order.
    pub rows: RecordBatch,
    all: Round,
    /// The keys that are visited, in order, and which is next.
    visited: Vec<u32>,
    next: usize,
    /// About the bytes of each row that crosses, and of each key with its state.
    row_bytes: Vec<u64>,
    key_bytes: Vec<u64>,
}

impl Keyed {
    /// Looks up the keys of all values and those that are due. States that expired are dropped.
    pub fn new(
        rows: RecordBatch,
        key: &[usize],
        call: &Call,
        (lane, settling): (&mut Lane, Settling),
    ) -> Result<Self> {
        if settling.renewal {
            settling.renew_all(lane)?;
        }
        let due = lane.due(settling.now).map_err(state_failed)?;
        let mut others = vec![due];
        if settling.keeping.all {
            let all: std::result::Result<Vec<StateRows>, _> = lane.scan().collect();
            others.extend(all.map_err(state_failed)?);
        }
        let columns = (0..key.len()).map(|place| {
            let mut parts: Vec<&dyn Array> = vec![rows.column(key[place]).as_ref()];
            parts.extend(others.iter().map(|part| part.keys.column(place).as_ref() as &dyn Array));
            concat(&parts)
        });
        let columns: Vec<ArrayRef> = columns.collect::<std::result::Result<_, _>>()?;
        let every = lane.keys(&columns).map_err(state_failed)?;
        let (keys, of) = every.distinct().map_err(state_failed)?;
        let (order, ends) = by_key(&of[..rows.num_rows()], keys.len());
        let (states, before) = known(&keys, call, lane, settling)?;
        let all = Round { keys, states, before, rows: order, ends };
        let visited = visited(&all, lane, settling)?;
        let mut key_bytes = row_bytes(all.keys.columns());
        for (bytes, state) in key_bytes.iter_mut().zip(row_bytes(&all.states)) {
            *bytes += state;
        }
        let row_bytes = row_bytes(&call.crossing(&rows)?);
        Ok(Self { rows, all, visited, next: 0, row_bytes, key_bytes })
    }

    /// About how much memory it takes besides its rows.
    pub fn bytes(&self) -> usize {
        let per_row = size_of::<u32>() + size_of::<u64>();
        let per_key = size_of::<Before>() + 2 * size_of::<u32>() + size_of::<u64>();
        rows_bytes(self.all.keys.columns())
            + rows_bytes(&self.all.states)
            + self.all.rows.len() * per_row
            + self.all.keys.len() * per_key
    }

    /// The keys of the next call; several rounds for one key whose values one call can't take.
    pub fn next(&mut self, call: &Call) -> Result<Vec<Round>> {
        let count = self.fitting();
        let keys = &self.visited[self.next..self.next + count];
        self.next += count;
        let [only] = keys else {
            return if count == 0 { Ok(Vec::new()) } else { Ok(vec![self.all.select(keys)?]) };
        };
        let round = self.all.select(&[*only])?;
        let most = (call.site.limits().memory / HOT_PART).max(CHUNK_BYTES_MAX as u64);
        Ok(pieces(round, &self.row_bytes, most))
    }

    /// How many of the next keys fit into one call: one at least, if there is one.
    fn fitting(&self) -> usize {
        let (mut rows, mut bytes, mut known) = (0, 0, 0);
        let mut count = 0;
        for key in self.visited[self.next..].iter().take(CHUNK_ROWS_MAX) {
            let values = self.all.values(*key as usize);
            rows += values.len();
            bytes += values.iter().map(|row| self.row_bytes[*row as usize]).sum::<u64>();
            known += self.key_bytes[*key as usize];
            let most = CHUNK_BYTES_MAX as u64;
            if count > 0 && (rows > CHUNK_ROWS_MAX || bytes > most || known > most) {
                break;
            }
            count += 1;
        }
        count
    }
}

/// One key in as many rounds as it needs, so that values of one call take at most so many bytes.
fn pieces(round: Round, row_bytes: &[u64], most: u64) -> Vec<Round> {
    let mut pieces: Vec<Vec<u32>> = vec![Vec::new()];
    let mut bytes = 0;
    for row in &round.rows {
        bytes += row_bytes[*row as usize];
        match pieces.last_mut() {
            Some(last) if bytes <= most || last.is_empty() => last.push(*row),
            _ => {
                bytes = row_bytes[*row as usize];
                pieces.push(vec![*row]);
            }
        }
    }
    let piece = |rows: Vec<u32>| Round { ends: vec![rows.len() as u32], rows, ..round.clone() };
    pieces.into_iter().map(piece).collect()
}

/// Rows ordered by the number of their key, and where those of each key end.
fn by_key(of: &[u32], keys: usize) -> (Vec<u32>, Vec<u32>) {
    let mut next = vec![0_u32; keys + 1];
    for key in of {
        next[*key as usize + 1] += 1;
    }
    for key in 0..keys {
        next[key + 1] += next[key];
    }
    let mut order = vec![0; of.len()];
    for (row, key) in of.iter().enumerate() {
        let place = &mut next[*key as usize];
        order[*place as usize] = row as u32;
        *place += 1;
    }
    next.truncate(keys);
    (order, next)
}

/// The states of keys before the batch, and what else is known of them.
fn known(
    keys: &Keys,
    call: &Call,
    lane: &Lane,
    settling: Settling,
) -> Result<(RecordBatch, Vec<Before>)> {
    let prior = lane.read(keys).map_err(state_failed)?;
    let schema = &call.site.function().state;
    let (state, hidden) = prior.state.columns().split_at(schema.fields().len());
    let [hidden] = hidden else {
        return Err(internal_datafusion_err!("a state has {} hidden columns", hidden.len()));
    };
    let hidden = moments::from(hidden)?;
    let before = (0..keys.len()).map(|key| {
        if !prior.state.is_valid(key) {
            return Ok(Before::default());
        }
        let due = prior.due.is_valid(key).then(|| prior.due.value(key));
        Ok(settling.before(due, moments::of(hidden, key)?))
    });
    let options = RecordBatchOptions::new().with_row_count(Some(keys.len()));
    let before = before.collect::<Result<_>>()?;
    let columns = state.to_vec();
    Ok((RecordBatch::try_new_with_options(schema.clone(), columns, &options)?, before))
}

/// The keys that are visited. Of the others those whose states expired are forgotten, and those
/// whose moments are by another `ttl` get new ones.
fn visited(all: &Round, lane: &mut Lane, settling: Settling) -> Result<Vec<u32>> {
    let (mut visited, mut dropped, mut stale) = (Vec::new(), Vec::new(), Vec::new());
    for (key, before) in all.before.iter().enumerate() {
        if !all.values(key).is_empty() || before.timed_out {
            visited.push(key as u32);
        } else if before.stored && !before.known {
            dropped.push(key as u32);
        } else if settling.keeping.all && before.known {
            visited.push(key as u32);
        } else if before.stale {
            stale.push(key as u32);
        }
    }
    if !stale.is_empty() {
        settling.renew(lane, &all.select(&stale)?)?;
    }
    if !dropped.is_empty() {
        let keys = all.keys.select(&dropped).map_err(state_failed)?;
        lane.remove(&keys).map_err(state_failed)?;
    }
    Ok(visited)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::state::StateSchema;

    #[test]
    fn rows_of_a_key_stand_together_in_source_order() {
        assert_eq!(by_key(&[0, 1, 0, 2, 1], 4), (vec![0, 2, 1, 4, 3], vec![2, 4, 5, 5]));
        assert_eq!(by_key(&[], 1), (vec![], vec![0]));
    }

    #[test]
    fn a_hot_key_comes_in_pieces_that_fit() {
        let field = || Field::new("k", DataType::Int64, false);
        let schema = StateSchema::new(1, vec![field()].into(), vec![field()].into()).unwrap();
        let one: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let states = Schema::new(vec![field()]);
        let round = Round {
            keys: Keys::new(&schema, 256, &[Arc::clone(&one)]).unwrap(),
            states: RecordBatch::try_new(Arc::new(states), vec![one]).unwrap(),
            before: vec![Before::default()],
            rows: vec![3, 1, 0, 2, 4],
            ends: vec![5],
        };
        let cut = |most: u64| -> Vec<Vec<u32>> {
            let pieces = pieces(round.clone(), &[10, 20, 30, 40, 50], most);
            assert!(pieces.iter().all(|piece| piece.ends == [piece.rows.len() as u32]));
            pieces.into_iter().map(|piece| piece.rows).collect()
        };
        assert_eq!(cut(1_000), [vec![3, 1, 0, 2, 4]]);
        assert_eq!(cut(70), [vec![3, 1, 0], vec![2], vec![4]]);
        assert_eq!(cut(1), [vec![3], vec![1], vec![0], vec![2], vec![4]]);
    }
}
