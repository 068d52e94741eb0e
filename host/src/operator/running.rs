//! Aggregates that live on over batches: what a batch brings is merged with what is kept of each
//! key, kept again, and the keys that changed come out.
//!
//! The state is the aggregate's own partial state as columns, so that this node knows nothing of
//! counts or sums, and serves functions of plugins too. Each key comes once, because the node below
//! has merged the partial states of the lanes.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StructArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{Field, FieldRef, Fields, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::Partitioning;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};

use super::call::{ChunkStream, ChunkWork};
use super::node::{plan_node, properties};
use super::states::{BatchStates, OpState};
use crate::id::NodeId;
use crate::state::{Lane, StateError, StateSchema};
use crate::types;

/// The node of an aggregate over batches. Its input merges partial states by key.
#[derive(Debug)]
pub struct RunningExec {
    op: NodeId,
    version: u32,
    input: Arc<dyn ExecutionPlan>,
    aggregates: Vec<Arc<AggregateFunctionExpr>>,
    state: StateSchema,
    properties: Arc<PlanProperties>,
}

/// The node as it is written down: the op, and the version of its state.
pub type RunningV1 = (String, u32);

impl RunningExec {
    /// Rows out: the key, then the result of each aggregate.
    pub fn new(op: NodeId, version: u32, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let Some(merged) = input.downcast_ref::<AggregateExec>() else {
            return plan_err!("an aggregate over batches needs partial states");
        };
        if *merged.mode() != AggregateMode::PartialReduce {
            return plan_err!("an aggregate over batches needs states that are merged by key");
        }
        let aggregates = merged.aggr_expr().to_vec();
        let schema = input.schema();
        let states = aggregates.iter().map(|one| one.state_fields().map(|fields| fields.len()));
        let states: usize = states.sum::<Result<usize>>()?;
        let keys = schema.fields().len().saturating_sub(states);
        let state = state_schema(&schema, keys, &aggregates, version).map_err(failed)?;
        let results = aggregates.iter().map(|aggregate| aggregate.field());
        let fields: Fields =
            schema.fields().iter().take(keys).map(Arc::clone).chain(results).collect();
        let fields = Arc::new(Schema::new(fields));
        let column = |place| Arc::new(Column::new(fields.field(place).name(), place)) as _;
        let partitions = input.output_partitioning().partition_count();
        let partitioning = Partitioning::Hash((0..keys).map(column).collect(), partitions);
        let properties = properties(&fields, partitioning);
        Ok(Self { op, version, input, aggregates, state, properties })
    }

    /// What is kept.
    pub fn state(&self) -> OpState {
        OpState { op: self.op.clone(), schema: self.state.clone() }
    }

    /// The node as it is written down.
    pub fn record(&self) -> RunningV1 {
        (self.op.to_string(), self.version)
    }

    /// The node that was written down.
    pub fn restore(record: &RunningV1, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Self::new(NodeId::new(record.0.as_str()), record.1, input)
    }
}

/// The key, and the partial state of each aggregate in types that are kept.
fn state_schema(
    merged: &SchemaRef,
    keys: usize,
    aggregates: &[Arc<AggregateFunctionExpr>],
    version: u32,
) -> std::result::Result<StateSchema, StateError> {
    let kept = |field: &Field, name: String| {
        let data_type = types::standard(field.data_type());
        Field::new(name, data_type.unwrap_or_else(|| field.data_type().clone()), true)
    };
    let key = merged.fields().iter().take(keys);
    let key: Vec<Field> = key.map(|field| kept(field, field.name().clone())).collect();
    let mut states = Vec::new();
    for aggregate in aggregates {
        let fields = aggregate.state_fields().unwrap_or_default();
        let many = fields.len() > 1;
        for (number, field) in fields.iter().enumerate() {
            let name = match many {
                true => format!("{}.{}", aggregate.name(), number + 1),
                false => aggregate.name().to_owned(),
            };
            states.push(kept(field, name));
        }
    }
    StateSchema::new(version, key.into(), states.into())
}

fn failed(error: StateError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

impl DisplayAs for RunningExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunningExec: op={}", self.op)
    }
}

