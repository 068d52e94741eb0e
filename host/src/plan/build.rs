//! From a job to its plan, once: every entry to a plan over taps, then all joined.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result as PlanResult};
use datafusion::physical_expr::Partitioning;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::prelude::SessionConfig;

use super::assemble::{Assembly, TapExec};
use super::bind::{Reading, SourceExec};
use super::call::{self, Caller, Loaded};
use super::initial::Initial;
use super::job_plan::{JobPlan, SinkPlan};
use super::session::{self, Settings};
use super::sql::{self, Planner, Table};
use super::timing::{EventTime, Timing, unwatched};
use super::{drain, keyed, mismatch, origin, windows};
use crate::id::{NodeId, SinkId};
use crate::job::{
    CallSpec, FunctionSpec, Input, Job, JobError, Mode, OpBody, OpSpec, Problem, Span, SqlSpec,
};
use crate::operator::{
    Call, ChannelId, ExchangeExec, FilterExec, FlatMapExec, MapExec, OpState, Routing, Sites,
    TransformExec,
};
use crate::plugin::{CallSite, Kind};

/// One entry of the job: a plan, and what comes out of its ports.
pub(super) struct Entry {
    pub(super) plan: Arc<dyn ExecutionPlan>,
    pub(super) ports: Vec<(String, SchemaRef)>,
}

pub(super) struct Builder<'a> {
    pub(super) job: &'a Job,
    pub(super) loaded: &'a Loaded,
    pub(super) partitions: usize,
    pub(super) config: SessionConfig,
    pub(super) entries: HashMap<NodeId, Entry>,
    pub(super) order: Vec<NodeId>,
    pub(super) functions: Vec<Arc<CallSite>>,
    pub(super) sites: Sites,
    pub(super) states: Vec<OpState>,
    pub(super) timing: Timing,
    pub(super) event_times: HashMap<NodeId, EventTime>,
    pub(super) modes: HashMap<NodeId, (Mode, Span)>,
    pub(super) initial: Vec<Initial>,
    pub(super) problems: Vec<Problem>,
    pub(super) broken: Vec<NodeId>,
    pub(super) carriers: HashSet<NodeId>,
    pub(super) next_id: ChannelId,
}

/// Builds the plan of a job whose sources have these columns. All problems come at once.
pub fn build(
    job: &Job,
    loaded: &Loaded,
    sources: &HashMap<NodeId, SchemaRef>,
    settings: &Settings,
) -> Result<JobPlan, JobError> {
    let failed = |problems| JobError { text: Arc::clone(&job.text), problems };
    let internal = |error: DataFusionError| failed(vec![mismatch::internal(&error)]);
    let mut builder = Builder {
        job,
        loaded,
        partitions: settings.parallelism,
        config: session::config(settings).map_err(internal)?,
        entries: HashMap::new(),
        order: Vec::new(),
        functions: Vec::new(),
        sites: Sites::default(),
        states: Vec::new(),
        timing: Timing::default(),
        event_times: HashMap::new(),
        modes: HashMap::new(),
        initial: Vec::new(),
        problems: Vec::new(),
        broken: Vec::new(),
        carriers: origin::carriers(job, loaded),
        next_id: 0,
    };
    (builder.modes, builder.problems) = windows::modes(job, |op| builder.read_by(op));
    builder.sources(sources);
    job.functions.iter().for_each(|function| builder.function(function));
    for op in &job.ops {
        builder.op(op);
    }
    let roots = builder.roots();
    match builder.problems.is_empty() {
        true => builder.join(roots).map_err(internal),
        false => Err(failed(builder.problems)),
    }
}

