//! Rows to the lane that their key belongs to, in an order that does not depend on time.
//!
//! ```text
//!  input 0 ──┬──▶ [0→0] ──┐
//!            └──▶ [0→1] ─┐├──▶ output 0 reads [0→0], then [1→0]
//!  input 1 ──┬──▶ [1→0] ─┼┘
//!            └──▶ [1→1] ─┴───▶ output 1 reads [0→1], then [1→1]
//! ```
//!
//! Every input is driven by a lane of its own. Outputs read their mailboxes in the order of the
//! inputs, so rows of one key arrive in source order, whatever lane was faster.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Partitioning, PhysicalExpr};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::StreamExt;

use super::key_group::{key_groups, lowest_group, partition_of};
use super::lane::Place;
use super::mailbox::{InOrder, MailSender, Mailboxes};
use super::node::{plan_node, properties};
use super::run::{ChannelId, PlanRun};

/// Where rows go.
#[derive(Clone, Debug)]
pub enum Routing {
    /// To the partition of their key group.
    ByKey {
        /// The key.
        key: Vec<Arc<dyn PhysicalExpr>>,
        /// Partitions.
        partitions: usize,
    },
    /// All to one partition.
    Gather,
}

impl Routing {
    fn partitions(&self) -> usize {
        match self {
            Self::ByKey { partitions, .. } => *partitions,
            Self::Gather => 1,
        }
    }
}

/// The exchange.
#[derive(Debug)]
pub struct ExchangeExec {
    id: ChannelId,
    routing: Routing,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl ExchangeExec {
    /// An exchange. The id must differ from that of every other channel of the plan.
    pub fn new(id: ChannelId, routing: Routing, input: Arc<dyn ExecutionPlan>) -> Self {
        let partitioning = match &routing {
            Routing::ByKey { key, partitions } => Partitioning::Hash(key.clone(), *partitions),
            Routing::Gather => Partitioning::UnknownPartitioning(1),
        };
        let properties = properties(&input.schema(), partitioning);
        Self { id, routing, input, properties }
    }

    /// The id.
    pub fn id(&self) -> ChannelId {
        self.id
    }

    /// Where rows go.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    fn start(&self, run: &PlanRun, context: &Arc<TaskContext>) -> Result<Arc<Mailboxes>> {
        let inputs = self.input.output_partitioning().partition_count();
        let schemas = vec![self.schema(); self.routing.partitions()];
        let boxes = Arc::new(Mailboxes::new("exchange", inputs, &schemas, context));
        for partition in 0..inputs {
            let senders = boxes.senders(partition)?;
            let (input, routing) = (Arc::clone(&self.input), self.routing.clone());
            let context = Arc::clone(context);
            let place = place_of(&self.input, partition);
            let work = produce(senders, context, move |context| {
                let delivery: Box<dyn Delivery> = Box::new(routing);
                Ok((input.execute(partition, context)?, delivery))
            });
            run.lanes().run(place, work)?;
        }
        Ok(boxes)
    }
}

/// The lane that drives a partition of a plan: after a key exchange it is marked by its lowest key
/// group, before by the partition.
pub fn place_of(plan: &Arc<dyn ExecutionPlan>, partition: usize) -> Place {
    let mark = match plan.output_partitioning() {
        Partitioning::Hash(_, partitions) => lowest_group(partition, *partitions),
        _ => partition as u32,
    };
    Place { partition: partition as u32, mark }
}

/// What a producing lane does with its rows.
pub trait Delivery: Send {
    /// Sends rows to where they belong; says whether anybody still reads.
    fn take(&mut self, rows: RecordBatch, to: &[MailSender]) -> Result<bool>;

    /// There are no more rows.
    fn end(&mut self, _to: &[MailSender]) -> Result<()> {
        Ok(())
    }
}

/// What a producing lane runs.
pub type Production = (SendableRecordBatchStream, Box<dyn Delivery>);

/// The work of a producing lane: runs a plan to its end, and tells every consumer how it ended.
pub async fn produce(
    senders: Vec<MailSender>,
    context: Arc<TaskContext>,
    open: impl FnOnce(Arc<TaskContext>) -> Result<Production>,
) {
    let work = async {
        let run = PlanRun::of(&context)?;
        let (mut stream, mut delivery) = open(context)?;
        while let Some(rows) = stream.next().await {
            if run.given_up() || !delivery.take(rows?, &senders)? {
                return Ok(());
            }
        }
        delivery.end(&senders)
    };
    if let Err(error) = work.await {
        let error: Arc<DataFusionError> = Arc::new(error);
        for sender in &senders {
            sender.fail(Arc::clone(&error));
        }
    }
}

impl Delivery for Routing {
    fn take(&mut self, rows: RecordBatch, to: &[MailSender]) -> Result<bool> {
        match self {
            Self::Gather => to[0].send(rows),
            Self::ByKey { key, partitions } => {
                let mut read = rows.num_rows() == 0;
                for (partition, part) in split(&rows, key, *partitions)? {
                    read |= to[partition].send(part)?;
                }
                Ok(read)
            }
        }
    }
}

/// The rows of each partition that has some, in their order.
fn split(
    rows: &RecordBatch,
    key: &[Arc<dyn PhysicalExpr>],
    partitions: usize,
) -> Result<Vec<(usize, RecordBatch)>> {
    if partitions == 1 {
        return Ok(vec![(0, rows.clone())]);
    }
    let columns: Vec<ArrayRef> = key
        .iter()
        .map(|expr| expr.evaluate(rows)?.into_array(rows.num_rows()))
        .collect::<Result<_>>()?;
    let mut places: Vec<Vec<u32>> = vec![Vec::new(); partitions];
    for (row, group) in key_groups(&columns, rows.num_rows())?.into_iter().enumerate() {
        places[partition_of(group, partitions)].push(row as u32);
    }
    places
        .into_iter()
        .enumerate()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(partition, places)| {
            Ok((partition, take_record_batch(rows, &UInt32Array::from(places))?))
        })
        .collect()
}

impl DisplayAs for ExchangeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.routing {
            Routing::Gather => write!(f, "ExchangeExec: gather"),
            Routing::ByKey { key, partitions } => {
                let key: Vec<String> = key.iter().map(ToString::to_string).collect();
                write!(f, "ExchangeExec: key=[{}], partitions={partitions}", key.join(", "))
            }
        }
    }
}

impl ExecutionPlan for ExchangeExec {
    plan_node!("ExchangeExec", children: [input], rebuild: |node, mut children| {
        Ok(Arc::new(Self::new(node.id, node.routing.clone(), children.swap_remove(0))))
    });

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let run = PlanRun::of(&context)?;
        let boxes = run.channel(self.id, || self.start(&run, &context))?;
        let inputs = self.input.output_partitioning().partition_count();
        let receivers: Vec<_> =
            (0..inputs).map(|from| boxes.receiver(from, partition)).collect::<Result<_>>()?;
        Ok(Box::pin(InOrder::new(self.schema(), receivers)))
    }
}
