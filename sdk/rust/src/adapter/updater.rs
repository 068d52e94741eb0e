//! Updaters: a state for each key, which the host keeps.

use std::rc::Rc;

use super::{Attributes, Open, crossing};
use crate::bindings::exports::weir::operator::guest::{
    Function as Described, Kind, Layout, Refusal, Setup,
};
use crate::bindings::exports::weir::operator::updater::{Change, Timer, Visited, Visits};
use crate::bindings::weir::operator::rows::{RowError, Rows};
use crate::bindings::weir::operator::schema::Field as FieldDef;
use crate::buffer::Validity;
use crate::config;
use crate::function::UpdateFn;
use crate::out::{Out, Outs};
use crate::row::Row;
use crate::update::{self, Rejected, State, Values};

/// Describes an updater.
pub fn describe_update<F: UpdateFn>(attributes: &Attributes) -> Described {
    Described {
        reads: Some(F::Row::columns()),
        ports: F::Outs::ports(attributes.ports),
        state: F::State::columns(),
        state_version: attributes.state_version,
        ..attributes.describe(Kind::Updater)
    }
}

struct Updater<F: UpdateFn> {
    config: F::Config,
    outs: F::Outs,
    states: Out<F::State>,
    /// For each key column that the function names, its place in the job's key.
    key: Vec<usize>,
    described: fn() -> Described,
}

/// Opens an updater.
pub fn open_update<F: UpdateFn>(
    setup: &Setup,
    described: fn() -> Described,
) -> Result<Box<dyn Open>, Refusal>
where
    F::Outs: 'static,
{
    Ok(Box::new(Updater::<F> {
        config: config::read(&setup.config)?,
        outs: F::Outs::new(true),
        states: Out::new(false),
        key: Vec::new(),
        described,
    }))
}

fn shown(field: &FieldDef) -> String {
    let nulls = if field.nullable { "?" } else { "" };
    format!("`{}: {}{nulls}`", field.name, field.data_type)
}

/// Where the columns that a function wants of its key are.
fn places(wanted: &[FieldDef], key: &[FieldDef]) -> Result<Vec<usize>, String> {
    let place = |want: &FieldDef| {
        let names: Vec<&str> = key.iter().map(|field| field.name.as_str()).collect();
        let Some(place) = names.iter().position(|name| *name == want.name) else {
            let names = names.join(", ");
            return Err(format!("it wants {} in the key, which has: {names}", shown(want)));
        };
        let there = &key[place];
        if there.data_type != want.data_type || (there.nullable && !want.nullable) {
            return Err(format!("it wants {} in the key, which has {}", shown(want), shown(there)));
        }
        Ok(place)
    };
    wanted.iter().map(place).collect()
}

/// Values that were not taken, each once.
fn value_errors(rejected: &Rejected) -> Vec<RowError> {
    let mut rejected = rejected.take();
    rejected.sort_by_key(|(row, _)| *row);
    rejected.dedup_by_key(|(row, _)| *row);
    rejected.into_iter().map(|(row, error)| crossing(row, error)).collect()
}

impl<F: UpdateFn> Updater<F> {
    /// What is said of a key in the end.
    fn settle(&mut self, state: &State<F::State>, visited: &mut Visited) {
        visited.changes.push(match state.change() {
            None => Change::Unchanged,
            Some(None) => Change::Removed,
            Some(Some(value)) => {
                self.states.push(value.clone());
                Change::Set
            }
        });
        let timer = match state.timer() {
            update::Timer::Usual => Timer::Usual,
            update::Timer::Cleared => Timer::Cleared,
            update::Timer::At(at) => Timer::At(at.0),
        };
        let key = visited.changes.len() - 1;
        if !matches!(timer, Timer::Usual) || !visited.timers.is_empty() {
            visited.timers.resize(key, Timer::Usual);
            visited.timers.push(timer);
        }
    }
}

impl<F: UpdateFn> Open for Updater<F> {
    fn layout(&self) -> Layout {
        Layout { reads: Vec::new(), ports: (self.described)().ports }
    }

    fn begin(&mut self, key: &[FieldDef]) -> Result<(), String> {
        self.key = places(&F::Key::columns(), key)?;
        Ok(())
    }

    fn visit(&mut self, visits: &Visits) -> Result<Visited, String> {
        let columns = self.key.iter().map(|place| visits.keys.columns[*place].clone()).collect();
        let keys = Rows { count: visits.keys.count, columns };
        let (key_reader, state_reader) = (F::Key::reader(&keys), F::State::reader(&visits.states));
        let value_reader = Rc::new(F::Row::reader(&visits.values));
        let bit = |bitmap: &[u8], key: usize| !bitmap.is_empty() && Validity(bitmap).get(key);
        let rejected = Rejected::default();
        let mut visited = Visited {
            changes: Vec::with_capacity(keys.count as usize),
            states: Rows { count: 0, columns: Vec::new() },
            timers: Vec::new(),
            emitted: Vec::new(),
            value_errors: Vec::new(),
            key_errors: Vec::new(),
        };
        let mut start = 0;
        for (key, end) in visits.ends.iter().enumerate() {
            let values = Values::new(&value_reader, start..*end as usize, &rejected);
            start = *end as usize;
            let known = bit(&visits.known, key).then(|| F::State::get(&state_reader, key));
            let mut state = State::new(known, bit(&visits.timed_out, key));
            self.outs.parent(key);
            let at = F::Key::get(&key_reader, key);
            match F::call(at, values, &mut state, &mut self.outs, &self.config) {
                Ok(()) => self.settle(&state, &mut visited),
                Err(error) => {
                    visited.key_errors.push(crossing(key, error));
                    self.settle(&State::new(None, false), &mut visited);
                }
            }
        }
        visited.value_errors = value_errors(&rejected);
        visited.states = self.states.seal();
        visited.emitted = self.outs.emit();
        if !visited.timers.is_empty() {
            visited.timers.resize(visited.changes.len(), Timer::Usual);
        }
        Ok(visited)
    }
}
