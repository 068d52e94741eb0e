//! The leaves of a plan, and how they get the input of a batch.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use super::job_plan::JobPlan;
use super::origin::with_origin;
use super::session::Resources;
use crate::id::NodeId;
use crate::operator::{BatchStates, PlanRun, spread};
use crate::plugin::{Aside, BatchNow, Interrupt};
use crate::row_error::{OnError, Origin, Refused};
use crate::source::{BadRow, ReadMode, RowReader, Source, SourceRange};

/// What each source gives to one batch.
#[derive(Clone, Default)]
pub struct Bindings(HashMap<NodeId, (Arc<dyn Source>, SourceRange)>);

impl Bindings {
    /// Binds a source.
    pub fn bind(&mut self, source: NodeId, reader: Arc<dyn Source>, range: SourceRange) {
        self.0.insert(source, (reader, range));
    }
}

/// Progress of reading: how many bytes and rows of input were read so far.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: std::sync::atomic::AtomicU64,
    rows: std::sync::atomic::AtomicU64,
}

impl Progress {
    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Rows read so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn count(&self, bytes: u64, rows: usize) {
        self.bytes.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        self.rows.fetch_add(rows as u64, std::sync::atomic::Ordering::Relaxed);
    }
}

/// What the leaves find in the task context.
struct Input {
    bindings: Bindings,
    progress: Arc<Progress>,
    aside: Aside,
}

/// A plan with the input of one batch.
pub struct Bound {
    pub(super) sinks: Vec<Arc<dyn ExecutionPlan>>,
    pub(super) drains: Vec<Arc<dyn ExecutionPlan>>,
    pub(super) context: Arc<TaskContext>,
    pub(super) interrupt: Interrupt,
    pub(super) now: BatchNow,
    progress: Arc<Progress>,
}

impl Bound {
    /// How far reading has come.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}

impl JobPlan {
    /// Binds the input of a batch. The nodes stay; only what DataFusion's own nodes remember of the
    /// last run is reset.
    pub fn bind(
        &self,
        bindings: Bindings,
        now: BatchNow,
        states: Arc<BatchStates>,
        resources: &Resources,
    ) -> Result<Bound> {
        let progress = Arc::new(Progress::default());
        let interrupt = now.interrupt.clone();
        let run = Arc::new(PlanRun::new(Arc::clone(resources.lanes()), interrupt.clone()));
        let input =
            Arc::new(Input { bindings, progress: Arc::clone(&progress), aside: now.aside.clone() });
        let config = self
            .config
            .clone()
            .with_extension(run)
            .with_extension(input)
            .with_extension(states)
            .with_extension(Arc::clone(&self.sites));
        let context = TaskContext::default()
            .with_session_config(config)
            .with_runtime(Arc::clone(resources.runtime()));
        let plans = self.sinks.iter().map(|sink| reset_plan_states(Arc::clone(&sink.plan)));
        let drains = self.drains.iter().map(|plan| reset_plan_states(Arc::clone(plan)));
        Ok(Bound {
            sinks: plans.collect::<Result<_>>()?,
            drains: drains.collect::<Result<_>>()?,
            context: Arc::new(context),
            interrupt,
            now,
            progress,
        })
    }
}

/// How a source is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Which of the job's sources it is, from 0.
    pub number: u8,
    /// What is done with input that is no row.
    pub on_error: OnError,
    /// Whether rows say where they were read, in a hidden last column.
    pub origins: bool,
}

/// Origins have the number of their source above these bits.
const SOURCE_BITS: u32 = 56;

/// The number of the source of an origin, and what it is within that.
pub fn origin_of(origin: Origin) -> (usize, u64) {
    ((origin >> SOURCE_BITS) as usize, origin & ((1 << SOURCE_BITS) - 1))
}

/// The leaf of a source: reads what the batch binds to it.
#[derive(Debug)]
pub struct SourceExec {
    source: NodeId,
    partitions: usize,
    reading: Reading,
    properties: Arc<PlanProperties>,
}

