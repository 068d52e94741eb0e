//! The place in a plan that calls a function: what is the same for all its lanes and batches.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::describe::{self, Determinism, Function, Kind};
use super::error::{CallFailure, PluginError};
use super::grant::Counters;
use super::instance::{Called, Instance, Opening};
use super::lane::{BatchNow, Lane};
use super::load::Plugin;
use crate::clock::Stopwatch;
use crate::job::Limits;
use crate::row_error::OnError;

/// What a call site is made from.
#[derive(Clone, Debug)]
pub struct SiteSpec {
    /// The op or function of the job.
    pub op: String,
    /// The plugin.
    pub plugin: Arc<Plugin>,
    /// The function's place in the plugin's list.
    pub function: usize,
    /// The config as a JSON object.
    pub config: String,
    /// The columns that there are, as the function is to know them.
    pub available: SchemaRef,
    /// Whether rows that come out must name their parents.
    pub parents: bool,
    /// The limits.
    pub limits: Limits,
    /// What is done with rows that the function can't take.
    pub on_error: OnError,
}

/// A site that was opened once to see that it can be.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The site.
    pub site: Arc<CallSite>,
    /// For each column that crosses, its place in the available ones.
    pub reads: Vec<usize>,
}

/// Columns that a function reads and that are not there, or are of another type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadProblem {
    /// No such column.
    Missing(Arc<Field>),
    /// Another type, or nulls where none are taken.
    Type {
        /// What is read.
        wanted: Arc<Field>,
        /// What is there.
        found: Arc<Field>,
    },
}

/// A place in a plan that calls a function.
pub struct CallSite {
    spec: SiteSpec,
    input: SchemaRef,
    ports: Vec<SchemaRef>,
    port_names: Vec<String>,
    now: RwLock<BatchNow>,
    kept: Mutex<HashMap<u32, Instance>>,
    stats: SiteStats,
    counters: Mutex<Counters>,
    search: Search,
}

/// What looking for bad rows has cost in the current batch, over all lanes.
#[derive(Debug, Default)]
struct Search {
    rows: AtomicU64,
    nanos: AtomicU64,
}

impl std::fmt::Debug for CallSite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.spec.op, self.function().name)
    }
}

/// What a site has done since the start, summed over lanes.
#[derive(Debug, Default)]
pub struct SiteStats {
    calls: AtomicU64,
    rows_in: AtomicU64,
    rows_out: AtomicU64,
    nanos: AtomicU64,
    instances: AtomicU64,
    memory_max: AtomicU64,
}

/// A reading of [`SiteStats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls of the guest.
    pub calls: u64,
    /// Rows that crossed into the guest.
    pub rows_in: u64,
    /// Rows that came out.
    pub rows_out: u64,
    /// Time in calls, copies included, in nanoseconds.
    pub nanos: u64,
    /// Instances that were made.
    pub instances: u64,
    /// The most memory that one instance had, in bytes.
    pub memory_max: u64,
}

impl SiteStats {
    /// What was counted so far.
    pub fn read(&self) -> Usage {
        Usage {
            calls: self.calls.load(Ordering::Relaxed),
            rows_in: self.rows_in.load(Ordering::Relaxed),
            rows_out: self.rows_out.load(Ordering::Relaxed),
            nanos: self.nanos.load(Ordering::Relaxed),
            instances: self.instances.load(Ordering::Relaxed),
            memory_max: self.memory_max.load(Ordering::Relaxed),
        }
    }

    fn count(&self, rows_in: usize, rows_out: usize, took: Duration) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.rows_in.fetch_add(rows_in as u64, Ordering::Relaxed);
        self.rows_out.fetch_add(rows_out as u64, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Usage {
    /// What was counted since an earlier reading.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            calls: self.calls - earlier.calls,
            rows_in: self.rows_in - earlier.rows_in,
            rows_out: self.rows_out - earlier.rows_out,
            nanos: self.nanos - earlier.nanos,
            instances: self.instances - earlier.instances,
            memory_max: self.memory_max,
        }
    }
}

/// What is wrong with a site before it was ever called.
#[derive(Debug)]
pub enum SiteError {
    /// The columns do not fit.
    Reads(Vec<ReadProblem>),
    /// The function refused, trapped or lied.
    Plugin(PluginError),
}

impl From<PluginError> for SiteError {
    fn from(error: PluginError) -> Self {
        Self::Plugin(error)
    }
}

