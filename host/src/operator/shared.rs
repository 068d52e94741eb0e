//! Rows that several entries of a job read: produced once a batch, kept for each reader.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::{Result, plan_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};

use super::exchange::{Delivery, Production, place_of, produce};
use super::flat_map::FlatMapExec;
use super::mailbox::{InOrder, MailSender, Mailboxes};
use super::node::{plan_node, properties, spread};
use super::ports::{PortWork, Ported};
use super::run::{ChannelId, PlanRun};
use super::transform::TransformExec;
use super::update::UpdateExec;
use crate::plugin::columns::chunk_rows;

/// One reader of a shared node.
#[derive(Debug)]
pub struct SharedExec {
    id: ChannelId,
    /// For each reader the port it reads.
    outlets: Vec<usize>,
    /// Which reader this is.
    outlet: usize,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

fn ported(plan: &Arc<dyn ExecutionPlan>) -> Option<&dyn Ported> {
    let flat_map = plan.downcast_ref::<FlatMapExec>().map(|node| node as &dyn Ported);
    let transform = plan.downcast_ref::<TransformExec>().map(|node| node as &dyn Ported);
    let update = plan.downcast_ref::<UpdateExec>().map(|node| node as &dyn Ported);
    flat_map.or(transform).or(update)
}

impl SharedExec {
    /// Reader `outlet` of a node. All readers must be made with the same id, outlets and input.
    pub fn new(
        id: ChannelId,
        outlets: Vec<usize>,
        outlet: usize,
        input: Arc<dyn ExecutionPlan>,
    ) -> Result<Self> {
        let port = outlets[outlet];
        let partitions = input.output_partitioning().partition_count();
        let properties = match ported(&input) {
            Some(node) => spread(&node.port_schemas()[port], partitions),
            None if port == 0 => properties(&input.schema(), input.output_partitioning().clone()),
            None => return plan_err!("{} has no port {port}", input.name()),
        };
        Ok(Self { id, outlets, outlet, input, properties })
    }

    /// The node as it is written down: id, the ports of all readers, and which reader it is.
    pub fn record(&self) -> (ChannelId, Vec<u32>, u32) {
        let outlets = self.outlets.iter().map(|port| *port as u32).collect();
        (self.id, outlets, self.outlet as u32)
    }

    /// The node that was written down.
    pub fn restore(
        record: &(ChannelId, Vec<u32>, u32),
        input: Arc<dyn ExecutionPlan>,
    ) -> Result<Self> {
        let outlets = record.1.iter().map(|port| *port as usize).collect();
        Self::new(record.0, outlets, record.2 as usize, input)
    }

    fn start(&self, run: &PlanRun, context: &Arc<TaskContext>) -> Result<Arc<Mailboxes>> {
        let partitions = self.input.output_partitioning().partition_count();
        let schemas = match ported(&self.input) {
            Some(node) => {
                let ports = node.port_schemas();
                self.outlets.iter().map(|port| Arc::clone(&ports[*port])).collect()
            }
            None => vec![self.input.schema(); self.outlets.len()],
        };
        let boxes = Arc::new(Mailboxes::new("shared", partitions, &schemas, context));
        for partition in 0..partitions {
            let senders = boxes.senders(partition)?;
            let (input, outlets) = (Arc::clone(&self.input), self.outlets.clone());
            let work = produce(senders, Arc::clone(context), move |context| {
                open(&input, outlets, partition, context)
            });
            run.lanes().run(place_of(&self.input, partition), work)?;
        }
        Ok(boxes)
    }
}

/// The producing side of one partition.
fn open(
    input: &Arc<dyn ExecutionPlan>,
    outlets: Vec<usize>,
    partition: usize,
    context: Arc<TaskContext>,
) -> Result<Production> {
    match ported(input) {
        None => Ok((input.execute(partition, context)?, Box::new(Copies))),
        Some(node) => {
            let (stream, work) = node.open_ports(partition, context)?;
            Ok((stream, Box::new(ByPort { work, outlets })))
        }
    }
}

/// Every reader gets all rows.
struct Copies;

impl Delivery for Copies {
    fn take(&mut self, rows: RecordBatch, to: &[MailSender]) -> Result<bool> {
        let mut read = false;
        for sender in to {
            read |= sender.send(rows.clone())?;
        }
        Ok(read)
    }
}

/// Every reader gets the rows of its port.
struct ByPort {
    work: Box<dyn PortWork>,
    outlets: Vec<usize>,
}

impl ByPort {
    fn deliver(&self, given: Vec<(usize, RecordBatch)>, to: &[MailSender]) -> Result<()> {
        for (port, rows) in given {
            let readers = self.outlets.iter().zip(to).filter(|(outlet, _)| **outlet == port);
            for (_, sender) in readers {
                sender.send(rows.clone())?;
            }
        }
        Ok(())
    }
}

impl Delivery for ByPort {
    fn take(&mut self, rows: RecordBatch, to: &[MailSender]) -> Result<bool> {
        let mut start = 0;
        while start < rows.num_rows() {
            let length = chunk_rows(&rows, start);
            let given = self.work.chunk(&rows.slice(start, length))?;
            self.deliver(given, to)?;
            start += length;
        }
        Ok(true)
    }

    fn end(&mut self, to: &[MailSender]) -> Result<()> {
        while let Some(given) = self.work.rest()? {
            self.deliver(given, to)?;
        }
        Ok(())
    }
}

impl DisplayAs for SharedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedExec: reader {} of {}", self.outlet + 1, self.outlets.len())
    }
}

impl ExecutionPlan for SharedExec {
    plan_node!("SharedExec", children: [input], rebuild: |node, mut children| {
        let input = children.swap_remove(0);
        Ok(Arc::new(Self::new(node.id, node.outlets.clone(), node.outlet, input)?))
    });

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let run = PlanRun::of(&context)?;
        let boxes = run.channel(self.id, || self.start(&run, &context))?;
        Ok(Box::pin(InOrder::new(self.schema(), [boxes.receiver(partition, self.outlet)?])))
    }
}
