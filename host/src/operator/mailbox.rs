//! Rows on their way from one lane to another: kept in memory while there is room, spilled to disk
//! when there is none, always in the order in which they were sent.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::SpillManager;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::spill::spill_pool;
use futures::{Stream, StreamExt};

/// A spill file is closed when it has so many bytes.
const SPILL_FILE_BYTES: usize = 128 * 1024 * 1024;

/// All mailboxes of a channel: `from` producers times `to` consumers.
#[derive(Debug)]
pub struct Mailboxes {
    boxes: Vec<Mutex<Ends>>,
    to: usize,
}

#[derive(Debug)]
struct Ends {
    sender: Option<MailSender>,
    receiver: Option<MailReceiver>,
}

impl Mailboxes {
    /// Mailboxes for rows of these schemas, one for each consumer.
    pub fn new(name: &str, from: usize, schemas: &[SchemaRef], context: &TaskContext) -> Self {
        let pairs = (0..from).flat_map(|_| schemas.iter());
        let boxes = pairs
            .map(|schema| {
                let (sender, receiver) = mailbox(name, Arc::clone(schema), context);
                Mutex::new(Ends { sender: Some(sender), receiver: Some(receiver) })
            })
            .collect();
        Self { boxes, to: schemas.len() }
    }

    fn ends(&self, from: usize, to: usize) -> std::sync::MutexGuard<'_, Ends> {
        self.boxes[from * self.to + to].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sending ends of one producer, once.
    pub fn senders(&self, from: usize) -> Result<Vec<MailSender>> {
        let mut senders = Vec::with_capacity(self.to);
        for to in 0..self.to {
            match self.ends(from, to).sender.take() {
                Some(sender) => senders.push(sender),
                None => return internal_err!("a producer of a channel was started twice"),
            }
        }
        Ok(senders)
    }

    /// The receiving end of one consumer for one producer, once.
    pub fn receiver(&self, from: usize, to: usize) -> Result<MailReceiver> {
        match self.ends(from, to).receiver.take() {
            Some(receiver) => Ok(receiver),
            None => internal_err!("a partition of a channel was read twice in one batch"),
        }
    }
}

#[derive(Debug)]
enum Item {
    Memory(RecordBatch, usize),
    Spilled,
    Failed(Arc<DataFusionError>),
}

#[derive(Debug)]
struct Shared {
    items: VecDeque<Item>,
    reservation: MemoryReservation,
    sender_gone: bool,
    receiver_gone: bool,
    waker: Option<Waker>,
}

impl Shared {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Makes one mailbox.
fn mailbox(name: &str, schema: SchemaRef, context: &TaskContext) -> (MailSender, MailReceiver) {
    let consumer = MemoryConsumer::new(name.to_owned()).with_can_spill(true);
    let shared = Arc::new(Mutex::new(Shared {
        items: VecDeque::new(),
        reservation: consumer.register(context.memory_pool()),
        sender_gone: false,
        receiver_gone: false,
        waker: None,
    }));
    let metrics = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
    let spills = Arc::new(SpillManager::new(context.runtime_env(), metrics, Arc::clone(&schema)));
    let (disk, spilled) = spill_pool::spsc_channel(SPILL_FILE_BYTES, spills);
    let sender = MailSender { shared: Arc::clone(&shared), disk };
    (sender, MailReceiver { shared, spilled, from_disk: false, schema, done: false })
}

/// The sending end. Dropping it is the end of the rows.
pub struct MailSender {
    shared: Arc<Mutex<Shared>>,
    disk: spill_pool::SpillPoolSink,
}

impl std::fmt::Debug for MailSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MailSender")
    }
}

impl MailSender {
    /// Sends rows. Says whether anybody will still read them.
    pub fn send(&self, rows: RecordBatch) -> Result<bool> {
        let bytes = rows_bytes(&rows);
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.receiver_gone {
            return Ok(false);
        }
        let item = if shared.reservation.try_grow(bytes).is_ok() {
            Item::Memory(rows, bytes)
        } else {
            self.disk.push_batch(&rows)?;
            Item::Spilled
        };
        shared.items.push_back(item);
        shared.wake();
        Ok(true)
    }

    /// Ends the rows with an error.
    pub fn fail(&self, error: Arc<DataFusionError>) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.items.push_back(Item::Failed(error));
        shared.wake();
    }
}

impl Drop for MailSender {
    fn drop(&mut self) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.sender_gone = true;
        shared.wake();
    }
}

/// Bytes that rows take up, counting only the part of shared buffers that is theirs.
pub(super) fn rows_bytes(rows: &RecordBatch) -> usize {
    let bytes = |column: &Arc<dyn Array>| {
        let data = column.to_data();
        data.get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
    };
    rows.columns().iter().map(bytes).sum()
}

/// The receiving end: rows in the order in which they were sent.
pub struct MailReceiver {
    shared: Arc<Mutex<Shared>>,
    spilled: SendableRecordBatchStream,
    from_disk: bool,
    schema: SchemaRef,
    done: bool,
}

