//! Rows that a function keeps.

use std::fmt;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};

use super::call::{Call, CallV1, ChunkStream, ChunkWork, LaneGuest};
use super::node::{plan_node, spread};
use super::tolerate::Tolerant;

/// The node of a predicate.
#[derive(Debug)]
pub struct FilterExec {
    call: Call,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl FilterExec {
    /// Rows out have all columns of the rows in.
    pub fn new(call: Call, input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = spread(&input.schema(), input.output_partitioning().partition_count());
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

impl DisplayAs for FilterExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FilterExec: {}", self.call.describe(&self.input.schema()))
    }
}

impl ExecutionPlan for FilterExec {
    plan_node!("FilterExec", children: [input], rebuild: |node, mut children| {
        Ok(Arc::new(Self::new(node.call.clone(), children.swap_remove(0))))
    });

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let guest = LaneGuest::new(&self.call.site);
        let work = FilterWork { call: self.call.clone(), guest };
        Ok(Box::pin(ChunkStream::new(input, self.schema(), work)))
    }
}

struct FilterWork {
    call: Call,
    guest: LaneGuest,
}

impl ChunkWork for FilterWork {
    fn chunk(&mut self, rows: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let Self { call, guest } = self;
        let calls = Tolerant {
            guest,
            cross: &|rows| call.crossing(rows),
            rows_out: BooleanArray::true_count,
            work: &mut |instance, rows| instance.test(rows),
        };
        let taken = calls.take(rows)?.into_iter();
        taken.map(|taken| Ok(filter_record_batch(&taken.rows, &taken.called.value)?)).collect()
    }
}
