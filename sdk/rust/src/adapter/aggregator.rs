//! Aggregators: one state for each group, in a plain vector.

use super::{Attributes, Open, crossing};
use crate::Aggregator;
use crate::bindings::exports::weir::operator::aggregator::Updated;
use crate::bindings::exports::weir::operator::guest::{
    Function as Described, Kind, Layout, Port, Refusal, Setup,
};
use crate::bindings::weir::operator::rows::Rows;
use crate::bindings::weir::operator::schema::Field as FieldDef;
use crate::config;
use crate::function::{AggregateFn, ReduceFn};
use crate::out::Out;
use crate::row::{Row, sealed};
use crate::value::Field;

fn described(
    attributes: &Attributes,
    reads: Vec<FieldDef>,
    state: Vec<FieldDef>,
    given: Vec<FieldDef>,
) -> Described {
    Described {
        reads: Some(reads),
        ports: vec![Port { name: "out".to_owned(), fields: Some(given) }],
        state,
        state_version: 1,
        ..attributes.describe(Kind::Aggregator)
    }
}

/// Describes an aggregator with a state of its own.
pub fn describe_aggregate<F: AggregateFn>(attributes: &Attributes) -> Described {
    let (state, given) = (<F as Aggregator>::State::columns(), <F as Aggregator>::Given::columns());
    described(attributes, <F as Aggregator>::Row::columns(), state, given)
}

/// The column of a reduce's state that says whether there was a row.
const SOME: &str = "some";

/// Describes a reduce. Its state is a row, or nothing as long as there was none.
pub fn describe_reduce<F: ReduceFn>(attributes: &Attributes) -> Described {
    let some = FieldDef { name: SOME.to_owned(), data_type: bool::type_name(), nullable: false };
    let state = std::iter::once(some).chain(F::Row::columns()).collect();
    described(attributes, F::Row::columns(), state, F::Row::columns())
}

struct Aggregate<F: AggregateFn> {
    config: F::Config,
    states: Vec<F::State>,
    described: fn() -> Described,
}

/// Opens an aggregator with a state of its own.
pub fn open_aggregate<F: AggregateFn>(
    setup: &Setup,
    described: fn() -> Described,
) -> Result<Box<dyn Open>, Refusal> {
    let config = config::read(&setup.config)?;
    Ok(Box::new(Aggregate::<F> { config, states: Vec::new(), described }))
}

fn layout(described: Described) -> Layout {
    Layout { reads: Vec::new(), ports: described.ports }
}

fn live<T>(states: &[T]) -> u64 {
    size_of_val(states) as u64
}

fn range<T>(states: &[T], first: u32, count: u32) -> Result<&[T], String> {
    let (first, count) = (first as usize, count as usize);
    states.get(first..first + count).ok_or_else(|| {
        format!("groups {first} to {} were asked for, there are {}", first + count, states.len())
    })
}

fn forget<T>(states: &mut Vec<T>, count: u32) -> Result<(), String> {
    range(states, 0, count)?;
    states.drain(..count as usize);
    Ok(())
}

impl<F: AggregateFn> Open for Aggregate<F> {
    fn layout(&self) -> Layout {
        layout((self.described)())
    }

    fn update(&mut self, groups: &[u32], total: u32, input: &Rows) -> Result<Updated, String> {
        self.states.resize_with(total as usize, Default::default);
        let reader = F::Row::reader(input);
        let mut errors = Vec::new();
        for (row, group) in groups.iter().enumerate() {
            let state = &mut self.states[*group as usize];
            if let Err(error) = F::update(state, F::Row::get(&reader, row), &self.config) {
                errors.push(crossing(row, error));
            }
        }
        Ok(Updated { live_bytes: live(&self.states), errors })
    }

    fn merge(&mut self, groups: &[u32], total: u32, states: &Rows) -> Result<Updated, String> {
        self.states.resize_with(total as usize, Default::default);
        let reader = F::State::reader(states);
        for (row, group) in groups.iter().enumerate() {
            let state = &mut self.states[*group as usize];
            F::merge(state, F::State::get(&reader, row), &self.config).map_err(|e| e.message)?;
        }
        Ok(Updated { live_bytes: live(&self.states), errors: Vec::new() })
    }

