//! An open function in a sandbox of its own: one for each op, partition and batch.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayData, BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::abi::v0_1::exports::weir::operator as exports;
use super::abi::v0_1::weir::operator::rows::{ColumnParam, ColumnResult, RowsParam, RowsResult};
use super::columns::{self, Flat, Raw};
use super::describe::{self, Kind, Port};
use super::enter::{Calls, enter};
use super::error::{CallFailure, CallPlace, PluginError};
use super::grant::{Counters, GuestState, Rights};
use super::lane::Lane;
use super::load::Plugin;
use super::row_error::{self, RowError};
use super::sandbox::{failure, sandbox};
use crate::job::Limits;

/// What a call gave: the value, and rows that were not taken.
#[derive(Debug)]
pub struct Called<T> {
    /// The value.
    pub value: T,
    /// Rows that were not taken, ascending.
    pub errors: Vec<RowError>,
}

/// Rows of one port.
#[derive(Debug)]
pub struct Emitted {
    /// The port.
    pub port: usize,
    /// The rows.
    pub rows: RecordBatch,
    /// For each row the row of the call it comes from; empty when that was not asked for.
    pub parents: Vec<u32>,
}

/// What decides how a function is opened.
#[derive(Clone, Debug)]
pub struct Opening<'a> {
    /// The plugin.
    pub plugin: &'a Arc<Plugin>,
    /// The function's place in the plugin's list.
    pub function: usize,
    /// The config as a JSON object.
    pub config: &'a str,
    /// The columns that will cross.
    pub input: &'a SchemaRef,
    /// Whether parents are needed.
    pub parents: bool,
    /// The limits.
    pub limits: &'a Limits,
    /// What it may see of the machine.
    pub rights: &'a Arc<Rights>,
}

/// What was decided at `open`.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The columns it wants, when `describe` left that open.
    pub reads: Vec<String>,
    /// The ports.
    pub ports: Vec<Port>,
}

/// An open function.
pub struct Instance {
    store: Store<GuestState>,
    calls: Calls,
    handle: ResourceAny,
    plugin: Arc<Plugin>,
    function: usize,
    limits: Limits,
    parents: bool,
    broken: bool,
    /// Bytes that columns of one value may still take up, of what this call gives.
    spread: u64,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("lane", &self.store.data().lane).finish()
    }
}

