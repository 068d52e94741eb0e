//! Aggregates of windows: what a batch brings is added to the panes that it belongs to, and windows
//! come out when nothing can be added any more, or as they change.
//!
//! The state has a row for each key and pane, with the partial states of the aggregates, so that a
//! row of input changes one of them however many windows it is part of. A window is the merge of
//! its panes. By event time, what closes in a batch has nothing of that batch in it: such rows were
//! late. By the time of batches a window ends with its last batch.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take, take_record_batch};
use arrow::datatypes::{Field, Fields, Schema, SchemaRef, TimestampMicrosecondType};
use datafusion::common::{Result, plan_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::Partitioning;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};

use super::assign::timestamps;
use super::begin::OpState;
use super::call::{ChunkStream, ChunkWork};
use super::merged::Merging;
use super::node::{plan_node, properties, state_failed};
use super::panes::Panes;
use super::running::merging;
use super::states::BatchStates;
use super::times::Watermark;
use super::update::Keeping;
use crate::id::NodeId;
use crate::state::{Lane, StateSchema};
use crate::types;

/// The columns that say which window a row is of.
pub const WINDOW: [&str; 2] = ["window_start", "window_end"];

/// Which windows come out of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum Given {
    /// Those that have ended.
    Closed,
    /// Those that the batch changed.
    Changed,
    /// All. They are kept for ever.
    All,
}

/// How windows are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Windowing {
    /// The windows.
    pub panes: Panes,
    /// Which come out.
    pub given: Given,
    /// Whether rows have the time of their batch.
    pub by_batch: bool,
}

/// The node of windows. Its input merges partial states by key and pane, the pane last.
#[derive(Debug)]
pub struct WindowExec {
    op: NodeId,
    version: u32,
    windowing: Windowing,
    input: Arc<dyn ExecutionPlan>,
    merging: Merging,
    state: StateSchema,
    properties: Arc<PlanProperties>,
}

/// The node as it is written down: the op, the version of its state, and how windows are made.
pub type WindowV1 = (String, u32, Windowing);

impl WindowExec {
    /// Rows out: the key, start and end of the window, then the result of each aggregate.
    pub fn new(
        op: NodeId,
        (version, windowing): (u32, Windowing),
        input: Arc<dyn ExecutionPlan>,
    ) -> Result<Self> {
        let (merging, schema) = (merging(&input)?, input.schema());
        let Some(keys) = merging.keys.checked_sub(1) else {
            return plan_err!("windows need a column that says in which pane rows are");
        };
        let state = merging.schema(version).map_err(state_failed)?;
        let key = schema.fields().iter().take(keys).map(Arc::clone);
        let window = WINDOW.map(|name| Arc::new(Field::new(name, types::timestamp(), false)));
        let fields: Fields = key.chain(window).chain(merging.results()).collect();
        let fields = Arc::new(Schema::new(fields));
        let column = |place| Arc::new(Column::new(fields.field(place).name(), place)) as _;
        let partitions = input.output_partitioning().partition_count();
        let partitioning = match keys {
            0 => Partitioning::UnknownPartitioning(partitions),
            _ => Partitioning::Hash((0..keys).map(column).collect(), partitions),
        };
        let properties = properties(&fields, partitioning);
        Ok(Self { op, version, windowing, input, merging, state, properties })
    }

    /// What is kept.
    pub fn state(&self) -> OpState {
        let (op, schema) = (self.op.clone(), self.state.clone());
        OpState { op, schema, keeping: Keeping::default() }
    }

    /// The node as it is written down.
    pub fn record(&self) -> WindowV1 {
        (self.op.to_string(), self.version, self.windowing)
    }

    /// The node that was written down.
    pub fn restore(record: &WindowV1, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Self::new(NodeId::new(record.0.as_str()), (record.1, record.2), input)
    }
}

impl DisplayAs for WindowExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Panes { size, slide } = self.windowing.panes;
        let given = match self.windowing.given {
            Given::Closed => "append",
            Given::Changed => "update",
            Given::All => "complete",
        };
        write!(f, "WindowExec: op={}, size={size}us, slide={slide}us, mode={given}", self.op)
    }
}