impl CallSite {
    /// Agrees on the columns and opens the function once, outside of any batch.
    pub fn check(spec: SiteSpec) -> Result<Checked, SiteError> {
        let function = &spec.plugin.functions()[spec.function];
        let none = Lane { now: BatchNow::none(), op: spec.op.clone(), partition: 0, mark: 0 };
        let (reads, input) = match &function.reads {
            Some(reads) => agree(reads, &spec.available).map_err(SiteError::Reads)?,
            None => (Vec::new(), Arc::clone(&spec.available)),
        };
        let (instance, layout) = Instance::open(&opening(&spec, &input), none.clone())?;
        let lied = |why: String| instance.failed(CallFailure::Contract(why));
        let (reads, input) = if function.reads.is_some() {
            (reads, input)
        } else {
            chosen(&layout.reads, &spec.available).map_err(lied)?
        };
        describe::check_ports(function.kind, &layout.ports).map_err(lied)?;
        let schemas: Option<Vec<SchemaRef>> =
            layout.ports.iter().map(|port| port.schema.clone()).collect();
        let ports = schemas.ok_or_else(|| lied("a port has no columns after `open`".into()))?;
        let described = function.ports.iter().zip(&ports);
        if described.clone().any(|(port, now)| port.schema.as_ref().is_some_and(|was| was != now)) {
            return Err(lied("`open` gave other columns than `describe`".into()).into());
        }
        let port_names = layout.ports.into_iter().map(|port| port.name).collect();
        let site = Arc::new(Self {
            spec,
            input,
            ports,
            port_names,
            now: RwLock::new(BatchNow::none()),
            kept: Mutex::default(),
            stats: SiteStats::default(),
            counters: Mutex::default(),
            search: Search::default(),
        });
        Ok(Checked { site, reads })
    }

    /// The op or function of the job.
    pub fn op(&self) -> &str {
        &self.spec.op
    }

    /// The plugin.
    pub fn plugin(&self) -> &Arc<Plugin> {
        &self.spec.plugin
    }

    /// The function.
    pub fn function(&self) -> &Function {
        &self.spec.plugin.functions()[self.spec.function]
    }

    /// The columns that cross, in order.
    pub fn input(&self) -> &SchemaRef {
        &self.input
    }

    /// The columns of each port.
    pub fn ports(&self) -> &[SchemaRef] {
        &self.ports
    }

    /// The names of the ports.
    pub fn port_names(&self) -> &[String] {
        &self.port_names
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.spec.limits
    }

    /// What is done with rows that the function can't take.
    pub fn on_error(&self) -> OnError {
        self.spec.on_error
    }

    /// Adds to what looking for bad rows has cost in this batch. Gives the sums: rows that were
    /// found, and the time that it took.
    pub fn searched(&self, rows: u64, took: Duration) -> (u64, Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let rows = self.search.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        let nanos = self.search.nanos.fetch_add(nanos, Ordering::Relaxed).saturating_add(nanos);
        (rows, Duration::from_nanos(nanos))
    }

    /// The counters of the site.
    pub fn stats(&self) -> &SiteStats {
        &self.stats
    }