impl SourceExec {
    /// The leaf of a source with these columns.
    pub fn new(source: NodeId, schema: &SchemaRef, partitions: usize, reading: Reading) -> Self {
        let properties = match reading.origins {
            true => spread(&with_origin(schema), partitions),
            false => spread(schema, partitions),
        };
        Self { source, partitions, reading, properties }
    }

    /// The source.
    pub fn source(&self) -> &NodeId {
        &self.source
    }

    /// Lanes that read it.
    pub fn partitions(&self) -> usize {
        self.partitions
    }

    /// How it is read.
    pub fn reading(&self) -> Reading {
        self.reading
    }
}

impl DisplayAs for SourceExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceExec: source={}, partitions={}", self.source, self.partitions)?;
        match self.reading.on_error {
            OnError::Fail => Ok(()),
            policy => write!(f, ", on_error={policy}"),
        }
    }
}

impl ExecutionPlan for SourceExec {
    crate::operator::plan_node!("SourceExec", children: [], rebuild: |node, _| {
        let schema = super::origin::public(&node.schema());
        Ok(Arc::new(Self::new(node.source.clone(), &schema, node.partitions, node.reading)))
    });

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let run = PlanRun::of(&context)?;
        let input = context.session_config().get_extension::<Input>();
        let input = input.ok_or_else(|| internal_datafusion_err!("a plan was run unbound"))?;
        let Some((source, range)) = input.bindings.0.get(self.source.as_str()) else {
            return Err(internal_datafusion_err!("source `{}` is not bound", self.source));
        };
        let mode = ReadMode {
            tolerant: self.reading.on_error != OnError::Fail,
            origins: self.reading.origins,
        };
        let reader = source.read(range, (partition, self.partitions), mode).map_err(external)?;
        let schema = self.schema();
        let mut rows = Rows {
            reader,
            run,
            input,
            source: self.source.clone(),
            reading: self.reading,
            schema: Arc::clone(&schema),
        };
        let rows = std::iter::from_fn(move || rows.next().transpose());
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(rows))))
    }
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

struct Rows {
    reader: Box<dyn RowReader>,
    run: Arc<PlanRun>,
    input: Arc<Input>,
    source: NodeId,
    reading: Reading,
    schema: SchemaRef,
}

impl Rows {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.run.given_up() {
            return Ok(None);
        }
        let rows = self.reader.next().map_err(external)?;
        let count = rows.as_ref().map_or(0, RecordBatch::num_rows);
        self.input.progress.count(self.reader.bytes_read(), count);
        for bad in self.reader.refused() {
            self.refuse(bad)?;
        }
        match rows {
            Some(rows) if self.reading.origins => self.with_origins(&rows).map(Some),
            rows => Ok(rows),
        }
    }

    fn origin(&self, within: u64) -> Origin {
        (u64::from(self.reading.number) << SOURCE_BITS) | (within & ((1 << SOURCE_BITS) - 1))
    }

    fn with_origins(&mut self, rows: &RecordBatch) -> Result<RecordBatch> {
        let origins = self.reader.origins();
        if origins.len() != rows.num_rows() {
            return Err(internal_datafusion_err!(
                "source `{}` gave {} origins for {} rows",
                self.source,
                origins.len(),
                rows.num_rows()
            ));
        }
        let origins: UInt64Array = origins.into_iter().map(|within| self.origin(within)).collect();
        let mut columns = rows.columns().to_vec();
        columns.push(Arc::new(origins));
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    fn refuse(&self, bad: BadRow) -> Result<()> {
        let aside = &self.input.aside;
        let letter = self.reading.on_error == OnError::DeadLetter;
        let refused = Refused {
            at: self.source.to_string(),
            origin: letter.then(|| aside.place(self.origin(bad.origin))),
            row: (letter && aside.shows_rows()).then_some(bad.content),
            code: bad.error.code(),
            message: bad.error.to_string(),
            ..Refused::default()
        };
        aside.refuse(self.reading.on_error, refused).map_err(external)
    }
}
