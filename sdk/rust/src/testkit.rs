//! Runs a function natively, for its author's tests: rows are written to columns, cross as they
//! would, and are read back.

use crate::adapter::Open;
use crate::bindings::exports::weir::operator::guest::{Refusal, Setup};
use crate::bindings::exports::weir::operator::updater::{Change, Timer as Wire, Visits};
use crate::bindings::weir::operator::rows::{Output, Rows};
use crate::function::{FlatMapFn, Function, MapFn, PredicateFn, TransformFn, UpdateFn};
use crate::out::{Columns, Out};
use crate::row::Row;
use crate::scalar::Timestamp;
use crate::update::Timer;

/// Why a test call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// `open` refused the config: the setting, and why.
    Refused(Option<String>, String),
    /// The call failed.
    Failed(String),
    /// Rows were not taken: their numbers and why.
    Rows(Vec<(usize, String)>),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.setting, refusal.message)
    }
}

type Given<R> = Vec<<R as Row>::At<'static>>;

fn open<F: Function>(config: &str) -> Result<Box<dyn Open>, Failure> {
    let setup = Setup {
        function: F::describe().name,
        config: config.to_owned(),
        input: Vec::new(),
        parents: false,
    };
    Ok(F::open(&setup)?)
}

/// Rows as they cross.
pub fn encode<R: Row>(rows: Vec<R::At<'_>>) -> Rows {
    let mut out = Out::<R>::new(false);
    for row in rows {
        out.push(row);
    }
    out.seal()
}

/// Rows that crossed. They are kept until the test's process ends, so that rows may borrow.
pub fn decode<R: Row>(rows: Rows) -> Given<R> {
    Columns::<R>::new(Box::leak(Box::new(rows))).iter().collect()
}

fn taken(errors: Vec<crate::bindings::weir::operator::rows::RowError>) -> Result<(), Failure> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(Failure::Rows(
        errors.into_iter().map(|error| (error.row as usize, error.message)).collect(),
    ))
}

/// Calls a mapper with rows and a config in JSON.
pub fn map<F: Function + MapFn>(
    config: &str,
    rows: Vec<<F::Row as Row>::At<'_>>,
) -> Result<Given<F::Given>, Failure> {
    let mapped = open::<F>(config)?.map(&encode::<F::Row>(rows)).map_err(Failure::Failed)?;
    taken(mapped.errors)?;
    Ok(decode::<F::Given>(mapped.rows))
}

/// Calls a predicate with rows and a config in JSON.
pub fn test<F: Function + PredicateFn>(
    config: &str,
    rows: Vec<<F::Row as Row>::At<'_>>,
) -> Result<Vec<bool>, Failure> {
    let count = rows.len();
    let verdict = open::<F>(config)?.test(&encode::<F::Row>(rows)).map_err(Failure::Failed)?;
    taken(verdict.errors)?;
    Ok((0..count).map(|row| verdict.keep[row / 8] >> (row % 8) & 1 == 1).collect())
}

/// Calls a flat-mapper with rows and a config in JSON; gives the rows of its main port, which are
/// `R`.
pub fn flat_map<F: Function + FlatMapFn, R: Row>(
    config: &str,
    rows: Vec<<F::Row as Row>::At<'_>>,
) -> Result<Given<R>, Failure> {
    let output = open::<F>(config)?.flat_map(&encode::<F::Row>(rows)).map_err(Failure::Failed)?;
    main_port::<R>(output)
}

/// Calls a transformer with the rows of a batch and a config in JSON; gives the rows of its main
/// port, which are `R`.
pub fn transform<F: Function + TransformFn, R: Row>(
    config: &str,
    rows: Vec<<F::Row as Row>::At<'_>>,
) -> Result<Given<R>, Failure> {
    let mut open = open::<F>(config)?;
    open.push(encode::<F::Row>(rows)).map_err(Failure::Failed)?;
    let mut given = Vec::new();
    while let Some(output) = open.pull().map_err(Failure::Failed)? {
        given.extend(main_port::<R>(output)?);
    }
    Ok(given)
}

