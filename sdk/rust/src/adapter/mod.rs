//! Between the bindings and an author's functions. Not part of the API.

mod aggregator;
mod guest;
mod rows;
mod updater;

pub use aggregator::{describe_aggregate, describe_reduce, open_aggregate, open_reduce};
pub use guest::Guest;
pub use rows::{
    describe_flat_map, describe_map, describe_predicate, describe_transform, open_flat_map,
    open_map, open_predicate, open_transform,
};
pub use updater::{describe_update, open_update};

pub use crate::row::stride;
pub use crate::value::nested;

use std::marker::PhantomData;

use crate::bindings::exports::weir::operator::aggregator::Updated;
use crate::bindings::exports::weir::operator::guest::{
    Determinism, Function as Described, Kind, Layout, Refusal, Setup,
};
use crate::bindings::exports::weir::operator::mapper::Mapped;
use crate::bindings::exports::weir::operator::predicate::Verdict;
use crate::bindings::exports::weir::operator::updater::{Visited, Visits};
use crate::bindings::weir::operator::rows as wire;
use crate::bindings::weir::operator::rows::{Output, Rows};
use crate::bindings::weir::operator::schema::Field as FieldDef;
use crate::function::{Disposition, Function, RowError};

/// The functions of a plugin.
pub trait Plugin: 'static {
    /// All of them.
    fn functions() -> &'static [&'static dyn Entry];
}

/// One function, as a value.
pub trait Entry: Sync {
    /// What it says of itself.
    fn describe(&self) -> Described;
    /// Opens it.
    fn open(&self, setup: &Setup) -> Result<Box<dyn Open>, Refusal>;
}

/// A function as a value.
pub struct EntryOf<F>(PhantomData<fn() -> F>);

impl<F> EntryOf<F> {
    /// The value.
    pub const NEW: Self = Self(PhantomData);
}

impl<F: Function> Entry for EntryOf<F> {
    fn describe(&self) -> Described {
        F::describe()
    }

    fn open(&self, setup: &Setup) -> Result<Box<dyn Open>, Refusal> {
        F::open(setup)
    }
}

/// What the attribute of a function says.
pub struct Attributes {
    /// The name.
    pub name: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// Whether instances may be reused.
    pub pure: bool,
    /// A condition that may be tested before.
    pub condition: Option<&'static str>,
    /// The oldest host.
    pub needs_host: &'static str,
    /// The JSON Schema of the config.
    pub config_schema: &'static str,
    /// Names of the ports.
    pub ports: &'static [&'static str],
    /// The version of the state of an updater.
    pub state_version: u32,
}

impl Attributes {
    fn describe(&self, kind: Kind) -> Described {
        Described {
            name: self.name.to_owned(),
            kind,
            doc: self.doc.trim().to_owned(),
            reads: None,
            ports: Vec::new(),
            state: Vec::new(),
            state_version: 0,
            where_: self.condition.map(str::to_owned),
            config_schema: self.config_schema.to_owned(),
            capabilities: Vec::new(),
            needs_host: self.needs_host.to_owned(),
            determinism: if self.pure { Determinism::Pure } else { Determinism::Free },
        }
    }
}

fn no(kind: &str) -> String {
    format!("this function is no {kind}")
}

/// An open function. Every kind is there; those that it is not give an error.
pub trait Open {
    /// What was decided.
    fn layout(&self) -> Layout;

    /// As a mapper.
    fn map(&mut self, _input: &Rows) -> Result<Mapped, String> {
        Err(no("mapper"))
    }

    /// As a predicate.
    fn test(&mut self, _input: &Rows) -> Result<Verdict, String> {
        Err(no("predicate"))
    }

    /// As a flat-mapper.
    fn flat_map(&mut self, _input: &Rows) -> Result<Output, String> {
        Err(no("flat-mapper"))
    }

    /// As an aggregator.
    fn update(&mut self, _groups: &[u32], _total: u32, _input: &Rows) -> Result<Updated, String> {
        Err(no("aggregator"))
    }

    /// As an aggregator.
    fn merge(&mut self, _groups: &[u32], _total: u32, _states: &Rows) -> Result<Updated, String> {
        Err(no("aggregator"))
    }

    /// As an aggregator.
    fn state(&mut self, _first: u32, _count: u32) -> Result<Rows, String> {
        Err(no("aggregator"))
    }

    /// As an aggregator.
    fn finish(&mut self, _first: u32, _count: u32) -> Result<Rows, String> {
        Err(no("aggregator"))
    }

    /// As an aggregator.
    fn forget(&mut self, _count: u32) -> Result<(), String> {
        Err(no("aggregator"))
    }

    /// As a transformer.
    fn push(&mut self, _input: Rows) -> Result<(), String> {
        Err(no("transformer"))
    }

    /// As a transformer.
    fn pull(&mut self) -> Result<Option<Output>, String> {
        Err(no("transformer"))
    }

    /// As an updater.
    fn begin(&mut self, _key: &[FieldDef]) -> Result<(), String> {
        Err(no("updater"))
    }

    /// As an updater.
    fn visit(&mut self, _visits: &Visits) -> Result<Visited, String> {
        Err(no("updater"))
    }
}

/// A row error as it crosses.
pub(crate) fn crossing(row: usize, error: RowError) -> wire::RowError {
    wire::RowError {
        row: row as u32,
        what: match error.what {
            Disposition::Reject => wire::Disposition::Reject,
            Disposition::Retry(after) => wire::Disposition::Retry(after),
        },
        message: error.message,
    }
}