impl std::fmt::Debug for MailReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MailReceiver")
    }
}

impl Drop for MailReceiver {
    fn drop(&mut self) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.receiver_gone = true;
        shared.items.clear();
        shared.reservation.free();
    }
}

impl MailReceiver {
    /// Takes the next item; says `Pending` and remembers the waker when there is none yet.
    fn next_item(&self, context: &Context<'_>) -> Poll<Option<Item>> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        match shared.items.pop_front() {
            Some(Item::Memory(rows, bytes)) => {
                shared.reservation.shrink(bytes);
                Poll::Ready(Some(Item::Memory(rows, bytes)))
            }
            Some(other) => Poll::Ready(Some(other)),
            None if shared.sender_gone => Poll::Ready(None),
            None => {
                shared.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Stream for MailReceiver {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.done {
            return Poll::Ready(None);
        }
        if !self.from_disk {
            match std::task::ready!(self.next_item(context)) {
                Some(Item::Memory(rows, _)) => return Poll::Ready(Some(Ok(rows))),
                Some(Item::Failed(error)) => {
                    self.done = true;
                    return Poll::Ready(Some(Err(DataFusionError::Shared(error))));
                }
                Some(Item::Spilled) => self.from_disk = true,
                None => {
                    self.done = true;
                    return Poll::Ready(None);
                }
            }
        }
        let rows = std::task::ready!(self.spilled.poll_next_unpin(context));
        self.from_disk = false;
        match rows {
            Some(rows) => Poll::Ready(Some(rows)),
            None => Poll::Ready(Some(internal_err!("spilled rows are missing"))),
        }
    }
}

impl RecordBatchStream for MailReceiver {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// Reads several mailboxes one after the other: the order that makes a batch repeatable.
pub struct InOrder {
    receivers: VecDeque<MailReceiver>,
    schema: SchemaRef,
}

impl InOrder {
    /// All rows of the first, then all of the second, and so on.
    pub fn new(schema: SchemaRef, receivers: impl IntoIterator<Item = MailReceiver>) -> Self {
        Self { receivers: receivers.into_iter().collect(), schema }
    }
}

impl Stream for InOrder {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while let Some(first) = self.receivers.front_mut() {
            match std::task::ready!(first.poll_next_unpin(context)) {
                Some(rows) => return Poll::Ready(Some(rows)),
                None => drop(self.receivers.pop_front()),
            }
        }
        Poll::Ready(None)
    }
}

impl RecordBatchStream for InOrder {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use futures::executor::block_on_stream;

    use super::*;

    fn rows(from: i64) -> RecordBatch {
        let column = Arc::new(Int64Array::from_iter_values(from..from + 1000)) as ArrayRef;
        RecordBatch::try_from_iter(vec![("n", column)]).unwrap()
    }

    fn context(memory: usize) -> TaskContext {
        let pool = Arc::new(GreedyMemoryPool::new(memory));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc().unwrap();
        TaskContext::default().with_runtime(runtime)
    }

    /// Sends 50 pieces with room for `memory` bytes, reads them back.
    fn through(memory: usize) -> Vec<RecordBatch> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let _context = runtime.enter();
        let context = context(memory);
        let boxes = Mailboxes::new("test", 1, &[rows(0).schema()], &context);
        let sender = boxes.senders(0).unwrap().remove(0);
        let mut receiver = block_on_stream(boxes.receiver(0, 0).unwrap());
        let mut got = Vec::new();
        for piece in 0..50 {
            assert!(sender.send(rows(piece * 1000)).unwrap());
            if piece % 7 == 6 {
                got.push(receiver.next().unwrap().unwrap());
            }
        }
        drop(sender);
        got.extend(receiver.map(Result::unwrap));
        got
    }

    #[test]
    fn order_is_kept_in_memory_on_disk_and_between() {
        let expected: Vec<_> = (0..50).map(|piece| rows(piece * 1000)).collect();
        for memory in [1 << 20, 40_000, 0] {
            assert_eq!(through(memory), expected, "{memory} bytes");
        }
    }

    #[test]
    fn an_error_ends_the_rows_and_an_end_that_is_gone_is_noticed() {
        let context = context(1 << 20);
        let boxes = Mailboxes::new("test", 1, &[rows(0).schema(), rows(0).schema()], &context);
        let mut senders = boxes.senders(0).unwrap();
        let (second, first) = (senders.pop().unwrap(), senders.pop().unwrap());
        first.send(rows(0)).unwrap();
        first.fail(Arc::new(DataFusionError::Execution("no".into())));
        let mut receiver = block_on_stream(boxes.receiver(0, 0).unwrap());
        assert!(receiver.next().unwrap().is_ok());
        assert!(receiver.next().unwrap().unwrap_err().to_string().contains("no"));
        assert!(receiver.next().is_none());
        drop(boxes.receiver(0, 1).unwrap());
        assert!(!second.send(rows(0)).unwrap());
        assert!(boxes.receiver(0, 0).is_err());
    }
}