impl ExecutionPlan for RunningExec {
    plan_node!("RunningExec", children: [input], rebuild: |node, mut children| {
        Ok(Arc::new(Self::new(node.op.clone(), node.version, children.swap_remove(0))?))
    });

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let states = BatchStates::of(&context)?;
        let partitions = self.input.output_partitioning().partition_count();
        let lane = states.lane(&self.op, partition, partitions)?;
        let input = self.input.execute(partition, context)?;
        let merged = self.input.schema();
        let (schema, aggregates) = (self.schema(), self.aggregates.clone());
        let keys = self.state.key().fields().len();
        let work = Running { states, lane: Some(lane), aggregates, keys, merged, schema };
        Ok(Box::pin(ChunkStream::new(input, self.schema(), work)))
    }
}

struct Running {
    states: Arc<BatchStates>,
    lane: Option<Lane>,
    aggregates: Vec<Arc<AggregateFunctionExpr>>,
    keys: usize,
    merged: SchemaRef,
    schema: SchemaRef,
}

/// Partial states, for some of the groups of a chunk.
struct Part {
    columns: Vec<ArrayRef>,
    groups: Vec<usize>,
}

impl Running {
    /// What was kept of the keys that had a state, in the types of the aggregates.
    fn prior(&self, state: &StructArray) -> Result<Part> {
        let there: Vec<u32> =
            (0..state.len()).filter(|row| state.is_valid(*row)).map(|row| row as u32).collect();
        let fields = self.merged.fields().iter().skip(self.keys);
        let rows = UInt32Array::from(there.clone());
        let columns = state.columns().iter().zip(fields).map(|(column, field): (_, &FieldRef)| {
            Ok(cast(&take(column, &rows, None)?, field.data_type())?)
        });
        let groups = there.into_iter().map(|row| row as usize).collect();
        Ok(Part { columns: columns.collect::<Result<_>>()?, groups })
    }

    /// Merges states, the earlier ones first; gives the states and the results.
    fn merge(&self, parts: &[Part], total: usize) -> Result<(Vec<ArrayRef>, Vec<ArrayRef>)> {
        let (mut states, mut results) = (Vec::new(), Vec::new());
        let mut first = 0;
        for aggregate in &self.aggregates {
            let places = first..first + aggregate.state_fields()?.len();
            first = places.end;
            let mut merged = aggregate.create_groups_accumulator()?;
            for part in parts.iter().filter(|part| !part.groups.is_empty()) {
                merged.merge_batch(&part.columns[places.clone()], &part.groups, total)?;
            }
            let state = merged.state(EmitTo::All)?;
            let mut finished: Box<dyn GroupsAccumulator> = aggregate.create_groups_accumulator()?;
            finished.merge_batch(&state, &(0..total).collect::<Vec<_>>(), total)?;
            results.push(finished.evaluate(EmitTo::All)?);
            states.extend(state);
        }
        Ok((states, results))
    }

    /// Keeps states.
    fn keep(lane: &mut Lane, keys: &crate::state::Keys, states: &[ArrayRef]) -> Result<()> {
        let schema = Arc::clone(lane.schema().state());
        let columns = states.iter().zip(schema.fields());
        let columns: Vec<ArrayRef> = columns
            .map(|(column, field)| Ok(cast(column, field.data_type())?))
            .collect::<Result<_>>()?;
        lane.upsert(keys, &RecordBatch::try_new(schema, columns)?, None).map_err(failed)
    }
}

impl ChunkWork for Running {
    fn chunk(&mut self, rows: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let Some(mut lane) = self.lane.take() else {
            return plan_err!("rows after the end of a batch");
        };
        let total = rows.num_rows();
        let (key, states) = rows.columns().split_at(self.keys);
        let kept = lane.schema().key().fields().iter().zip(key);
        let kept: Vec<ArrayRef> = kept
            .map(|(field, column)| Ok(cast(column, field.data_type())?))
            .collect::<Result<_>>()?;
        let keys = lane.keys(&kept).map_err(failed)?;
        let prior = self.prior(&lane.read(&keys).map_err(failed)?.state)?;
        let new = Part { columns: states.to_vec(), groups: (0..total).collect() };
        let (states, results) = self.merge(&[prior, new], total)?;
        Self::keep(&mut lane, &keys, &states)?;
        self.lane = Some(lane);
        let columns = key.iter().cloned().chain(results).collect();
        Ok(vec![RecordBatch::try_new(Arc::clone(&self.schema), columns)?])
    }

    fn rest(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        if let Some(lane) = self.lane.take() {
            self.states.leave(lane);
        }
        Ok(None)
    }
}