fn main_port<R: Row>(output: Output) -> Result<Given<R>, Failure> {
    taken(output.errors)?;
    let main = output.emitted.into_iter().find(|emitted| emitted.port == 0);
    Ok(main.map_or_else(Vec::new, |emitted| decode::<R>(emitted.rows)))
}

/// Calls an aggregator with rows of one key, spread over two instances that are merged; gives its
/// result, which is `G`.
pub fn aggregate<F: Function, R: Row, G: Row>(
    config: &str,
    rows: Vec<R::At<'_>>,
) -> Result<Given<G>, Failure> {
    let (mut one, mut two) = (open::<F>(config)?, open::<F>(config)?);
    let mut parts = [Vec::new(), Vec::new()];
    for (at, row) in rows.into_iter().enumerate() {
        parts[at % 2].push(row);
    }
    for (open, part) in [&mut one, &mut two].into_iter().zip(parts) {
        let groups = vec![0; part.len()];
        let updated = open.update(&groups, 1, &encode::<R>(part)).map_err(Failure::Failed)?;
        taken(updated.errors)?;
    }
    let state = two.state(0, 1).map_err(Failure::Failed)?;
    one.merge(&[0], 1, &state).map_err(Failure::Failed)?;
    Ok(decode::<G>(one.finish(0, 1).map_err(Failure::Failed)?))
}

/// What is known of a key before a batch.
#[derive(Clone, Debug)]
pub struct Before<S> {
    /// Its state, if it has one.
    pub state: Option<S>,
    /// Whether its timer went off.
    pub timed_out: bool,
}

impl<S> Default for Before<S> {
    fn default() -> Self {
        Self { state: None, timed_out: false }
    }
}

/// What a visit of a key leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After<S, G> {
    /// Its state, if it has one.
    pub state: Option<S>,
    /// What becomes of its timer.
    pub timer: Timer,
    /// The rows of the main port.
    pub given: Vec<G>,
}

/// Calls an updater for one key with its values in a batch, what was known of it before and a
/// config in JSON; the rows of its main port are `R`.
pub fn update<F: Function + UpdateFn, R: Row>(
    config: &str,
    key: <F::Key as Row>::At<'_>,
    values: Vec<<F::Row as Row>::At<'_>>,
    before: Before<F::State>,
) -> Result<After<F::State, R::At<'static>>, Failure> {
    let mut open = open::<F>(config)?;
    open.begin(&F::Key::columns()).map_err(Failure::Failed)?;
    let mut states = Out::<F::State>::new(false);
    let known = before.state.is_some();
    match &before.state {
        Some(state) => states.push(state.clone()),
        None => states.put_nothing(),
    }
    let visits = Visits {
        keys: encode::<F::Key>(vec![key]),
        states: states.seal(),
        known: vec![u8::from(known)],
        timed_out: vec![u8::from(before.timed_out)],
        ends: vec![values.len() as u32],
        values: encode::<F::Row>(values),
    };
    let visited = open.visit(&visits).map_err(Failure::Failed)?;
    taken(visited.value_errors)?;
    if let Some(error) = visited.key_errors.into_iter().next() {
        return Err(Failure::Failed(error.message));
    }
    let state = match visited.changes.first() {
        Some(Change::Set) => decode::<F::State>(visited.states).into_iter().next(),
        Some(Change::Removed) => None,
        Some(Change::Unchanged) | None => before.state,
    };
    let timer = match visited.timers.first() {
        Some(Wire::At(at)) => Timer::At(Timestamp(*at)),
        Some(Wire::Cleared) => Timer::Cleared,
        Some(Wire::Usual) | None => Timer::Usual,
    };
    let output = Output { emitted: visited.emitted, errors: Vec::new() };
    Ok(After { state, timer, given: main_port::<R>(output)? })
}
