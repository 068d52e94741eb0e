//! The place in a plan that calls a function: what is the same for all its lanes and batches.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::aside::Aside;
use super::describe::{self, Function, brief};
use super::error::{CallFailure, PluginError};
use super::grant::{Counters, Rights};
use super::guest::Guest;
use super::instance::{Instance, Opening};
use super::lane::{BatchNow, Lane};
use super::load::Plugin;
use super::usage::SiteStats;
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
    /// The columns of the keys as an updater is to know them; for other kinds there are none.
    pub key: SchemaRef,
    /// Whether rows that come out must name their parents.
    pub parents: bool,
    /// The limits.
    pub limits: Limits,
    /// What is done with rows that the function can't take.
    pub on_error: OnError,
    /// What the function may see of the machine.
    pub rights: Arc<Rights>,
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
        let counters = Counters::new(spec.limits.metrics);
        let site = Arc::new(Self {
            spec,
            input,
            ports,
            port_names,
            now: RwLock::new(BatchNow::none()),
            kept: Mutex::default(),
            stats: SiteStats::default(),
            counters: Mutex::new(counters),
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

    /// The columns of the keys of an updater.
    pub fn key(&self) -> &SchemaRef {
        &self.spec.key
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

    /// What the function may see of the machine.
    pub fn rights(&self) -> &Rights {
        &self.spec.rights
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
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What becomes of rows of this batch that can't be taken.
    pub fn aside(&self) -> Aside {
        self.now.read().unwrap_or_else(PoisonError::into_inner).aside.clone()
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
                instance.rebind(lane)?;
                instance
            }
            None => {
                self.stats.made_instance();
                Instance::open(&opening(&self.spec, &self.input), lane)?.0
            }
        };
        Ok(Guest::new(Arc::clone(self), partition, instance))
    }

    /// Keeps an instance open for the next batch.
    pub(super) fn keep(&self, partition: u32, instance: Instance) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, instance);
    }

    /// An instance comes back: what it counted, and the most memory it had.
    pub(super) fn settle(&self, counters: Counters, memory_max: u64) {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).merge(counters);
        self.stats.saw_memory(memory_max);
    }
}

fn opening<'a>(spec: &'a SiteSpec, input: &'a SchemaRef) -> Opening<'a> {
    Opening {
        plugin: &spec.plugin,
        function: spec.function,
        config: &spec.config,
        input,
        key: &spec.key,
        parents: spec.parents,
        limits: &spec.limits,
        rights: &spec.rights,
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

/// The columns that a function chose at `open`, each of them once.
fn chosen(names: &[String], available: &SchemaRef) -> Result<(Vec<usize>, SchemaRef), String> {
    let mut places = Vec::new();
    for name in names {
        let Ok(place) = available.index_of(name) else {
            return Err(format!("it wants a column `{}`", brief(name)));
        };
        if places.contains(&place) {
            return Err(format!("it wants the column `{}` twice", brief(name)));
        }
        places.push(place);
    }
    let fields: Vec<_> =
        places.iter().map(|place| Arc::clone(&available.fields()[*place])).collect();
    Ok((places, Arc::new(Schema::new(fields))))
}
