//! An open function in a sandbox of its own: one for each op, partition and batch.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::abi::v0_1::exports::weir::operator as exports;
use super::abi::v0_1::weir::operator::rows::{self as wire, RowsParam, RowsResult};
use super::answer::{self, Asked};
use super::columns;
use super::describe::{self, Kind, Port};
use super::enter::{Calls, enter};
use super::error::{CallFailure, CallPlace, MESSAGE_BYTES_MAX, NAME_BYTES_MAX, PluginError, cut};
use super::grant::{Counters, GuestState, Rights};
use super::lane::Lane;
use super::limit::TOLD_BYTES_MAX;
use super::load::Plugin;
use super::lower::lowered;
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
    /// The columns of the keys, for an updater.
    pub key: &'a SchemaRef,
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
    pub(super) calls: Calls,
    pub(super) handle: ResourceAny,
    plugin: Arc<Plugin>,
    function: usize,
    limits: Limits,
    parents: bool,
    broken: bool,
    /// Rows that a transformer gave so far; a `pull` that gave none counts as one.
    pulled: u64,
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
        store.set_hostcall_fuel(bytes(TOLD_BYTES_MAX.min(opening.limits.result)));
        let (guest, calls, opened) = enter(&mut store, &plugin, opening).map_err(|error| {
            let place = plugin.place(opening.function, &store.data().lane);
            PluginError::Call { place, failure: failure(&store, &error).of_opening() }
        })?;
        let handle = opened.map_err(|refusal| refused(opening, &store.data().lane, refusal))?;
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
            pulled: 0,
        };
        let layout = layout.map_err(|error| {
            instance.broken = true;
            instance.failed(failure(&instance.store, &error).of_opening())
        })?;
        instance.store.set_hostcall_fuel(bytes(opening.limits.result));
        let ports = describe::ports(layout.ports).map_err(|why| instance.lied(why))?;
        if let Calls::Updater(_) = &instance.calls {
            instance.begin(opening)?;
        }
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
        self.believe(count, &[], |asked| {
            let errors = row_error::checked(mapped.errors, count)?;
            let value = answer::exactly(mapped.rows, (count, ""), schema, &errors, asked.limits)?;
            Ok(Called { value, errors })
        })
    }

    /// Which rows stay.
    pub fn test(&mut self, rows: &RecordBatch) -> Result<Called<BooleanArray>, PluginError> {
        let Calls::Predicate(calls) = &self.calls else {
            return Err(self.wrong_kind(Kind::Predicate));
        };
        let (calls, handle) = (calls.clone(), self.handle);
        let verdict = self.call(rows, |store, param| calls.call_test_rows(store, handle, param))?;
        let count = rows.num_rows() as u32;
        self.believe(count, &[], |_| {
            let errors = row_error::checked(verdict.errors, count)?;
            let rejected: Vec<u32> = errors.iter().map(|error| error.row).collect();
            Ok(Called { value: columns::verdict(verdict.keep, count, &rejected)?, errors })
        })
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
        self.believe(count, ports, |asked| answer::output(output, asked))
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
            Some(output) => {
                let given = output.emitted.iter().map(|part| u64::from(part.rows.count)).sum();
                self.pulled = self.pulled.saturating_add(u64::max(given, 1));
                let pulled = self.pulled;
                self.believe(total, ports, |asked| {
                    answer::check_pulled(pulled, asked)?;
                    answer::output(output, asked).map(Some)
                })
            }
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
        self.updated(updated.live_bytes, updated.errors, rows)
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
        self.updated(updated.live_bytes, updated.errors, rows)
    }

    fn updated(
        &mut self,
        live_bytes: u64,
        errors: Vec<wire::RowError>,
        rows: &RecordBatch,
    ) -> Result<Called<u64>, PluginError> {
        let count = rows.num_rows() as u32;
        self.believe(count, &[], |asked| {
            let errors = row_error::checked(errors, count)?;
            Ok(Called { value: answer::live_bytes(live_bytes, asked.limits)?, errors })
        })
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
        self.groups(rows, count, schema)
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
        self.groups(rows, count, schema)
    }

    /// A row for each group that was asked for.
    fn groups(
        &mut self,
        rows: RowsResult,
        count: u32,
        schema: &SchemaRef,
    ) -> Result<RecordBatch, PluginError> {
        self.believe(count, &[], |asked| {
            answer::exactly(rows, (count, " groups"), schema, &[], asked.limits)
        })
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
        lowered(rows, |param| self.guarded(|store| call(store, param)))
    }

    /// The one place where a call begins and ends: time starts, and on any failure the sandbox is
    /// marked as broken.
    pub(super) fn guarded<T>(
        &mut self,
        call: impl FnOnce(&mut Store<GuestState>) -> wasmtime::Result<Result<T, String>>,
    ) -> Result<T, PluginError> {
        if self.broken {
            return Err(self.lied("it was called again after a failure".to_owned()));
        }
        self.store.data_mut().deadline.restart();
        self.store.data().console.clear();
        match call(&mut self.store) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(message)) => {
                self.broken = true;
                Err(self.failed(CallFailure::Function(cut(message, MESSAGE_BYTES_MAX))))
            }
            Err(error) => Err(self.trapped(&error)),
        }
    }

    /// Checks what came back; what was wrong with it is told as a breach of the contract.
    pub(super) fn believe<T>(
        &mut self,
        count: u32,
        ports: &[SchemaRef],
        check: impl FnOnce(&Asked<'_>) -> Result<T, String>,
    ) -> Result<T, PluginError> {
        let asked = Asked { count, ports, parents: self.parents, limits: &self.limits };
        let checked = check(&asked);
        checked.map_err(|why| self.lied(why))
    }

    pub(super) fn wrong_kind(&mut self, wanted: Kind) -> PluginError {
        self.lied(format!("it was called as a {}", wanted.name()))
    }

    fn lied(&mut self, why: String) -> PluginError {
        self.broken = true;
        self.failed(CallFailure::Contract(cut(why, MESSAGE_BYTES_MAX)))
    }

    fn trapped(&mut self, error: &wasmtime::Error) -> PluginError {
        self.broken = true;
        self.failed(failure(&self.store, error))
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

fn bytes(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// `open` refused. Before the first batch the job is told which setting is wrong; in a batch the
/// place is what helps.
fn refused(opening: &Opening<'_>, lane: &Lane, refusal: exports::guest::Refusal) -> PluginError {
    let message = cut(refusal.message, MESSAGE_BYTES_MAX);
    if lane.now.batch.0 > 0 {
        let place = opening.plugin.place(opening.function, lane);
        return PluginError::Call { place, failure: CallFailure::Refused(message) };
    }
    let function = opening.plugin.functions()[opening.function].name.clone();
    let setting = refusal.setting.map(|setting| cut(setting, NAME_BYTES_MAX));
    PluginError::Refused { function, setting, message }
}

/// What a call across the wall gives: the engine's failure, or the guest's own answer.
type Answer<T> = wasmtime::Result<Result<T, String>>;