impl Instance {
    /// Opens a function in a fresh sandbox.
    pub fn open(opening: &Opening<'_>, lane: Lane) -> Result<(Self, Layout), PluginError> {
        let plugin = Arc::clone(opening.plugin);
        let mut store = sandbox(&plugin, lane, opening.limits, opening.rights)?;
        let place = |lane: &Lane| plugin.place(opening.function, lane);
        let opened = enter(&mut store, &plugin, opening);
        let (guest, calls, opened) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let failure = failure(&store, &error);
                return Err(PluginError::Call { place: place(&store.data().lane), failure });
            }
        };
        let handle = opened.map_err(|refusal| PluginError::Refused {
            function: plugin.functions()[opening.function].name.clone(),
            setting: refusal.setting,
            message: refusal.message,
        })?;
        let layout = guest.instance().call_layout(&mut store, handle);
        let mut instance = Self {
            store,
            calls,
            handle,
            plugin: Arc::clone(&plugin),
            function: opening.function,
            limits: opening.limits.clone(),
            parents: opening.parents,
            broken: false,
            spread: 0,
        };
        let layout = layout.map_err(|error| instance.trapped(&error))?;
        let ports = describe::ports(layout.ports).map_err(|why| instance.lied(why))?;
        Ok((instance, Layout { reads: layout.reads, ports }))
    }

    /// Whether a call failed: then the sandbox must be thrown away.
    pub fn broken(&self) -> bool {
        self.broken
    }

    /// Where it stands, and what belongs to the batch.
    pub fn lane(&self) -> &Lane {
        &self.store.data().lane
    }

    /// Sets how long each call may take from now on; the limit of the op if none is given. With a
    /// time of its own, a call is one that is made again to find a bad row: it logs nothing.
    pub fn set_time(&mut self, time: Option<Duration>) {
        self.store.data().console.set_quiet(time.is_some());
        self.store.data_mut().deadline.set_limit(time.unwrap_or(self.limits.time));
    }

    /// Another batch begins for an instance that is kept.
    pub fn rebind(&mut self, lane: Lane) -> Result<(), PluginError> {
        self.store.data_mut().rebind(lane)
    }

    /// What was counted since the last time.
    pub fn take_counters(&mut self) -> Counters {
        self.store.data_mut().counters.take()
    }

    /// Tells how many lines of its log were dropped.
    pub fn tell_dropped(&self) {
        self.store.data().tell_dropped();
    }

    /// The most memory it has had, in bytes.
    pub fn memory_max(&self) -> u64 {
        self.store.data().meter.memory_max()
    }

    /// One row out for a row in. Rejected rows are not in the result.
    pub fn map(
        &mut self,
        rows: &RecordBatch,
        schema: &SchemaRef,
    ) -> Result<Called<RecordBatch>, PluginError> {
        let Calls::Mapper(calls) = &self.calls else { return Err(self.wrong_kind(Kind::Mapper)) };
        let (calls, handle) = (calls.clone(), self.handle);
        let mapped = self.call(rows, |store, param| calls.call_map_rows(store, handle, param))?;
        let count = rows.num_rows() as u32;
        let errors = self.row_errors(mapped.errors, count)?;
        if mapped.rows.count != count {
            let given = mapped.rows.count;
            return Err(self.lied(format!("it gave {given} rows for {count}")));
        }
        let value = self.assemble(mapped.rows, schema, &errors)?;
        Ok(Called { value, errors })
    }

    /// Which rows stay.
    pub fn test(&mut self, rows: &RecordBatch) -> Result<Called<BooleanArray>, PluginError> {
        let Calls::Predicate(calls) = &self.calls else {
            return Err(self.wrong_kind(Kind::Predicate));
        };
        let (calls, handle) = (calls.clone(), self.handle);
        let verdict = self.call(rows, |store, param| calls.call_test_rows(store, handle, param))?;
        let count = rows.num_rows() as u32;
        let errors = self.row_errors(verdict.errors, count)?;
        let value = columns::verdict(verdict.keep, count, &rows_of(&errors))
            .map_err(|why| self.lied(why))?;
        Ok(Called { value, errors })
    }

    /// Any number of rows out for a row in.
    pub fn flat_map(
        &mut self,
        rows: &RecordBatch,
        ports: &[SchemaRef],
    ) -> Result<Called<Vec<Emitted>>, PluginError> {
        let Calls::FlatMapper(calls) = &self.calls else {
            return Err(self.wrong_kind(Kind::FlatMapper));
        };
        let (calls, handle) = (calls.clone(), self.handle);
        let output =
            self.call(rows, |store, param| calls.call_flat_map_rows(store, handle, param))?;
        let count = rows.num_rows() as u32;
        let each = usize::try_from(self.limits.rows).unwrap_or(usize::MAX);
        let most = rows.num_rows().saturating_mul(each).max(CHUNK_OUT_MIN);
        self.output(output, count, ports, most)
    }

    /// The next chunk of a batch, for a transformer.
    pub fn push(&mut self, rows: &RecordBatch) -> Result<(), PluginError> {
        let Calls::Transformer(calls) = &self.calls else {
            return Err(self.wrong_kind(Kind::Transformer));
        };
        let (calls, handle) = (calls.clone(), self.handle);
        self.call(rows, |store, param| calls.call_push(store, handle, param))
    }

    /// The next rows that come out of a transformer; `total` is how many went in.
    pub fn pull(
        &mut self,
        total: u32,
        ports: &[SchemaRef],
    ) -> Result<Option<Called<Vec<Emitted>>>, PluginError> {
        let Calls::Transformer(calls) = &self.calls else {
            return Err(self.wrong_kind(Kind::Transformer));
        };
        let (calls, handle) = (calls.clone(), self.handle);
        match self.guarded(|store| calls.call_pull(store, handle))? {
            None => Ok(None),
            Some(output) => self.output(output, total, ports, usize::MAX).map(Some),
        }
    }

    /// Adds rows to groups; gives the bytes that the states take up.
    pub fn update(
        &mut self,
        groups: &[u32],
        total: u32,
        rows: &RecordBatch,
    ) -> Result<Called<u64>, PluginError> {
        let (calls, handle) = self.aggregator()?;
        let updated =
            self.call(rows, |store, param| calls.call_update(store, handle, groups, total, param))?;
        let errors = self.row_errors(updated.errors, rows.num_rows() as u32)?;
        Ok(Called { value: updated.live_bytes, errors })
    }

    /// Adds states to groups; gives the bytes that the states take up.
    pub fn merge(
        &mut self,
        groups: &[u32],
        total: u32,
        rows: &RecordBatch,
    ) -> Result<Called<u64>, PluginError> {
        let (calls, handle) = self.aggregator()?;
        let updated =
            self.call(rows, |store, param| calls.call_merge(store, handle, groups, total, param))?;
        let errors = self.row_errors(updated.errors, rows.num_rows() as u32)?;
        Ok(Called { value: updated.live_bytes, errors })
    }

    /// The states of some groups, without changing them.
    pub fn state(
        &mut self,
        first: u32,
        count: u32,
        schema: &SchemaRef,
    ) -> Result<RecordBatch, PluginError> {
        let (calls, handle) = self.aggregator()?;
        let rows = self.guarded(|store| calls.call_state(store, handle, first, count))?;
        self.exactly(rows, count, schema)
    }

    /// The results of some groups, without changing their states.
    pub fn finish(
        &mut self,
        first: u32,
        count: u32,
        schema: &SchemaRef,
    ) -> Result<RecordBatch, PluginError> {
        let (calls, handle) = self.aggregator()?;
        let rows = self.guarded(|store| calls.call_finish(store, handle, first, count))?;
        self.exactly(rows, count, schema)
    }

    /// Forgets the first groups.
    pub fn forget(&mut self, count: u32) -> Result<(), PluginError> {
        let (calls, handle) = self.aggregator()?;
        self.guarded(|store| calls.call_forget(store, handle, count))
    }

    fn aggregator(&mut self) -> Result<(exports::aggregator::Guest, ResourceAny), PluginError> {
        match &self.calls {
            Calls::Aggregator(calls) => Ok((calls.clone(), self.handle)),
            _ => Err(self.wrong_kind(Kind::Aggregator)),
        }
    }

    /// Lowers rows and calls.
    fn call<T>(
        &mut self,
        rows: &RecordBatch,
        call: impl FnOnce(&mut Store<GuestState>, RowsParam<'_>) -> Answer<T>,
    ) -> Result<T, PluginError> {
        let data: Vec<ArrayData> = rows.columns().iter().map(|column| column.to_data()).collect();
        let flats: Vec<Flat<'_>> = data.iter().map(columns::flat).collect();
        let buffers: Vec<Vec<&[u8]>> = flats
            .iter()
            .map(|flat| flat.buffers.iter().map(|buffer| buffer.as_ref()).collect())
            .collect();
        let params: Vec<ColumnParam<'_>> = flats
            .iter()
            .zip(&buffers)
            .map(|(flat, buffers)| ColumnParam {
                length: flat.length as u32,
                null_count: flat.null_count as u32,
                buffers,
            })
            .collect();
        let param = RowsParam { count: rows.num_rows() as u32, columns: &params };
        self.guarded(|store| call(store, param))
    }

    /// The one place where a call begins and ends: time starts, and on any failure the sandbox is
    /// marked as broken.
    fn guarded<T>(
        &mut self,
        call: impl FnOnce(&mut Store<GuestState>) -> wasmtime::Result<Result<T, String>>,
    ) -> Result<T, PluginError> {
        if self.broken {
            return Err(self.lied("it was called again after a failure".to_owned()));
        }
        self.store.data_mut().deadline.restart();
        self.spread = self.limits.result;
        self.store.data().console.clear();
        match call(&mut self.store) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(message)) => {
                self.broken = true;
                let end = message.floor_char_boundary(4096);
                Err(self.failed(CallFailure::Function(message[..end].to_owned())))
            }
            Err(error) => Err(self.trapped(&error)),
        }
    }

    fn output(
        &mut self,
        output: super::abi::v0_1::weir::operator::rows::Output,
        count: u32,
        ports: &[SchemaRef],
        rows_max: usize,
    ) -> Result<Called<Vec<Emitted>>, PluginError> {
        let errors = self.row_errors(output.errors, count)?;
        let mut seen = vec![false; ports.len()];
        let mut value = Vec::with_capacity(output.emitted.len());
        for emitted in output.emitted {
            let port = usize::from(emitted.port);
            let Some(schema) = ports.get(port) else {
                return Err(self.lied(format!("it emits to port {port} of {}", ports.len())));
            };
            if std::mem::replace(&mut seen[port], true) {
                return Err(self.lied(format!("it emits to port {port} twice in one call")));
            }
            let given = emitted.rows.count as usize;
            if given > rows_max {
                return Err(self.lied(format!(
                    "it gave {given} rows for {count}, more than {} for one (`limits.rows`)",
                    self.limits.rows
                )));
            }
            self.check_parents(&emitted.parents, given, count)?;
            let rows = self.assemble(emitted.rows, schema, &[])?;
            value.push(Emitted { port, rows, parents: emitted.parents });
        }
        Ok(Called { value, errors })
    }

    fn check_parents(
        &mut self,
        parents: &[u32],
        rows: usize,
        count: u32,
    ) -> Result<(), PluginError> {
        if parents.is_empty() && !self.parents {
            return Ok(());
        }
        if parents.len() != rows {
            return Err(self.lied(format!("it names {} parents for {rows} rows", parents.len())));
        }
        if parents.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err(self.lied("its parents descend".to_owned()));
        }
        match parents.last() {
            Some(last) if *last >= count => {
                Err(self.lied(format!("it names row {last} of {count} as a parent")))
            }
            _ => Ok(()),
        }
    }

    fn exactly(
        &mut self,
        rows: RowsResult,
        count: u32,
        schema: &SchemaRef,
    ) -> Result<RecordBatch, PluginError> {
        if rows.count != count {
            return Err(self.lied(format!("it gave {} rows for {count} groups", rows.count)));
        }
        self.assemble(rows, schema, &[])
    }

    fn assemble(
        &mut self,
        rows: RowsResult,
        schema: &SchemaRef,
        errors: &[RowError],
    ) -> Result<RecordBatch, PluginError> {
        let raw = rows.columns.into_iter().map(raw).collect();
        let rows = columns::assemble(schema, rows.count, raw, &rows_of(errors), &mut self.spread);
        rows.map_err(|why| self.lied(why))
    }

    fn row_errors(
        &mut self,
        errors: Vec<super::abi::v0_1::weir::operator::rows::RowError>,
        count: u32,
    ) -> Result<Vec<RowError>, PluginError> {
        row_error::checked(errors, count).map_err(|why| self.lied(why))
    }

    fn wrong_kind(&mut self, wanted: Kind) -> PluginError {
        self.lied(format!("it was called as a {}", wanted.name()))
    }

    fn lied(&mut self, why: String) -> PluginError {
        self.broken = true;
        self.failed(CallFailure::Contract(why))
    }

    fn trapped(&mut self, error: &wasmtime::Error) -> PluginError {
        self.broken = true;
        self.failed(match failure(&self.store, error) {
            CallFailure::Result(_) => CallFailure::Result(self.limits.result),
            other => other,
        })
    }

    /// Puts the place to a failure.
    pub fn failed(&self, failure: CallFailure) -> PluginError {
        PluginError::Call { place: self.place(), failure }
    }

    /// Where a call of it stands.
    pub fn place(&self) -> Box<CallPlace> {
        self.plugin.place(self.function, &self.store.data().lane)
    }
}

/// A chunk of few rows may give this many all the same.
const CHUNK_OUT_MIN: usize = columns::CHUNK_ROWS_MAX;

fn rows_of(errors: &[RowError]) -> Vec<u32> {
    errors.iter().map(|error| error.row).collect()
}

fn raw(column: ColumnResult) -> Raw {
    Raw { length: column.length, null_count: column.null_count, buffers: column.buffers }
}

/// What a call across the wall gives: the engine's failure, or the guest's own answer.
type Answer<T> = wasmtime::Result<Result<T, String>>;
