//! Values by key to a function with a state for each, which lives on from batch to batch.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::common::{Result, plan_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::Partitioning;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};

use super::call::{Call, CallV1, ChunkStream, ChunkWork};
use super::keyed::Keyed;
use super::mailbox::rows_bytes;
use super::moments;
use super::node::{plan_node, properties};
use super::ports::{PortWork, Ported};
use super::settle::Settling;
use super::states::BatchStates;
use super::visit::Visitor;
use crate::id::NodeId;
use crate::state::{Lane, StateError, StateSchema};

/// How an op keeps the states of its keys. Times are in microseconds of batch time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Keeping {
    /// Whether every key with a state is visited in every batch.
    pub all: bool,
    /// A key without values for so long is visited as timed out.
    pub timeout: Option<i64>,
    /// A state that was not set for so long is dropped.
    pub ttl: Option<i64>,
}

/// The columns of a state: those of the function, and the hidden one.
pub fn state_schema(call: &Call, key: Vec<FieldRef>) -> Result<StateSchema, StateError> {
    let function = call.site.function();
    let known = function.state.fields().iter().map(Arc::clone);
    let state = known.chain([Arc::new(moments::field())]).collect();
    StateSchema::new(function.state_version, key.into(), state)
}

/// The node of an updater, for one of its ports. Its input must be exchanged by key before.
#[derive(Debug)]
pub struct UpdateExec {
    call: Call,
    port: usize,
    /// Places of the key columns.
    key: Vec<usize>,
    keeping: Keeping,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

/// The node as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct UpdateV1 {
    call: CallV1,
    port: u32,
    key: Vec<u32>,
    keeping: Keeping,
}

impl UpdateExec {
    /// Rows out: the key, then the port's columns.
    pub fn new(
        call: Call,
        port: usize,
        (key, keeping): (Vec<usize>, Keeping),
        input: Arc<dyn ExecutionPlan>,
    ) -> Result<Self> {
        let partitions = match input.output_partitioning() {
            Partitioning::Hash(_, partitions) => *partitions,
            _ => return plan_err!("an updater needs its values exchanged by key"),
        };
        let schema = schema(&call, &key, &input.schema(), port);
        let columns = key
            .iter()
            .enumerate()
            .map(|(place, _)| Arc::new(Column::new(schema.field(place).name(), place)) as _);
        let partitioning = Partitioning::Hash(columns.collect(), partitions);
        let properties = properties(&schema, partitioning);
        Ok(Self { call, port, key, keeping, input, properties })
    }

    /// The names and the columns of its ports.
    pub fn ports(&self) -> Vec<(String, SchemaRef)> {
        let names = self.call.site.port_names().iter().cloned();
        names.zip(self.port_schemas()).collect()
    }

    /// The same node for another port.
    pub fn at_port(&self, port: usize) -> Result<Self> {
        let how = (self.key.clone(), self.keeping);
        Self::new(self.call.clone(), port, how, Arc::clone(&self.input))
    }

    /// The node as it is written down.
    pub fn record(&self) -> UpdateV1 {
        UpdateV1 {
            call: self.call.record(),
            port: self.port as u32,
            key: self.key.iter().map(|place| *place as u32).collect(),
            keeping: self.keeping,
        }
    }

    /// The node that was written down.
    pub fn restore(
        record: &UpdateV1,
        input: Arc<dyn ExecutionPlan>,
        context: &TaskContext,
    ) -> Result<Self> {
        let key = record.key.iter().map(|place| *place as usize).collect();
        let call = Call::restore(&record.call, context)?;
        Self::new(call, record.port as usize, (key, record.keeping), input)
    }

    fn work(&self, partition: usize, context: &Arc<TaskContext>) -> Result<UpdateWork> {
        let input = self.input.schema();
        let ports = 0..self.call.site.ports().len();
        let schemas = ports.map(|port| schema(&self.call, &self.key, &input, port)).collect();
        let states = BatchStates::of(context)?;
        let op = NodeId::new(self.call.site.op());
        let partitions = self.input.output_partitioning().partition_count();
        let lane = states.lane(&op, partition, partitions)?;
        let (keeping, now, renewal) = (self.keeping, states.time().0, states.renews(&op));
        let consumer = MemoryConsumer::new(format!("values and states of op {op}"));
        Ok(UpdateWork {
            visitor: Visitor::new(self.call.clone(), schemas),
            port: self.port,
            input,
            key: self.key.clone(),
            settling: Settling { keeping, now, renewal },
            states,
            lane: Some(lane),
            rows: Vec::new(),
            keyed: None,
            reservation: consumer.register(context.memory_pool()),
        })
    }
}

/// The columns of a port's rows.
fn schema(call: &Call, key: &[usize], input: &SchemaRef, port: usize) -> SchemaRef {
    let key = key.iter().map(|place| Arc::clone(&input.fields()[*place]));
    let given = call.site.ports()[port].fields().iter().map(Arc::clone);
    Arc::new(Schema::new(key.chain(given).collect::<Vec<_>>()))
}

