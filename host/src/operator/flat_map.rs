//! Any number of rows out for a row in, by a function, on one port or several.

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
use super::ports::{PortWork, Ported};
use super::tolerate::{Taken, Tolerant};
use crate::plugin::Emitted;

/// The node of a flat-mapper, for one of its ports.
#[derive(Debug)]
pub struct FlatMapExec {
    call: Call,
    port: usize,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl FlatMapExec {
    /// Rows out: the kept columns, then the port's. Rows of other ports are dropped, unless the
    /// node stands under a shared one.
    pub fn new(call: Call, port: usize, input: Arc<dyn ExecutionPlan>) -> Self {
        let schema = call.output(&input.schema(), port);
        let properties = spread(&schema, input.output_partitioning().partition_count());
        Self { call, port, input, properties }
    }

    /// The same node for another port.
    pub fn at_port(&self, port: usize) -> Self {
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
        Ok(Self::new(Call::restore(&record.0, context)?, record.1 as usize, input))
    }

    fn work(&self) -> FlatMapWork {
        let input = self.input.schema();
        let ports = 0..self.call.site.ports().len();
        FlatMapWork {
            guest: LaneGuest::new(&self.call.site),
            schemas: ports.map(|port| self.call.output(&input, port)).collect(),
            call: self.call.clone(),
            port: self.port,
        }
    }
}

impl Ported for FlatMapExec {
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

impl DisplayAs for FlatMapExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlatMapExec: {}", self.call.describe(&self.input.schema()))?;
        if self.call.site.ports().len() > 1 {
            write!(f, ", port={}", self.call.site.port_names()[self.port])?;
        }
        Ok(())
    }
}

impl ExecutionPlan for FlatMapExec {
    plan_node!("FlatMapExec", children: [input], rebuild: |node, mut children| {
        Ok(Arc::new(Self::new(node.call.clone(), node.port, children.swap_remove(0))))
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

struct FlatMapWork {
    call: Call,
    guest: LaneGuest,
    schemas: Vec<SchemaRef>,
    port: usize,
}

impl FlatMapWork {
    fn call(&mut self, rows: &RecordBatch) -> Result<Vec<Taken<Vec<Emitted>>>> {
        let Self { call, guest, .. } = self;
        let ports = call.site.ports();
        let calls = Tolerant {
            guest,
            cross: &|rows| call.crossing(rows),
            rows_out: |emitted: &Vec<Emitted>| {
                emitted.iter().map(|part| part.rows.num_rows()).sum()
            },
            work: &mut |instance, rows| instance.flat_map(rows, ports),
        };
        calls.take(rows)
    }

    /// The rows of each port, call by call.
    fn by_port(&mut self, rows: &RecordBatch) -> Result<Vec<(usize, RecordBatch)>> {
        let mut given = Vec::new();
        for taken in self.call(rows)? {
            for part in taken.called.value {
                let port = part.port;
                let schema = &self.schemas[port];
                given.push((port, self.call.joined(&taken.rows, part, schema)?));
            }
        }
        Ok(given)
    }
}

impl ChunkWork for FlatMapWork {
    fn chunk(&mut self, rows: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let port = self.port;
        let given = self.by_port(rows)?.into_iter();
        Ok(given.filter(|(at, _)| *at == port).map(|(_, rows)| rows).collect())
    }
}

impl PortWork for FlatMapWork {
    fn chunk(&mut self, rows: &RecordBatch) -> Result<Vec<(usize, RecordBatch)>> {
        self.by_port(rows)
    }
}
