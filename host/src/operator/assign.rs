//! To which pane a row belongs, and which rows come too late for all of their windows.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, TimestampMicrosecondArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Schema, SchemaRef, TimestampMicrosecondType};
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::StreamExt;

use super::node::{plan_node, properties, spread};
use super::panes::Panes;
use super::states::BatchStates;
use super::times::Watermark;
use crate::id::NodeId;
use crate::types;

/// The hidden column that says where a row's pane starts.
pub const PANE: &str = "\u{0}pane";

/// How rows get their windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Assigning {
    /// The windows.
    pub panes: Panes,
    /// The place of the column of event times; none = the time of the batch counts.
    pub column: Option<u32>,
    /// Whether the rows that come too late are given, and no others.
    pub late: bool,
}

/// The node that adds the pane of each row as a last column, or gives late rows as they are.
#[derive(Debug)]
pub struct AssignExec {
    op: NodeId,
    assigning: Assigning,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

/// The node as it is written down.
pub type AssignV1 = (String, Assigning);

impl AssignExec {
    /// A node of the op.
    pub fn new(op: NodeId, assigning: Assigning, input: Arc<dyn ExecutionPlan>) -> Self {
        let schema = match assigning.late {
            true => input.schema(),
            false => with_pane(&input.schema()),
        };
        let partitions = input.output_partitioning().partition_count();
        let properties = match assigning.late {
            true => properties(&schema, input.output_partitioning().clone()),
            false => spread(&schema, partitions),
        };
        Self { op, assigning, input, properties }
    }

    /// The node as it is written down.
    pub fn record(&self) -> AssignV1 {
        (self.op.to_string(), self.assigning)
    }

    /// The node that was written down.
    pub fn restore(record: &AssignV1, input: Arc<dyn ExecutionPlan>) -> Self {
        Self::new(NodeId::new(record.0.as_str()), record.1, input)
    }
}

fn with_pane(schema: &SchemaRef) -> SchemaRef {
    let pane = Arc::new(Field::new(PANE, types::timestamp(), false));
    Arc::new(Schema::new(schema.fields().iter().cloned().chain([pane]).collect::<Vec<_>>()))
}

impl DisplayAs for AssignExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Panes { size, slide } = self.assigning.panes;
        let what = if self.assigning.late { ", late rows" } else { "" };
        write!(f, "AssignExec: op={}, size={size}us, slide={slide}us{what}", self.op)
    }
}

impl ExecutionPlan for AssignExec {
    plan_node!("AssignExec", children: [input], rebuild: |node, mut children| {
        Ok(Arc::new(Self::new(node.op.clone(), node.assigning, children.swap_remove(0))))
    });

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let states = BatchStates::of(&context)?;
        let (op, assigning, schema) = (self.op.clone(), self.assigning, self.schema());
        let mark = states.times().watermark(&op);
        let of_rows = Arc::clone(&schema);
        let rows = self.input.execute(partition, context)?.map(move |rows| {
            let rows = rows?;
            let (panes, late) = assign(&rows, assigning, mark)?;
            if assigning.late {
                return Ok(filter_record_batch(&rows, &late)?);
            }
            let columns = rows.columns().iter().cloned().chain([panes]).collect();
            let rows = RecordBatch::try_new(Arc::clone(&of_rows), columns)?;
            match late.true_count() {
                0 => Ok(rows),
                count => {
                    states.times().late(&op, count as u64);
                    Ok(filter_record_batch(&rows, &arrow::compute::not(&late)?)?)
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

/// The pane of each row, and whether it comes too late. A row without a time is late: nothing says
/// which window it belongs to.
fn assign(
    rows: &RecordBatch,
    assigning: Assigning,
    mark: Watermark,
) -> Result<(ArrayRef, BooleanArray)> {
    let (panes, origin) = (assigning.panes, mark.origin);
    let Some(column) = assigning.column else {
        // A batch is as late as the end of its interval, which is not part of it.
        let pane = panes.pane_of(mark.now.saturating_sub(1), origin);
        let all = vec![pane; rows.num_rows()];
        return Ok((timestamps(all), BooleanArray::from(vec![false; rows.num_rows()])));
    };
    let times = rows.column(column as usize).as_primitive::<TimestampMicrosecondType>();
    let pane = |time: &i64| panes.pane_of(*time, origin);
    let starts: Vec<i64> = times.values().iter().map(pane).collect();
    let late = |(row, pane): (usize, &i64)| {
        times.is_null(row) || panes.last_end(*pane, origin) <= mark.now
    };
    let late = starts.iter().enumerate().map(late).map(Some).collect();
    Ok((timestamps(starts), late))
}

/// A column of times.
pub fn timestamps(times: Vec<i64>) -> ArrayRef {
    let zone = match types::timestamp() {
        arrow::datatypes::DataType::Timestamp(_, zone) => zone,
        _ => None,
    };
    Arc::new(TimestampMicrosecondArray::from(times).with_timezone_opt(zone))
}
