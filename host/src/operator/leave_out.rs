//! Groups without a result, told with their key and left out.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, UInt64Type};
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};

use super::call::{Call, CallV1, ChunkStream, ChunkWork, LaneGuest};
use super::node::{plan_node, spread};
use super::results::REFUSED;
use super::tolerate::{mark, put};
use crate::plugin::CallSite;

/// The node above an aggregator that goes on after failures: rows in are the key and the marked
/// results of [`super::WasmAggregate`], rows out are the key and the function's columns.
#[derive(Debug)]
pub struct LeaveOutExec {
    call: Call,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl LeaveOutExec {
    /// The last column of the input are the results.
    pub fn new(call: Call, input: Arc<dyn ExecutionPlan>) -> Self {
        let schema = input.schema();
        let key = schema.fields().iter().take(schema.fields().len().saturating_sub(1));
        let given = call.site.ports()[0].fields().iter();
        let fields: Vec<_> = key.chain(given).map(Arc::clone).collect();
        let schema = Arc::new(Schema::new(fields));
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

impl DisplayAs for LeaveOutExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LeaveOutExec: op={}", self.call.site.op())
    }
}

impl ExecutionPlan for LeaveOutExec {
    plan_node!("LeaveOutExec", children: [input], rebuild: |node, mut children| {
        Ok(Arc::new(Self::new(node.call.clone(), children.swap_remove(0))))
    });

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let guest = LaneGuest::new(&self.call.site);
        Ok(Box::pin(ChunkStream::new(
            input,
            self.schema(),
            LeaveOut { guest, schema: self.schema() },
        )))
    }
}

struct LeaveOut {
    guest: LaneGuest,
    schema: arrow::datatypes::SchemaRef,
}

impl LeaveOut {
    fn tell(&mut self, key: &RecordBatch, number: u64) -> Result<()> {
        let site: &Arc<CallSite> = self.guest.site();
        let (aside, policy) = (site.aside(), site.on_error());
        let Some(mut refused) = aside.take_held(number) else {
            return internal_err!("a group of `{}` has no result and no reason", site.op());
        };
        mark(policy, &mut refused, Some(key), &aside);
        put(&mut self.guest, &aside, refused)
    }
}

impl ChunkWork for LeaveOut {
    fn chunk(&mut self, rows: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let Some((results, key)) = rows.columns().split_last() else {
            return internal_err!("an aggregate without results");
        };
        let Some((numbers, given)) = results.as_struct().columns().split_last() else {
            return internal_err!("results without the field {REFUSED:?}");
        };
        let numbers = numbers.as_primitive::<UInt64Type>();
        let places: Vec<usize> = (0..key.len()).collect();
        for row in (0..rows.num_rows()).filter(|row| numbers.is_valid(*row)) {
            self.tell(&rows.project(&places)?.slice(row, 1), numbers.value(row))?;
        }
        let there =
            BooleanArray::from_iter((0..rows.num_rows()).map(|row| Some(numbers.is_null(row))));
        let columns: Vec<_> = key.iter().chain(given).map(Arc::clone).collect();
        let nullable =
            |field: &Arc<arrow::datatypes::Field>| field.as_ref().clone().with_nullable(true);
        let open = Schema::new(self.schema.fields().iter().map(nullable).collect::<Vec<_>>());
        let all = RecordBatch::try_new(Arc::new(open), columns)?;
        let kept = filter_record_batch(&all, &there)?;
        Ok(vec![RecordBatch::try_new(Arc::clone(&self.schema), kept.columns().to_vec())?])
    }
}
