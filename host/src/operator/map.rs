//! One row out for a row in, by a function.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};

use super::call::{Call, CallV1, ChunkStream, ChunkWork, LaneGuest};
use super::node::{plan_node, spread};
use super::tolerate::Tolerant;

/// The node of a mapper.
#[derive(Debug)]
pub struct MapExec {
    call: Call,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl MapExec {
    /// Rows out: the kept columns, then the function's.
    pub fn new(call: Call, input: Arc<dyn ExecutionPlan>) -> Self {
        let schema = call.output(&input.schema(), 0);
        let properties = spread(&schema, input.output_partitioning().partition_count());
        Self { call, input, properties }
    }

    /// The node as it is written down.
    pub fn record(&self) -> CallV1 {
        self.call.record()
    }

    /// The node that was written down.
    pub fn restore(
        record: &CallV1,
        input: Arc<dyn ExecutionPlan>,
        context: &TaskContext,
    ) -> Result<Self> {
        Ok(Self::new(Call::restore(record, context)?, input))
    }
}

impl DisplayAs for MapExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MapExec: {}", self.call.describe(&self.input.schema()))
    }
}

impl ExecutionPlan for MapExec {
    plan_node!("MapExec", children: [input], rebuild: |node, mut children| {
        Ok(Arc::new(Self::new(node.call.clone(), children.swap_remove(0))))
    });

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let guest = LaneGuest::new(&self.call.site);
        let work = MapWork { call: self.call.clone(), guest, schema: self.schema() };
        Ok(Box::pin(ChunkStream::new(input, self.schema(), work)))
    }
}

struct MapWork {
    call: Call,
    guest: LaneGuest,
    schema: SchemaRef,
}

impl ChunkWork for MapWork {
    fn chunk(&mut self, rows: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let Self { call, guest, schema } = self;
        let (port, kept) = (&call.site.ports()[0], call.kept());
        let calls = Tolerant {
            guest,
            cross: &|rows| call.crossing(rows),
            rows_out: RecordBatch::num_rows,
            work: &mut |instance, rows| instance.map(rows, port),
        };
        let taken = calls.take(rows)?.into_iter();
        taken
            .map(|taken| call.beside(&taken.accepted(&kept)?, &taken.called.value, schema))
            .collect()
    }
}
