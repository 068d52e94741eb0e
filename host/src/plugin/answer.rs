//! What a call gave back, checked before anybody believes it. Errors say how the function lied.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::abi::v0_1::weir::operator::rows::{ColumnResult, Output, RowsResult};
use super::columns::{self, Raw};
use super::instance::{Called, Emitted};
use super::row_error::{self, RowError};
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
    let Asked { count, ports, limits, .. } = asked;
    let errors = row_error::checked(output.errors, *count)?;
    let mut seen = vec![false; ports.len()];
    let mut value = Vec::with_capacity(output.emitted.len());
    let mut spread = limits.result;
    for emitted in output.emitted {
        let port = usize::from(emitted.port);
        let Some(schema) = ports.get(port) else {
            return Err(format!("it emits to port {port} of {}", ports.len()));
        };
        if std::mem::replace(&mut seen[port], true) {
            return Err(format!("it emits to port {port} twice in one call"));
        }
        let given = emitted.rows.count;
        if u64::from(given) > rows_max(*count, limits) {
            let each = limits.rows;
            return Err(format!(
                "it gave {given} rows for {count}, more than {each} for one (`limits.rows`)"
            ));
        }
        check_parents(&emitted.parents, given as usize, asked)?;
        let rows = assemble(emitted.rows, schema, &[], &mut spread)?;
        value.push(Emitted { port, rows, parents: emitted.parents });
    }
    Ok(Called { value, errors })
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