impl Ported for UpdateExec {
    fn port_schemas(&self) -> Vec<SchemaRef> {
        let input = self.input.schema();
        let ports = 0..self.call.site.ports().len();
        ports.map(|port| schema(&self.call, &self.key, &input, port)).collect()
    }

    fn open_ports(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<(SendableRecordBatchStream, Box<dyn PortWork>)> {
        let work = self.work(partition, &context)?;
        Ok((self.input.execute(partition, context)?, Box::new(work)))
    }
}

impl DisplayAs for UpdateExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let input = self.input.schema();
        let key: Vec<&str> =
            self.key.iter().map(|place| input.field(*place).name().as_str()).collect();
        let visit = if self.keeping.all { "all" } else { "touched" };
        write!(f, "UpdateExec: {}, key=[{}]", self.call.describe(&input), key.join(", "))?;
        write!(f, ", state version={}, visit={visit}", self.call.site.function().state_version)?;
        for (name, time) in [("timeout", self.keeping.timeout), ("ttl", self.keeping.ttl)] {
            if let Some(time) = time {
                write!(f, ", {name}={:?}", std::time::Duration::from_micros(time as u64))?;
            }
        }
        if self.call.site.ports().len() > 1 {
            write!(f, ", port={}", self.call.site.port_names()[self.port])?;
        }
        Ok(())
    }
}

impl ExecutionPlan for UpdateExec {
    plan_node!("UpdateExec", children: [input], rebuild: |node, mut children| {
        let how = (node.key.clone(), node.keeping);
        Ok(Arc::new(Self::new(node.call.clone(), node.port, how, children.swap_remove(0))?))
    });

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let work = self.work(partition, &context)?;
        let input = self.input.execute(partition, context)?;
        Ok(Box::pin(ChunkStream::new(input, self.schema(), work)))
    }
}

/// Collects the values of a batch; after the last one, keys are visited chunk by chunk.
struct UpdateWork {
    visitor: Visitor,
    port: usize,
    input: SchemaRef,
    key: Vec<usize>,
    settling: Settling,
    states: Arc<BatchStates>,
    lane: Option<Lane>,
    rows: Vec<RecordBatch>,
    keyed: Option<Keyed>,
    reservation: MemoryReservation,
}

impl UpdateWork {
    fn collect(&mut self, rows: &RecordBatch) -> Result<()> {
        self.reservation.try_grow(rows_bytes(rows))?;
        self.rows.push(rows.clone());
        Ok(())
    }

    /// The keys of the batch, on the first call after its last value.
    fn keyed(&mut self, lane: &mut Lane) -> Result<Keyed> {
        if let Some(keyed) = self.keyed.take() {
            return Ok(keyed);
        }
        // For a moment the rows are there twice.
        let bytes = self.reservation.size();
        self.reservation.try_grow(bytes)?;
        let rows = arrow::compute::concat_batches(&self.input, &self.rows)?;
        self.rows.clear();
        self.reservation.shrink(bytes);
        let keyed = Keyed::new(rows, &self.key, self.visitor.call(), (lane, self.settling))?;
        self.reservation.try_grow(keyed.bytes())?;
        self.visitor.begin(&keyed.rows)?;
        Ok(keyed)
    }

    /// Visits the next keys; nothing if all were.
    fn step(&mut self) -> Result<Option<Vec<(usize, RecordBatch)>>> {
        let Some(mut lane) = self.lane.take() else { return Ok(None) };
        let mut keyed = self.keyed(&mut lane)?;
        let rounds = keyed.next(self.visitor.call())?;
        if rounds.is_empty() {
            self.states.leave(lane);
            self.reservation.free();
            return Ok(None);
        }
        let mut given = Vec::new();
        let mut before = None;
        for mut round in rounds {
            if let Some((states, before)) = before.take() {
                (round.states, round.before) = (states, before);
            }
            for (round, visited) in self.visitor.take(round)? {
                before = Some(self.settling.settle(&mut lane, &round, &visited)?);
                given.extend(self.visitor.rows(&round, visited.emitted)?);
            }
        }
        (self.lane, self.keyed) = (Some(lane), Some(keyed));
        Ok(Some(given))
    }
}

impl ChunkWork for UpdateWork {
    fn chunk(&mut self, rows: &RecordBatch) -> Result<Vec<RecordBatch>> {
        self.collect(rows)?;
        Ok(Vec::new())
    }

    fn rest(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        let port = self.port;
        let mine = |given: Vec<(usize, RecordBatch)>| {
            given.into_iter().filter(|(at, _)| *at == port).map(|(_, rows)| rows).collect()
        };
        Ok(self.step()?.map(mine))
    }
}

impl PortWork for UpdateWork {
    fn chunk(&mut self, rows: &RecordBatch) -> Result<Vec<(usize, RecordBatch)>> {
        self.collect(rows)?;
        Ok(Vec::new())
    }

    fn rest(&mut self) -> Result<Option<Vec<(usize, RecordBatch)>>> {
        self.step()
    }
}