    fn state(&mut self, first: u32, count: u32) -> Result<Rows, String> {
        let mut out = Out::<F::State>::new(false);
        for state in range(&self.states, first, count)? {
            out.push(state.clone());
        }
        Ok(out.seal())
    }

    fn finish(&mut self, first: u32, count: u32) -> Result<Rows, String> {
        let mut out = Out::<F::Given>::new(false);
        for state in range(&self.states, first, count)? {
            out.push(F::finish(state, &self.config));
        }
        Ok(out.seal())
    }

    fn forget(&mut self, count: u32) -> Result<(), String> {
        forget(&mut self.states, count)
    }
}

struct Reduce<F: ReduceFn> {
    config: F::Config,
    states: Vec<Option<F::Row>>,
    described: fn() -> Described,
}

/// Opens a reduce.
pub fn open_reduce<F: ReduceFn>(
    setup: &Setup,
    described: fn() -> Described,
) -> Result<Box<dyn Open>, Refusal> {
    let config = config::read(&setup.config)?;
    Ok(Box::new(Reduce::<F> { config, states: Vec::new(), described }))
}

impl<F: ReduceFn> Reduce<F> {
    #[inline]
    fn add(&mut self, group: u32, row: F::Row) -> Result<(), crate::RowError> {
        let state = &mut self.states[group as usize];
        let sum = match state.take() {
            None => row,
            Some(held) => match F::call(held.clone(), row, &self.config) {
                Ok(sum) => sum,
                Err(error) => {
                    *state = Some(held);
                    return Err(error);
                }
            },
        };
        *state = Some(sum);
        Ok(())
    }
}

impl<F: ReduceFn> Open for Reduce<F> {
    fn layout(&self) -> Layout {
        layout((self.described)())
    }

    fn update(&mut self, groups: &[u32], total: u32, input: &Rows) -> Result<Updated, String> {
        self.states.resize(total as usize, None);
        let reader = F::Row::reader(input);
        let mut errors = Vec::new();
        for (row, group) in groups.iter().enumerate() {
            if let Err(error) = self.add(*group, F::Row::get(&reader, row)) {
                errors.push(crossing(row, error));
            }
        }
        Ok(Updated { live_bytes: live(&self.states), errors })
    }

    fn merge(&mut self, groups: &[u32], total: u32, states: &Rows) -> Result<Updated, String> {
        self.states.resize(total as usize, None);
        let Some((some, columns)) = states.columns.split_first() else {
            return Err("the states have no columns".to_owned());
        };
        let rows = Rows { count: states.count, columns: columns.to_vec() };
        let reader = F::Row::reader(&rows);
        let there = bool::reader(&mut crate::buffer::Buffers::new(some));
        for (row, group) in groups.iter().enumerate() {
            if bool::get(&there, row) {
                self.add(*group, F::Row::get(&reader, row)).map_err(|error| error.message)?;
            }
        }
        Ok(Updated { live_bytes: live(&self.states), errors: Vec::new() })
    }

    fn state(&mut self, first: u32, count: u32) -> Result<Rows, String> {
        let mut there = <bool as Field>::Writer::default();
        let mut writer = <F::Row as Row>::Writer::default();
        for state in range(&self.states, first, count)? {
            there.push(state.is_some());
            match state {
                Some(state) => F::Row::put(state, &mut writer),
                None => F::Row::put_nothing(&mut writer),
            }
        }
        let mut some = crate::buffer::ColumnOut::default();
        bool::finish(&mut there, &mut some);
        let columns = std::iter::once(some).chain(F::Row::finish(&mut writer)).collect();
        Ok(sealed(columns, count as usize))
    }

    fn finish(&mut self, first: u32, count: u32) -> Result<Rows, String> {
        let mut out = Out::<F::Row>::new(false);
        for state in range(&self.states, first, count)? {
            out.push(state.clone().unwrap_or_else(F::nothing));
        }
        Ok(out.seal())
    }

    fn forget(&mut self, count: u32) -> Result<(), String> {
        forget(&mut self.states, count)
    }
}
