//! Rows pass; the latest of their event times is noted.

use std::fmt;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::max;
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::{Result, plan_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::StreamExt;

use super::node::{plan_node, properties};
use super::states::BatchStates;
use crate::id::NodeId;
use crate::types;

/// The node of `event_time` of an entry.
#[derive(Debug)]
pub struct WatermarkExec {
    entry: NodeId,
    column: usize,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

/// The node as it is written down: the entry, and the place of the column.
pub type WatermarkV1 = (String, u32);

impl WatermarkExec {
    /// Watches a column of timestamps.
    pub fn new(entry: NodeId, column: usize, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let schema = input.schema();
        if schema.fields().get(column).is_none_or(|it| *it.data_type() != types::timestamp()) {
            return plan_err!("the event time of `{entry}` is no column of timestamps");
        }
        let properties = properties(&schema, input.output_partitioning().clone());
        Ok(Self { entry, column, input, properties })
    }

    /// The node as it is written down.
    pub fn record(&self) -> WatermarkV1 {
        (self.entry.to_string(), self.column as u32)
    }

    /// The node that was written down.
    pub fn restore(record: &WatermarkV1, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Self::new(NodeId::new(record.0.as_str()), record.1 as usize, input)
    }
}

impl DisplayAs for WatermarkExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.input.schema();
        write!(
            f,
            "WatermarkExec: entry={}, column={}",
            self.entry,
            schema.field(self.column).name()
        )
    }
}

impl ExecutionPlan for WatermarkExec {
    plan_node!("WatermarkExec", children: [input], rebuild: |node, mut children| {
        Ok(Arc::new(Self::new(node.entry.clone(), node.column, children.swap_remove(0))?))
    });

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let states = BatchStates::of(&context)?;
        let (entry, column) = (self.entry.clone(), self.column);
        let rows = self.input.execute(partition, context)?.map(move |rows| {
            let rows = rows?;
            if let Some(latest) =
                max(rows.column(column).as_primitive::<TimestampMicrosecondType>())
            {
                states.times().saw(&entry, latest);
            }
            Ok(rows)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}