impl Builder<'_> {
    pub(super) fn id(&mut self) -> ChannelId {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn add(
        &mut self,
        id: &NodeId,
        plan: Arc<dyn ExecutionPlan>,
        ports: Vec<(String, SchemaRef)>,
    ) {
        self.order.push(id.clone());
        self.entries.insert(id.clone(), Entry { plan, ports });
    }

    pub(super) fn single(&mut self, id: &NodeId, plan: Arc<dyn ExecutionPlan>) {
        let ports = vec![(String::new(), plan.schema())];
        self.add(id, plan, ports);
    }

    fn sources(&mut self, schemas: &HashMap<NodeId, SchemaRef>) {
        for (number, source) in self.job.sources.iter().enumerate() {
            let Some(schema) = schemas.get(&source.id) else {
                let message = format!("the columns of source `{}` are not known yet", source.id);
                self.problems.push(
                    Problem::new("WEIR-PLAN-009", message)
                        .at(source.span.clone(), "")
                        .help("there is no input to infer them from: give the source a `schema`"),
                );
                self.broken.push(source.id.clone());
                continue;
            };
            let reading = Reading {
                number: u8::try_from(number).unwrap_or(u8::MAX),
                on_error: source.on_error,
                origins: self.carriers.contains(&source.id),
            };
            let leaf = SourceExec::new(source.id.clone(), schema, self.partitions, reading);
            match self.watched(&source.id, source.event_time.as_ref(), Arc::new(leaf)) {
                Ok(plan) => self.single(&source.id, plan),
                Err(error) => self.problems.push(mismatch::internal(&error)),
            }
        }
    }

    /// What an entry reads; `None` where that is broken already or a problem now.
    pub(super) fn tap(&mut self, input: &Input) -> Option<Arc<dyn ExecutionPlan>> {
        self.full_tap(input).and_then(|tap| origin::stripped(tap).ok())
    }

    /// The same, with the hidden column if there is one.
    pub(super) fn full_tap(&mut self, input: &Input) -> Option<Arc<dyn ExecutionPlan>> {
        if self.broken.contains(&input.node) {
            return None;
        }
        let entry = self.entries.get(&input.node)?;
        let place = match &input.port {
            None => 0,
            Some(port) => match entry.ports.iter().position(|(name, _)| name == port) {
                Some(place) => place,
                None => {
                    let problem = mismatch::no_port(input, port, &entry.ports);
                    self.problems.push(problem);
                    return None;
                }
            },
        };
        if input.port.as_deref() == Some(windows::LATE)
            && let Some(tap) = self.late_tap(&input.node)
        {
            return Some(tap);
        }
        let schema = &entry.ports[place].1;
        let partitioning = match place {
            0 => entry.plan.output_partitioning().clone(),
            _ => Partitioning::UnknownPartitioning(
                entry.plan.output_partitioning().partition_count(),
            ),
        };
        let before = unwatched(&input.node);
        let node =
            if place > 0 && self.entries.contains_key(&before) { &before } else { &input.node };
        Some(Arc::new(TapExec::new(node.clone(), place, schema, partitioning)))
    }

    fn op(&mut self, op: &OpSpec) {
        let before = self.problems.len();
        let built = match &op.body {
            OpBody::Wasm(spec) => self.wasm(op, spec),
            OpBody::Sql(spec) => self.sql(op, spec),
            OpBody::Native(spec) => self.native(op, spec),
        };
        match built {
            Ok(true) => self.timed(op),
            Ok(false) => self.broken.push(op.id.clone()),
            Err(error) => {
                if self.problems.len() == before {
                    let problem = mismatch::internal(&error).at(op.span.clone(), "");
                    self.problems.push(problem);
                }
                self.broken.push(op.id.clone());
            }
        }
    }

    fn wasm(&mut self, op: &OpSpec, spec: &CallSpec) -> PlanResult<bool> {
        let Some(input) = op.from.first().and_then(|from| self.full_tap(from)) else {
            return Ok(false);
        };
        let caller = Caller { id: op.id.as_str(), folder: &self.job.folder, spec };
        let carries = self.carriers.contains(&op.id);
        let call = match call::call(self.loaded, &caller, &input.schema(), carries) {
            Ok(call) => call,
            Err(problems) => {
                self.problems.extend(problems);
                return Ok(false);
            }
        };
        self.sites.insert(Arc::clone(&call.site));
        let schema = input.schema();
        let outputs = |call: &Call| {
            let names = call.site.port_names().iter().cloned();
            names.enumerate().map(|(port, name)| (name, call.output(&schema, port))).collect()
        };
        let (id, channel) = (&op.id, self.id());
        let kind = call.site.function().kind;
        if let Some(problem) = keyed::wrong_across(op, Some((spec, kind))) {
            self.problems.push(problem);
            return Ok(false);
        }
        match kind {
            Kind::Mapper => self.single(id, Arc::new(MapExec::new(call, input))),
            Kind::Predicate => self.single(id, Arc::new(FilterExec::new(call, input))),
            Kind::FlatMapper => {
                self.add(id, Arc::new(FlatMapExec::new(call.clone(), 0, input)), outputs(&call));
            }
            Kind::Transformer => {
                let ports = outputs(&call);
                let gathered = Arc::new(ExchangeExec::new(channel, Routing::Gather, input));
                self.add(id, Arc::new(TransformExec::new(call, 0, gathered)?), ports);
            }
            Kind::Aggregator => return self.aggregator((op, spec), &call, input, channel),
            Kind::Updater => return self.updater((op, spec), call, input, channel),
        }
        Ok(true)
    }

    /// An entry as a query knows it.
    fn table(&self, node: NodeId) -> Option<Table> {
        let entry = self.entries.get(&node)?;
        let schema = Arc::clone(&entry.ports[0].1);
        let partitioning = entry.plan.output_partitioning().clone();
        Some(Table { node, schema, partitioning })
    }

    fn sql(&mut self, op: &OpSpec, spec: &SqlSpec) -> PlanResult<bool> {
        let named = op.from.iter().map(|from| from.node.clone());
        let mut tables: Vec<NodeId> = named.collect();
        if tables.is_empty() {
            tables.clone_from(&self.order);
        }
        let reads = sql::tables_of(&spec.sql).unwrap_or_default();
        if reads.iter().any(|name| self.broken.iter().any(|broken| broken.as_str() == name)) {
            return Ok(false);
        }
        let tables: Vec<Table> = tables.into_iter().filter_map(|node| self.table(node)).collect();
        let mut next = self.next_id;
        let planned = self.planner().plan(&spec.sql, &tables, &mut || {
            next += 1;
            next
        });
        self.next_id = next;
        match planned {
            Ok(planned) if planned.reads.is_empty() => {
                self.problems.push(
                    Problem::new("WEIR-PLAN-011", "the query reads no entry of the job")
                        .at(spec.span.clone(), "")
                        .help("name a source or op above as a table, such as `FROM words`"),
                );
                Ok(false)
            }
            Ok(planned) => {
                self.single(&op.id, planned.plan);
                Ok(true)
            }
            Err(error) => {
                self.problems.push(mismatch::wrong_sql(spec, &error, &tables));
                Ok(false)
            }
        }
    }

    fn planner(&self) -> Planner<'_> {
        Planner {
            config: &self.config,
            functions: &self.functions,
            time: self.sites.time(),
            partitions: self.partitions,
        }
    }

    fn function(&mut self, function: &FunctionSpec) {
        let spec = &function.call;
        if sql::is_known_function(function.id.as_str()) {
            let message = format!("SQL has a function `{}` already", function.id);
            return self.problems.push(
                Problem::new("WEIR-PLAN-016", message)
                    .at(function.span.clone(), "")
                    .help("give the entry another `id`: that is its name in queries"),
            );
        }
        let (plugin, place) = match self.loaded.function(spec) {
            Ok(found) => found,
            Err(problem) => return self.problems.push(problem),
        };
        let described = &plugin.functions()[place];
        if !matches!(described.kind, Kind::Mapper | Kind::Aggregator) {
            let message = format!("{} can't be called in SQL", described.kind.one());
            return self.problems.push(
                Problem::new("WEIR-PLAN-012", message).at(spec.call_span.clone(), "").help(
                    "mappers are scalar functions and aggregators are aggregates; others are ops",
                ),
            );
        }
        let Some(reads) = described.reads.clone() else {
            return self.problems.push(
                Problem::new("WEIR-PLAN-012", "its columns are decided only when it is opened")
                    .at(spec.call_span.clone(), "")
                    .help("such a function can be an op, but not a function of SQL"),
            );
        };
        let caller = Caller { id: function.id.as_str(), folder: &self.job.folder, spec };
        match call::call(self.loaded, &caller, &reads, false) {
            Ok(call) => {
                self.sites.insert(Arc::clone(&call.site));
                self.functions.push(call.site);
            }
            Err(problems) => self.problems.extend(problems),
        }
    }

    fn roots(&mut self) -> Vec<(SinkId, Arc<dyn ExecutionPlan>)> {
        let job = self.job;
        let tapped = job.sinks.iter().map(|sink| (sink.id.clone(), self.tap(&sink.from)));
        let tapped: Vec<_> = tapped.collect();
        tapped.into_iter().filter_map(|(id, tap)| Some((id, tap?))).collect()
    }

    fn join(self, roots: Vec<(SinkId, Arc<dyn ExecutionPlan>)>) -> PlanResult<JobPlan> {
        let plans: HashMap<NodeId, Arc<dyn ExecutionPlan>> =
            self.entries.into_iter().map(|(id, entry)| (id, entry.plan)).collect();
        let mut trees: Vec<_> = roots.iter().map(|(_, tree)| Arc::clone(tree)).collect();
        let drained = drain::drained(self.job, &self.states, &plans);
        trees.extend(drained.iter().cloned());
        let mut assembly = Assembly::new(&plans, &trees, self.next_id + 1)?;
        let sinks = roots
            .into_iter()
            .map(|(id, tree)| Ok(SinkPlan { id, plan: assembly.join(&tree)? }))
            .collect::<PlanResult<Vec<_>>>()?;
        for sink in &sinks {
            if let Some(node) = sql::unordered(&sink.plan) {
                return datafusion::common::internal_err!("{node} is left in the plan");
            }
        }
        let drains = drained.iter().map(|tree| assembly.join(tree));
        let drains = drains.collect::<PlanResult<Vec<_>>>()?;
        let (sites, states, initial) = (Arc::new(self.sites), self.states, self.initial);
        let timing = self.timing;
        Ok(JobPlan { sinks, drains, sites, states, timing, initial, config: self.config })
    }
}
