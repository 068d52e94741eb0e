//! A whole batch in, rows out, by a function that sees the batch in source order.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, plan_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};

use super::call::{Call, CallV1, ChunkStream, ChunkWork, LaneGuest, carry};
use super::node::{plan_node, spread};
use super::ports::{PortWork, Ported};
use super::tolerate::refuse_rejected;
use crate::plugin::{Called, Emitted};
use crate::row_error::OnError;

/// The node of a transformer, for one of its ports. Its input must be gathered before.
#[derive(Debug)]
pub struct TransformExec {
    call: Call,
    port: usize,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl TransformExec {
    /// Rows out: the kept columns of the parent, then the port's.
    pub fn new(call: Call, port: usize, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        if input.output_partitioning().partition_count() != 1 {
            return plan_err!("a transformer needs its batch gathered into one partition");
        }
        let properties = spread(&call.output(&input.schema(), port), 1);
        Ok(Self { call, port, input, properties })
    }

    /// The same node for another port.
    pub fn at_port(&self, port: usize) -> Result<Self> {
        Self::new(self.call.clone(), port, Arc::clone(&self.input))
    }

    /// The node as it is written down.
    pub fn record(&self) -> (CallV1, u32) {
        (self.call.record(), self.port as u32)
    }

    /// The node that was written down.
    pub fn restore(
        record: &(CallV1, u32),
        input: Arc<dyn ExecutionPlan>,
        context: &TaskContext,
    ) -> Result<Self> {
        Self::new(Call::restore(&record.0, context)?, record.1 as usize, input)
    }

    fn work(&self) -> TransformWork {
        let input = self.input.schema();
        let ports = 0..self.call.site.ports().len();
        TransformWork {
            guest: LaneGuest::new(&self.call.site),
            schemas: ports.map(|port| self.call.output(&input, port)).collect(),
            call: self.call.clone(),
            port: self.port,
            kept: Vec::new(),
            rows: Vec::new(),
            total: 0,
        }
    }
}

impl Ported for TransformExec {
    fn port_schemas(&self) -> Vec<SchemaRef> {
        self.work().schemas
    }

    fn open_ports(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<(SendableRecordBatchStream, Box<dyn PortWork>)> {
        Ok((self.input.execute(partition, context)?, Box::new(self.work())))
    }
}

impl DisplayAs for TransformExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransformExec: {}", self.call.describe(&self.input.schema()))
    }
}

impl ExecutionPlan for TransformExec {
    plan_node!("TransformExec", children: [input], rebuild: |node, mut children| {
        Ok(Arc::new(Self::new(node.call.clone(), node.port, children.swap_remove(0))?))
    });

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        Ok(Box::pin(ChunkStream::new(input, self.schema(), self.work())))
    }
}

struct TransformWork {
    call: Call,
    guest: LaneGuest,
    schemas: Vec<SchemaRef>,
    port: usize,
    /// The kept columns of the whole batch: parents may name any row of it.
    kept: Vec<RecordBatch>,
    /// The rows of the whole batch, unless those that are rejected are only counted.
    rows: Vec<RecordBatch>,
    total: u32,
}

impl TransformWork {
    fn push(&mut self, rows: &RecordBatch) -> Result<()> {
        let crossing = self.call.crossing(rows)?;
        if !self.call.keep.is_empty() {
            self.kept.push(rows.project(&self.call.keep)?);
        }
        self.total = self.total.saturating_add(rows.num_rows() as u32);
        let pushed = self.guest.get()?.taking(
            crossing.num_rows(),
            |()| 0,
            |instance| instance.push(&crossing).map(|()| Called { value: (), errors: Vec::new() }),
        );
        if self.call.site.on_error() != OnError::Skip {
            self.rows.push(rows.clone());
        }
        carry(pushed.map(|_| ()))
    }

    /// A row of the batch, if it was kept for messages.
    fn row(&self, mut row: u32) -> Option<RecordBatch> {
        for rows in &self.rows {
            let count = rows.num_rows() as u32;
            if row < count {
                return Some(rows.slice(row as usize, 1));
            }
            row -= count;
        }
        None
    }

    fn pull(&mut self) -> Result<Option<Vec<(usize, RecordBatch)>>> {
        if !self.guest.is_open() {
            return Ok(None);
        }
        let ports = self.call.site.ports().to_vec();
        let total = self.total;
        let rows = |given: &Option<Called<Vec<Emitted>>>| {
            given.iter().flat_map(|given| &given.value).map(|part| part.rows.num_rows()).sum()
        };
        let guest = self.guest.get()?;
        let Some(given) = carry(guest.giving(rows, |instance| instance.pull(total, &ports)))?
        else {
            self.guest.leave();
            return Ok(None);
        };
        let mut guest = std::mem::replace(&mut self.guest, LaneGuest::new(&self.call.site));
        let refused = refuse_rejected(&mut guest, &|row| self.row(row), &given.errors);
        self.guest = guest;
        refused?;
        given.value.into_iter().map(|part| self.placed(part)).collect::<Result<_>>().map(Some)
    }

    fn placed(&mut self, part: Emitted) -> Result<(usize, RecordBatch)> {
        let port = part.port;
        let schema = Arc::clone(&self.schemas[port]);
        if self.call.keep.is_empty() {
            return Ok((port, part.rows.with_schema(schema)?));
        }
        if self.kept.len() > 1 {
            self.kept = vec![concat_batches(&self.kept[0].schema(), &self.kept)?];
        }
        let parents = arrow::array::UInt32Array::from(part.parents);
        let kept = arrow::compute::take_record_batch(&self.kept[0], &parents)?;
        Ok((port, self.call.beside(&kept, &part.rows, &schema)?))
    }
}

impl ChunkWork for TransformWork {
    fn chunk(&mut self, rows: &RecordBatch) -> Result<Vec<RecordBatch>> {
        self.push(rows)?;
        Ok(Vec::new())
    }

    fn rest(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        let port = self.port;
        let mine = |given: Vec<(usize, RecordBatch)>| {
            given.into_iter().filter(|(at, _)| *at == port).map(|(_, rows)| rows).collect()
        };
        Ok(self.pull()?.map(mine))
    }
}

impl PortWork for TransformWork {
    fn chunk(&mut self, rows: &RecordBatch) -> Result<Vec<(usize, RecordBatch)>> {
        self.push(rows)?;
        Ok(Vec::new())
    }

    fn rest(&mut self) -> Result<Option<Vec<(usize, RecordBatch)>>> {
        self.pull()
    }
}
