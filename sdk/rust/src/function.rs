//! What the attributes make of a function. Authors don't meet these traits.

use serde::de::DeserializeOwned;

use crate::bindings::exports::weir::operator::guest::{Function as Described, Refusal, Setup};
use crate::bindings::weir::operator::rows::Rows;
use crate::out::Outs;
use crate::row::Row;
use crate::update::{State, Values};

/// What should become of a row that a function can't take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It is wrong and stays so.
    Reject,
    /// It may succeed later, after so many milliseconds if a number is given.
    Retry(Option<u32>),
}

/// Why a function can't take a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// What should become of it.
    pub what: Disposition,
    /// Why, for the person who reads it.
    pub message: String,
}

impl RowError {
    /// The row is wrong.
    pub fn reject(message: impl Into<String>) -> Self {
        Self { what: Disposition::Reject, message: message.into() }
    }

    /// The row may succeed later, after so many milliseconds if a number is given.
    pub fn retry(after_millis: Option<u32>, message: impl Into<String>) -> Self {
        Self { what: Disposition::Retry(after_millis), message: message.into() }
    }
}

impl std::fmt::Display for RowError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RowError {}

/// A value, or a value or a row error.
pub trait Outcome<T> {
    /// The value or the error.
    fn outcome(self) -> Result<T, RowError>;
}

impl<T> Outcome<T> for T {
    #[inline]
    fn outcome(self) -> Result<T, RowError> {
        Ok(self)
    }
}

impl<T> Outcome<T> for Result<T, RowError> {
    #[inline]
    fn outcome(self) -> Result<T, RowError> {
        self
    }
}

/// A function of a plugin: what it says of itself, and how it is opened.
pub trait Function {
    /// What it says of itself.
    fn describe() -> Described;

    /// Opens it.
    fn open(setup: &Setup) -> Result<Box<dyn crate::adapter::Open>, Refusal>;
}

/// One row out for a row in.
pub trait MapFn: 'static {
    /// Rows in.
    type Row: Row;
    /// Rows out.
    type Given: Row;
    /// The config.
    type Config: DeserializeOwned + 'static;
    /// Calls it.
    fn call<'r>(
        row: <Self::Row as Row>::At<'r>,
        config: &'r Self::Config,
    ) -> Result<<Self::Given as Row>::At<'r>, RowError>;
}

/// Keep a row or not.
pub trait PredicateFn: 'static {
    /// Rows in.
    type Row: Row;
    /// The config.
    type Config: DeserializeOwned + 'static;
    /// Calls it.
    fn call(row: <Self::Row as Row>::At<'_>, config: &Self::Config) -> Result<bool, RowError>;
}

/// Any number of rows out for a row in.
pub trait FlatMapFn: 'static {
    /// Rows in.
    type Row: Row;
    /// Where rows come out.
    type Outs: Outs;
    /// The config.
    type Config: DeserializeOwned + 'static;
    /// Calls it with every row of a chunk; tells which rows were not taken.
    fn chunk(
        rows: &Rows,
        outs: &mut Self::Outs,
        config: &Self::Config,
        reject: &mut dyn FnMut(usize, RowError),
    );
}

/// All rows of a batch in, rows out.
pub trait TransformFn: 'static {
    /// Rows in.
    type Row: Row;
    /// Where rows come out.
    type Outs: Outs;
    /// The config.
    type Config: DeserializeOwned + 'static;
    /// Calls it.
    fn call<'r>(
        rows: Vec<<Self::Row as Row>::At<'r>>,
        outs: &mut Self::Outs,
        config: &Self::Config,
    ) -> Result<(), RowError>;
}

/// Two rows to one.
pub trait ReduceFn: 'static {
    /// Rows, states and results. It owns what it holds.
    type Row: for<'r> Row<At<'r> = Self::Row> + Clone + 'static;
    /// The config.
    type Config: DeserializeOwned + 'static;
    /// Calls it.
    fn call(a: Self::Row, b: Self::Row, config: &Self::Config) -> Result<Self::Row, RowError>;
    /// The result of no rows at all.
    fn nothing() -> Self::Row;
}

/// Full aggregates, see [`crate::Aggregator`].
pub trait AggregateFn: crate::Aggregator + 'static {}

/// A state for each key.
pub trait UpdateFn: 'static {
    /// The key's columns.
    type Key: Row;
    /// Values.
    type Row: Row;
    /// The state of a key. It owns what it holds.
    type State: for<'r> Row<At<'r> = Self::State> + Clone + 'static;
    /// Where rows come out.
    type Outs: Outs;
    /// The config.
    type Config: DeserializeOwned + 'static;
    /// Visits a key.
    fn call<'r>(
        key: <Self::Key as Row>::At<'r>,
        values: Values<'r, Self::Row>,
        state: &mut State<Self::State>,
        outs: &mut Self::Outs,
        config: &Self::Config,
    ) -> Result<(), RowError>;
}