impl ExecutionPlan for WindowExec {
    plan_node!("WindowExec", children: [input], rebuild: |node, mut children| {
        let how = (node.version, node.windowing);
        Ok(Arc::new(Self::new(node.op.clone(), how, children.swap_remove(0))?))
    });

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let states = BatchStates::of(&context)?;
        let partitions = self.input.output_partitioning().partition_count();
        let lane = Some(states.lane(&self.op, partition, partitions)?);
        let mark = states.times().watermark(&self.op);
        let input = self.input.execute(partition, context)?;
        let work = Windows {
            states,
            lane,
            mark,
            windowing: self.windowing,
            merging: self.merging.clone(),
            came: Vec::new(),
            schema: self.schema(),
        };
        Ok(Box::pin(ChunkStream::new(input, self.schema(), work)))
    }
}

struct Windows {
    states: Arc<BatchStates>,
    lane: Option<Lane>,
    mark: Watermark,
    windowing: Windowing,
    merging: Merging,
    /// What the batch brought, where results need it.
    came: Vec<RecordBatch>,
    schema: SchemaRef,
}

impl ChunkWork for Windows {
    fn chunk(&mut self, rows: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let Some(mut lane) = self.lane.take() else {
            return plan_err!("rows after the end of a batch");
        };
        let Windowing { panes, given, by_batch } = self.windowing;
        let timed = panes.tumbling() && given != Given::All;
        self.merging.merge(&mut lane, rows, &|key| {
            let end = |pane: &i64| pane.saturating_add(panes.size);
            let ends = timed.then(|| starts(key).iter().map(end).collect());
            Ok(ends.map(|ends| timestamps(ends).as_primitive().clone()))
        })?;
        self.lane = Some(lane);
        if by_batch || given != Given::Closed {
            self.came.push(rows.clone());
        }
        Ok(Vec::new())
    }

    fn rest(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        let Some(mut lane) = self.lane.take() else { return Ok(None) };
        let given = self.close(&mut lane)?;
        self.states.leave(lane);
        Ok(Some(vec![given]))
    }
}

/// Where the pane of each row starts: the last column of its group.
fn starts(key: &[ArrayRef]) -> &[i64] {
    match key.last() {
        Some(column) => column.as_primitive::<TimestampMicrosecondType>().values(),
        None => &[],
    }
}

impl Windows {
    /// The windows that come out of the batch; forgets panes that are part of none any more.
    fn close(&mut self, lane: &mut Lane) -> Result<RecordBatch> {
        let Windowing { given, by_batch, .. } = self.windowing;
        let kept = self.kept(lane)?;
        let came = concat_batches(&self.merging.merged, &self.came)?;
        let Watermark { before, now, .. } = self.mark;
        let open_after = if by_batch { before } else { now };
        let closed = match given {
            Given::Closed => self.given(&[&kept, &came], (before, now), 0)?,
            Given::Changed => {
                let with = self.beside(lane, &came, open_after)?;
                self.given(&[&came, &with], (open_after, i64::MAX), came.num_rows())?
            }
            Given::All => self.given(&[&kept, &came], (i64::MIN, i64::MAX), 0)?,
        };
        if given != Given::All {
            self.forget(lane, &kept)?;
            self.forget(lane, &came)?;
        }
        Ok(closed)
    }

    /// What was kept before the batch and matters now: all if all come out, that of windows which
    /// end now, if there are any.
    fn kept(&self, lane: &Lane) -> Result<RecordBatch> {
        let Windowing { panes, given, .. } = self.windowing;
        let Watermark { before, now, origin } = self.mark;
        let ends = now != i64::MIN && panes.end_up_to(now, origin) > before;
        let mut rows = Vec::new();
        if given == Given::All || ends && !panes.tumbling() {
            for kept in lane.scan() {
                rows.push(self.merging.rows(&kept.map_err(state_failed)?)?);
            }
        } else if ends {
            rows.push(self.merging.rows(&lane.due(now).map_err(state_failed)?)?);
        }
        Ok(concat_batches(&self.merging.merged, &rows)?)
    }

