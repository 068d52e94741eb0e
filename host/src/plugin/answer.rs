//! What a call gave back, checked before anybody believes it. Errors say how the function lied.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::abi::v0_1::exports::weir::operator::updater as wire;
use super::abi::v0_1::weir::operator::rows::{
    ColumnResult, Emitted as EmittedRows, Output, RowsResult,
};
use super::columns::{self, Raw};
use super::instance::{Called, Emitted};
use super::row_error::{self, RowError};
use super::visit::{Change, Timer, Visited, Visits};
use crate::job::Limits;

/// A chunk of few rows may give this many all the same.
const ROWS_OUT_MIN: u64 = columns::CHUNK_ROWS_MAX as u64;

/// What was asked for.
pub(super) struct Asked<'a> {
    /// Rows of the call.
    pub count: u32,
    /// The columns of each port.
    pub ports: &'a [SchemaRef],
    /// Whether rows that come out must name their parents.
    pub parents: bool,
    /// The limits of the op.
    pub limits: &'a Limits,
}

/// How many rows may come out for so many.
fn rows_max(count: u32, limits: &Limits) -> u64 {
    u64::from(count).saturating_mul(limits.rows).max(ROWS_OUT_MIN)
}

/// Ends a transformer that has no end; `pulled` is what it gave so far, in this batch.
pub(super) fn check_pulled(pulled: u64, asked: &Asked<'_>) -> Result<(), String> {
    let Asked { count, limits, .. } = asked;
    if pulled <= rows_max(*count, limits) {
        return Ok(());
    }
    Err(format!(
        "it gave {pulled} rows for the {count} of the batch, more than {} for one (`limits.rows`), \
         a `pull` that gives none counted as one",
        limits.rows
    ))
}

/// Rows for the ports.
pub(super) fn output(output: Output, asked: &Asked<'_>) -> Result<Called<Vec<Emitted>>, String> {
    let errors = row_error::checked(output.errors, asked.count)?;
    let mut spread = asked.limits.result;
    let value = emitted(output.emitted, asked.count, asked, &mut spread)?;
    Ok(Called { value, errors })
}

/// Rows by port, for so many rows in.
fn emitted(
    parts: Vec<EmittedRows>,
    rows_in: u32,
    asked: &Asked<'_>,
    spread: &mut u64,
) -> Result<Vec<Emitted>, String> {
    let Asked { ports, limits, .. } = asked;
    let mut seen = vec![false; ports.len()];
    let mut value = Vec::with_capacity(parts.len());
    for emitted in parts {
        let port = usize::from(emitted.port);
        let Some(schema) = ports.get(port) else {
            return Err(format!("it emits to port {port} of {}", ports.len()));
        };
        if std::mem::replace(&mut seen[port], true) {
            return Err(format!("it emits to port {port} twice in one call"));
        }
        let given = emitted.rows.count;
        if u64::from(given) > rows_max(rows_in, limits) {
            let each = limits.rows;
            return Err(format!(
                "it gave {given} rows for {rows_in}, more than {each} for one (`limits.rows`)"
            ));
        }
        check_parents(&emitted.parents, given as usize, asked)?;
        let rows = assemble(emitted.rows, schema, &[], spread)?;
        value.push(Emitted { port, rows, parents: emitted.parents });
    }
    Ok(value)
}

/// The last moment that a timer may have: the end of the year 9999, in microseconds since 1970.
const TIMER_MAX: i64 = 253_402_300_799_999_999;