    /// What user code counted since the last time.
    pub fn take_counters(&self) -> Counters {
        std::mem::take(&mut *self.counters.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A batch begins.
    pub fn begin(&self, now: BatchNow) {
        self.search.rows.store(0, Ordering::Relaxed);
        self.search.nanos.store(0, Ordering::Relaxed);
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// The batch has ended, one way or the other: nothing that belongs to it may go on.
    pub fn end(&self, failed: bool) {
        self.begin(BatchNow::none());
        if failed {
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// An open function for a lane of the current batch; it comes back when it is dropped.
    pub fn enter(self: &Arc<Self>, partition: u32, mark: u32) -> Result<Guest, PluginError> {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner).clone();
        let lane = Lane { now, op: self.spec.op.clone(), partition, mark };
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(&partition);
        let instance = match kept {
            Some(mut instance) => {
                instance.rebind(lane);
                instance
            }
            None => {
                self.stats.instances.fetch_add(1, Ordering::Relaxed);
                Instance::open(&opening(&self.spec, &self.input), lane)?.0
            }
        };
        let (site, counters) = (Arc::clone(self), Counters::default());
        Ok(Guest { site, partition, instance: Some(instance), counters })
    }
}

fn opening<'a>(spec: &'a SiteSpec, input: &'a SchemaRef) -> Opening<'a> {
    Opening {
        plugin: &spec.plugin,
        function: spec.function,
        config: &spec.config,
        input,
        parents: spec.parents,
        limits: &spec.limits,
    }
}

/// Finds the columns that a function reads; all that is wrong at once.
fn agree(
    reads: &SchemaRef,
    available: &SchemaRef,
) -> Result<(Vec<usize>, SchemaRef), Vec<ReadProblem>> {
    let mut places = Vec::new();
    let mut problems = Vec::new();
    for wanted in reads.fields() {
        match available.index_of(wanted.name()) {
            Err(_) => problems.push(ReadProblem::Missing(Arc::clone(wanted))),
            Ok(place) => {
                let found = &available.fields()[place];
                let nulls = found.is_nullable() && !wanted.is_nullable();
                if found.data_type() != wanted.data_type() || nulls {
                    let (wanted, found) = (Arc::clone(wanted), Arc::clone(found));
                    problems.push(ReadProblem::Type { wanted, found });
                }
                places.push(place);
            }
        }
    }
    if problems.is_empty() { Ok((places, Arc::clone(reads))) } else { Err(problems) }
}

/// The columns that a function chose at `open`.
fn chosen(names: &[String], available: &SchemaRef) -> Result<(Vec<usize>, SchemaRef), String> {
    let places: Result<Vec<usize>, String> = names
        .iter()
        .map(|name| available.index_of(name).map_err(|_| format!("it wants a column `{name}`")))
        .collect();
    let places = places?;
    let fields: Vec<_> =
        places.iter().map(|place| Arc::clone(&available.fields()[*place])).collect();
    Ok((places, Arc::new(Schema::new(fields))))
}

/// An open function on loan to a lane. Dropped, a function that is pure stays open for the next
/// batch.
#[derive(Debug)]
pub struct Guest {
    site: Arc<CallSite>,
    partition: u32,
    instance: Option<Instance>,
    counters: Counters,
}

impl Deref for Guest {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        self.instance.as_ref().expect("it is there until it is dropped")
    }
}

impl DerefMut for Guest {
    fn deref_mut(&mut self) -> &mut Instance {
        self.instance.as_mut().expect("it is there until it is dropped")
    }
}

impl Guest {
    /// The site it belongs to.
    pub fn site(&self) -> &Arc<CallSite> {
        &self.site
    }

    /// Calls with rows and measures it. Metrics count only if the call succeeds.
    pub fn taking<T>(
        &mut self,
        rows: usize,
        rows_out: impl FnOnce(&T) -> usize,
        call: impl FnOnce(&mut Instance) -> Result<Called<T>, PluginError>,
    ) -> Result<Called<T>, PluginError> {
        let took = Stopwatch::start();
        let called = call(self);
        let counters = self.take_counters();
        let called = called?;
        self.site.stats.count(rows, rows_out(&called.value), took.elapsed());
        self.counters.merge(counters);
        Ok(called)
    }

    /// Calls without rows and measures it.
    pub fn giving<T>(
        &mut self,
        rows_out: impl FnOnce(&T) -> usize,
        call: impl FnOnce(&mut Instance) -> Result<T, PluginError>,
    ) -> Result<T, PluginError> {
        let took = Stopwatch::start();
        let value = call(self)?;
        self.site.stats.count(0, rows_out(&value), took.elapsed());
        Ok(value)
    }

    /// Throws the instance away, so that the next lane gets a fresh one.
    pub fn discard(mut self) {
        self.settle();
    }

    /// Hands the counters over; gives the instance.
    fn settle(&mut self) -> Option<Instance> {
        let mut instance = self.instance.take()?;
        instance.tell_dropped();
        let mut counters = std::mem::take(&mut self.counters);
        if !instance.broken() {
            counters.merge(instance.take_counters());
        }
        self.site.counters.lock().unwrap_or_else(PoisonError::into_inner).merge(counters);
        self.site.stats.memory_max.fetch_max(instance.memory_max(), Ordering::Relaxed);
        Some(instance)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let function = self.site.function();
        // The states of an aggregator belong to the batch, whatever it promises.
        let keep = function.determinism == Determinism::Pure
            && !matches!(function.kind, Kind::Aggregator | Kind::Transformer);
        if let Some(instance) = self.settle()
            && keep
            && !instance.broken()
        {
            let mut kept = self.site.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.insert(self.partition, instance);
        }
    }
}
