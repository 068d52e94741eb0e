//! The leaves of a plan, and how they get the input of a batch.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use super::build::JobPlan;
use super::session::Resources;
use crate::id::NodeId;
use crate::operator::{PlanRun, spread};
use crate::plugin::{BatchNow, Interrupt};
use crate::source::{RowReader, Source, SourceRange};

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
}

/// A plan with the input of one batch.
pub struct Bound {
    pub(super) sinks: Vec<Arc<dyn ExecutionPlan>>,
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
    pub fn bind(&self, bindings: Bindings, now: BatchNow, resources: &Resources) -> Result<Bound> {
        let progress = Arc::new(Progress::default());
        let interrupt = now.interrupt.clone();
        let run = Arc::new(PlanRun::new(Arc::clone(resources.lanes()), interrupt.clone()));
        let input = Arc::new(Input { bindings, progress: Arc::clone(&progress) });
        let config = self
            .config
            .clone()
            .with_extension(run)
            .with_extension(input)
            .with_extension(Arc::clone(&self.sites));
        let context = TaskContext::default()
            .with_session_config(config)
            .with_runtime(Arc::clone(resources.runtime()));
        let plans = self.sinks.iter().map(|sink| reset_plan_states(Arc::clone(&sink.plan)));
        Ok(Bound {
            sinks: plans.collect::<Result<_>>()?,
            context: Arc::new(context),
            interrupt,
            now,
            progress,
        })
    }
}

/// The leaf of a source: reads what the batch binds to it.
#[derive(Debug)]
pub struct SourceExec {
    source: NodeId,
    partitions: usize,
    properties: Arc<PlanProperties>,
}

impl SourceExec {
    /// The leaf of a source with these columns.
    pub fn new(source: NodeId, schema: &SchemaRef, partitions: usize) -> Self {
        Self { source, partitions, properties: spread(schema, partitions) }
    }

    /// The source.
    pub fn source(&self) -> &NodeId {
        &self.source
    }

    /// Lanes that read it.
    pub fn partitions(&self) -> usize {
        self.partitions
    }
}

impl DisplayAs for SourceExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceExec: source={}, partitions={}", self.source, self.partitions)
    }
}

impl ExecutionPlan for SourceExec {
    crate::operator::plan_node!("SourceExec", children: [], rebuild: |node, _| {
        Ok(Arc::new(Self::new(node.source.clone(), &node.schema(), node.partitions)))
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
        let carried = |error| DataFusionError::External(Box::new(error));
        let reader = source.read(range, partition, self.partitions).map_err(carried)?;
        let schema = self.schema();
        let rows = Rows { reader, run, progress: Arc::clone(&input.progress) };
        let rows = std::iter::from_fn({
            let mut rows = rows;
            move || rows.next().transpose()
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(rows))))
    }
}

struct Rows {
    reader: Box<dyn RowReader>,
    run: Arc<PlanRun>,
    progress: Arc<Progress>,
}

impl Rows {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.run.given_up() {
            return Ok(None);
        }
        let rows =
            self.reader.next().map_err(|error| DataFusionError::External(Box::new(error)))?;
        let count = rows.as_ref().map_or(0, RecordBatch::num_rows);
        self.progress.count(self.reader.bytes_read(), count);
        Ok(rows)
    }
}
