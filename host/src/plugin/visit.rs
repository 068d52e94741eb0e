//! Visits of keys, by functions with a state for each.

use arrow::array::{BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::datatypes::SchemaRef;
use wasmtime::component::ResourceAny;

use super::abi::v0_1::exports::weir::operator::updater as wire;
use super::abi::v0_1::weir::operator::schema::FieldParam;
use super::answer;
use super::describe::Kind;
use super::enter::Calls;
use super::error::{CallFailure, PluginError};
use super::instance::{Called, Emitted, Instance, Opening};
use super::lower::lowered;
use super::row_error::RowError;
use crate::types;

/// Keys of one call, and all that is known of them.
#[derive(Clone, Debug)]
pub struct Visits {
    /// The key columns, one row a key.
    pub keys: RecordBatch,
    /// The states, one row a key; only those that are known count.
    pub states: RecordBatch,
    /// Which keys have a state.
    pub known: BooleanArray,
    /// Whose timers went off.
    pub timed_out: BooleanArray,
    /// The values, key after key.
    pub values: RecordBatch,
    /// Where the values of each key end.
    pub ends: Vec<u32>,
}

/// What becomes of the state of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It stays as it is.
    Unchanged,
    /// It is replaced.
    Set,
    /// There is none any more.
    Removed,
}

/// What becomes of the timer of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// What the job says.
    Usual,
    /// There is none.
    Cleared,
    /// It goes off at this moment, in microseconds since 1970.
    At(i64),
}

/// What a function said of the keys of one call.
#[derive(Debug)]
pub struct Visited {
    /// One a key.
    pub changes: Vec<Change>,
    /// One row for each key whose state is set.
    pub states: RecordBatch,
    /// One a key.
    pub timers: Vec<Timer>,
    /// Rows by port; their parents are keys.
    pub emitted: Vec<Emitted>,
    /// Keys that were not taken, ascending. Nothing else that is said of them counts.
    pub refused: Vec<RowError>,
}

impl Visited {
    /// How many rows came out.
    pub fn rows(&self) -> usize {
        self.emitted.iter().map(|part| part.rows.num_rows()).sum()
    }
}

impl Instance {
    /// Tells the columns of the keys.
    pub(super) fn begin(&mut self, opening: &Opening<'_>) -> Result<(), PluginError> {
        let ((calls, handle), key) = (self.updater()?, opening.key);
        let names: Vec<String> =
            key.fields().iter().map(|field| types::describe(field.data_type())).collect();
        let fields = key.fields().iter().zip(&names);
        let fields: Vec<FieldParam<'_>> = fields
            .map(|(field, data_type)| FieldParam {
                name: field.name(),
                data_type,
                nullable: field.is_nullable(),
            })
            .collect();
        let begun = self.guarded(|store| calls.call_begin(store, handle, &fields));
        begun.map_err(|error| not_its_key(error, opening))
    }

    /// Visits keys. What was not taken are values, by their row in the call.
    pub fn visit(
        &mut self,
        visits: &Visits,
        ports: &[SchemaRef],
    ) -> Result<Called<Visited>, PluginError> {
        let (calls, handle) = self.updater()?;
        let (known, timed_out) = (bitmap(&visits.known), bitmap(&visits.timed_out));
        let visited = lowered(&visits.keys, |keys| {
            lowered(&visits.states, |states| {
                lowered(&visits.values, |values| {
                    let visits = wire::Visits {
                        keys,
                        states,
                        known: &known,
                        timed_out: &timed_out,
                        values,
                        ends: &visits.ends,
                    };
                    self.guarded(|store| calls.call_visit(store, handle, visits))
                })
            })
        })?;
        let count = visits.keys.num_rows() as u32;
        self.believe(count, ports, |asked| answer::visited(visited, visits, asked))
    }

    fn updater(&mut self) -> Result<(wire::Guest, ResourceAny), PluginError> {
        match &self.calls {
            Calls::Updater(calls) => Ok((calls.clone(), self.handle)),
            _ => Err(self.wrong_kind(Kind::Updater)),
        }
    }
}

/// Before the first batch the job is told that its key does not fit.
fn not_its_key(error: PluginError, opening: &Opening<'_>) -> PluginError {
    match error {
        PluginError::Call { place, failure: CallFailure::Function(message) } => {
            if place.batch.0 > 0 {
                return PluginError::Call { place, failure: CallFailure::Refused(message) };
            }
            let function = opening.plugin.functions()[opening.function].name.clone();
            PluginError::Key { plugin: place.plugin, function, message }
        }
        error => error,
    }
}

/// Bits from the first on, lowest bit first.
fn bitmap(bits: &BooleanArray) -> Vec<u8> {
    let mut out = BooleanBufferBuilder::new(bits.len());
    out.append_buffer(bits.values());
    out.finish().into_inner().as_slice()[..bits.len().div_ceil(8)].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_begin_at_the_first_byte_whatever_they_were_cut_from() {
        let bits = BooleanArray::from_iter((0..20).map(|bit| Some(bit % 3 == 0)));
        assert_eq!(bitmap(&bits), [0b0100_1001, 0b1001_0010, 0b0000_0100]);
        assert_eq!(bitmap(&bits.slice(3, 4)), [0b0000_1001]);
        assert!(bitmap(&bits.slice(0, 0)).is_empty());
    }
}