/// What an updater said of the keys of a call.
pub(super) fn visited(
    given: wire::Visited,
    visits: &Visits,
    asked: &Asked<'_>,
) -> Result<Called<Visited>, String> {
    let (keys, values) = (asked.count, visits.values.num_rows() as u32);
    let errors = row_error::checked(given.value_errors, values)?;
    let refused = row_error::checked(given.key_errors, keys)
        .map_err(|why| format!("{why}, in `key-errors`"))?;
    let changes: Vec<Change> = given.changes.into_iter().map(change).collect();
    if changes.len() != keys as usize {
        return Err(format!("it changes {} states for {keys} keys", changes.len()));
    }
    let timers = timers(&given.timers, &changes, visits)?;
    let set = changes.iter().filter(|change| **change == Change::Set).count() as u32;
    if given.states.count != set {
        return Err(format!("it gave {} states for {set} keys that it sets", given.states.count));
    }
    let mut spread = asked.limits.result;
    let states = assemble(given.states, &visits.states.schema(), &[], &mut spread)
        .map_err(|why| format!("its states: {why}"))?;
    let emitted = emitted(given.emitted, keys.saturating_add(values), asked, &mut spread)?;
    Ok(Called { value: Visited { changes, states, timers, emitted, refused }, errors })
}

fn change(change: wire::Change) -> Change {
    match change {
        wire::Change::Unchanged => Change::Unchanged,
        wire::Change::Set => Change::Set,
        wire::Change::Removed => Change::Removed,
    }
}

fn timers(
    given: &[wire::Timer],
    changes: &[Change],
    visits: &Visits,
) -> Result<Vec<Timer>, String> {
    if given.is_empty() {
        return Ok(vec![Timer::Usual; changes.len()]);
    }
    if given.len() != changes.len() {
        return Err(format!("it gave {} timers for {} keys", given.len(), changes.len()));
    }
    let timer = |(key, (timer, change)): (usize, (&wire::Timer, &Change))| {
        let wire::Timer::At(at) = *timer else {
            let cleared = matches!(timer, wire::Timer::Cleared);
            return Ok(if cleared { Timer::Cleared } else { Timer::Usual });
        };
        if !(0..=TIMER_MAX).contains(&at) {
            return Err(format!("its timer for key {key} is at {at}, which is no moment"));
        }
        let has_state = match change {
            Change::Unchanged => visits.known.value(key),
            Change::Set => true,
            Change::Removed => false,
        };
        match has_state {
            true => Ok(Timer::At(at)),
            false => Err(format!("it sets a timer for key {key}, which has no state")),
        }
    };
    given.iter().zip(changes).enumerate().map(timer).collect()
}

fn check_parents(parents: &[u32], rows: usize, asked: &Asked<'_>) -> Result<(), String> {
    if parents.is_empty() && !asked.parents {
        return Ok(());
    }
    if parents.len() != rows {
        return Err(format!("it names {} parents for {rows} rows", parents.len()));
    }
    if parents.windows(2).any(|pair| pair[0] > pair[1]) {
        return Err("its parents descend".to_owned());
    }
    match parents.last() {
        Some(last) if *last >= asked.count => {
            Err(format!("it names row {last} of {} as a parent", asked.count))
        }
        _ => Ok(()),
    }
}

/// As many rows as were asked for, less those with errors; `of` is what a row was asked for.
pub(super) fn exactly(
    rows: RowsResult,
    (count, of): (u32, &str),
    schema: &SchemaRef,
    errors: &[RowError],
    limits: &Limits,
) -> Result<RecordBatch, String> {
    if rows.count != count {
        return Err(format!("it gave {} rows for {count}{of}", rows.count));
    }
    let ignored: Vec<u32> = errors.iter().map(|error| error.row).collect();
    let mut spread = limits.result;
    assemble(rows, schema, &ignored, &mut spread)
}

/// The bytes that the states of an aggregator take up.
pub(super) fn live_bytes(said: u64, limits: &Limits) -> Result<u64, String> {
    match said <= limits.memory {
        true => Ok(said),
        false => Err(format!(
            "it says that its states take up {said} bytes, and it may have {}",
            limits.memory
        )),
    }
}

fn assemble(
    rows: RowsResult,
    schema: &SchemaRef,
    ignored: &[u32],
    spread: &mut u64,
) -> Result<RecordBatch, String> {
    let raw = rows.columns.into_iter().map(raw).collect();
    columns::assemble(schema, rows.count, raw, ignored, spread)
}

fn raw(column: ColumnResult) -> Raw {
    Raw { length: column.length, null_count: column.null_count, buffers: column.buffers }
}