    /// What was kept of the panes that are part of a window which the batch changed.
    fn beside(&self, lane: &Lane, came: &RecordBatch, after: i64) -> Result<RecordBatch> {
        let panes = self.windowing.panes;
        let (keys, _) = came.columns().split_at(self.merging.keys);
        let (mut rows, mut beside) = (Vec::new(), Vec::new());
        for (row, pane) in starts(keys).iter().enumerate() {
            let ends = panes.ends(*pane, self.mark.origin, (after, i64::MAX));
            let (mut first, mut last) = (None, *pane);
            for end in ends {
                first = first.or(Some(end.saturating_sub(panes.size)));
                last = end.saturating_sub(panes.length());
            }
            let length = usize::try_from(panes.length()).unwrap_or(usize::MAX);
            for other in first.into_iter().flat_map(|first| (first..=last).step_by(length)) {
                rows.push(row as u32);
                beside.push(other);
            }
        }
        let rows = UInt32Array::from(rows);
        let named = keys.iter().take(keys.len().saturating_sub(1));
        let mut columns: Vec<ArrayRef> =
            named.map(|column| Ok(take(column, &rows, None)?)).collect::<Result<_>>()?;
        columns.push(timestamps(beside));
        let keys = lane.keys(&self.merging.kept_keys(lane, &columns)?).map_err(state_failed)?;
        let (keys, _) = keys.distinct().map_err(state_failed)?;
        let prior = lane.read(&keys).map_err(state_failed)?;
        let (states, there) = self.merging.prior(&prior.state)?;
        let there: UInt32Array = there.into_iter().map(|row| Some(row as u32)).collect();
        let keys = take_record_batch(keys.columns(), &there)?;
        let columns = keys.columns().iter().chain(&states).zip(self.merging.merged.fields());
        let columns =
            columns.map(|(column, field)| Ok(arrow::compute::cast(column, field.data_type())?));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&self.merging.merged), columns)?)
    }

    /// The windows that end in a range of time, by end. Of `changed` first rows those windows that
    /// they are part of, if there are any such rows.
    fn given(
        &self,
        pieces: &[&RecordBatch],
        range: (i64, i64),
        changed: usize,
    ) -> Result<RecordBatch> {
        let panes = self.windowing.panes;
        let rows = concat_batches(&self.merging.merged, pieces.iter().copied())?;
        let (keys, states) = rows.columns().split_at(self.merging.keys);
        let (from, ends) = self.parts(starts(keys), range);
        let taken = |column: &ArrayRef| Ok(take(column, &from, None)?);
        let named = keys.iter().take(keys.len().saturating_sub(1)).map(taken);
        let mut keys = named.collect::<Result<Vec<_>>>()?;
        keys.push(timestamps(ends));
        let states = states.iter().map(taken).collect::<Result<Vec<_>>>()?;
        let mut done = self.merging.finish(&keys, &states)?;
        let ends = done.keys.pop();
        let ends = ends.map(|ends| ends.as_primitive::<TimestampMicrosecondType>().clone());
        let ends = ends.map_or_else(Vec::new, |ends| ends.values().to_vec());
        let mut chosen: Vec<u32> = (0..ends.len() as u32).collect();
        if self.windowing.given == Given::Changed {
            let mut touched = vec![false; ends.len()];
            for (row, group) in from.values().iter().zip(&done.groups) {
                touched[*group] |= (*row as usize) < changed;
            }
            chosen.retain(|group| touched[*group as usize]);
        }
        chosen.sort_by_key(|group| ends[*group as usize]);
        let begun = ends.iter().map(|end| end.saturating_sub(panes.size)).collect();
        let window = [timestamps(begun), timestamps(ends)];
        let columns = done.keys.into_iter().chain(window).chain(done.results).collect();
        let all = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        Ok(take_record_batch(&all, &UInt32Array::from(chosen))?)
    }

    /// Which rows are parts of windows that end in a range of time, the earliest panes first, and
    /// the ends of those windows.
    fn parts(&self, starts: &[i64], range: (i64, i64)) -> (UInt32Array, Vec<i64>) {
        let mut order: Vec<usize> = (0..starts.len()).collect();
        order.sort_by_key(|row| starts[*row]);
        let (mut from, mut ends) = (Vec::new(), Vec::new());
        for row in order {
            for end in self.windowing.panes.ends(starts[row], self.mark.origin, range) {
                from.push(row as u32);
                ends.push(end);
            }
        }
        (UInt32Array::from(from), ends)
    }

    /// Forgets the panes whose last window has ended.
    fn forget(&self, lane: &mut Lane, rows: &RecordBatch) -> Result<()> {
        let (keys, _) = rows.columns().split_at(self.merging.keys);
        let Watermark { now, origin, .. } = self.mark;
        let over = |pane: &i64| self.windowing.panes.last_end(*pane, origin) <= now;
        let over = starts(keys).iter().enumerate().filter(|(_, pane)| over(pane));
        let over: UInt32Array = over.map(|(row, _)| Some(row as u32)).collect();
        if over.is_empty() {
            return Ok(());
        }
        let keys: Vec<ArrayRef> =
            keys.iter().map(|column| Ok(take(column, &over, None)?)).collect::<Result<_>>()?;
        let keys = lane.keys(&self.merging.kept_keys(lane, &keys)?).map_err(state_failed)?;
        lane.remove(&keys).map_err(state_failed)
    }
}
