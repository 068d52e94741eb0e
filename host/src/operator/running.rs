//! Aggregates that live on over batches: what a batch brings is merged with what is kept of each
//! key, kept again, and the keys that changed come out.
//!
//! The state is the aggregate's own partial state as columns, so that this node knows nothing of
//! counts or sums, and serves functions of plugins too. Each key comes once, because the node below
//! has merged the partial states of the lanes.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Fields, Schema, SchemaRef};
use datafusion::common::{Result, plan_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::Partitioning;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};

use super::begin::OpState;
use super::call::{ChunkStream, ChunkWork};
use super::merged::Merging;
use super::node::{plan_node, properties, state_failed};
use super::states::BatchStates;
use super::update::Keeping;
use crate::id::NodeId;
use crate::state::{Lane, StateSchema};

/// The node of an aggregate over batches. Its input merges partial states by key.
#[derive(Debug)]
pub struct RunningExec {
    op: NodeId,
    version: u32,
    complete: bool,
    input: Arc<dyn ExecutionPlan>,
    merging: Merging,
    state: StateSchema,
    properties: Arc<PlanProperties>,
}

/// The node as it is written down: the op, the version of its state, and whether all keys come
/// out with each batch.
pub type RunningV1 = (String, u32, bool);

/// What merges partial states by key, below a node that keeps them.
pub(super) fn merging(input: &Arc<dyn ExecutionPlan>) -> Result<Merging> {
    let Some(merged) = input.downcast_ref::<AggregateExec>() else {
        return plan_err!("an aggregate over batches needs partial states");
    };
    if *merged.mode() != AggregateMode::PartialReduce {
        return plan_err!("an aggregate over batches needs states that are merged by key");
    }
    Merging::new(merged.aggr_expr(), &input.schema())
}

impl RunningExec {
    /// Rows out: the key, then the result of each aggregate. `complete` says whether those of all
    /// keys come out with each batch, or only those that changed.
    pub fn new(
        op: NodeId,
        (version, complete): (u32, bool),
        input: Arc<dyn ExecutionPlan>,
    ) -> Result<Self> {
        let (merging, schema) = (merging(&input)?, input.schema());
        let state = merging.schema(version).map_err(state_failed)?;
        let keys = merging.keys;
        let key = schema.fields().iter().take(keys).map(Arc::clone);
        let fields: Fields = key.chain(merging.results()).collect();
        let fields = Arc::new(Schema::new(fields));
        let column = |place| Arc::new(Column::new(fields.field(place).name(), place)) as _;
        let partitions = input.output_partitioning().partition_count();
        let partitioning = Partitioning::Hash((0..keys).map(column).collect(), partitions);
        let properties = properties(&fields, partitioning);
        Ok(Self { op, version, complete, input, merging, state, properties })
    }

    /// What is kept.
    pub fn state(&self) -> OpState {
        let (op, schema) = (self.op.clone(), self.state.clone());
        OpState { op, schema, keeping: Keeping::default() }
    }

    /// The node as it is written down.
    pub fn record(&self) -> RunningV1 {
        (self.op.to_string(), self.version, self.complete)
    }

    /// The node that was written down.
    pub fn restore(record: &RunningV1, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Self::new(NodeId::new(record.0.as_str()), (record.1, record.2), input)
    }
}

impl DisplayAs for RunningExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunningExec: op={}", self.op)?;
        if self.complete { write!(f, ", mode=complete") } else { Ok(()) }
    }
}

impl ExecutionPlan for RunningExec {
    plan_node!("RunningExec", children: [input], rebuild: |node, mut children| {
        let how = (node.version, node.complete);
        Ok(Arc::new(Self::new(node.op.clone(), how, children.swap_remove(0))?))
    });

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let states = BatchStates::of(&context)?;
        let partitions = self.input.output_partitioning().partition_count();
        let lane = Some(states.lane(&self.op, partition, partitions)?);
        let input = self.input.execute(partition, context)?;
        let (schema, merging) = (self.schema(), self.merging.clone());
        let complete = self.complete.then(Vec::new);
        let work = Running { states, lane, merging, schema, complete };
        Ok(Box::pin(ChunkStream::new(input, self.schema(), work)))
    }
}

struct Running {
    states: Arc<BatchStates>,
    lane: Option<Lane>,
    merging: Merging,
    schema: SchemaRef,
    /// What came in this batch, if all keys are to come out.
    complete: Option<Vec<RecordBatch>>,
}

impl Running {
    fn given(&self, keys: &[ArrayRef], states: &[ArrayRef]) -> Result<RecordBatch> {
        let finished = self.merging.finish(keys, states)?;
        let columns = finished.keys.into_iter().chain(finished.results).collect();
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    /// All keys: what was kept of them, and what came.
    fn all(&self, lane: &Lane, came: &[RecordBatch]) -> Result<RecordBatch> {
        let mut rows = Vec::new();
        for kept in lane.scan() {
            rows.push(self.merging.rows(&kept.map_err(state_failed)?)?);
        }
        let rows = concat_batches(&self.merging.merged, rows.iter().chain(came))?;
        let (keys, states) = rows.columns().split_at(self.merging.keys);
        self.given(keys, states)
    }
}

impl ChunkWork for Running {
    fn chunk(&mut self, rows: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let Some(mut lane) = self.lane.take() else {
            return plan_err!("rows after the end of a batch");
        };
        let states = self.merging.merge(&mut lane, rows, &|_| Ok(None))?;
        self.lane = Some(lane);
        if let Some(came) = &mut self.complete {
            came.push(rows.clone());
            return Ok(Vec::new());
        }
        Ok(vec![self.given(&rows.columns()[..self.merging.keys], &states)?])
    }

    fn rest(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        let Some(lane) = self.lane.take() else { return Ok(None) };
        let all = self.complete.take().map(|came| self.all(&lane, &came)).transpose()?;
        self.states.leave(lane);
        Ok(all.map(|all| vec![all]))
    }
}
