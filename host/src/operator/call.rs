//! What the nodes that call a function row by row have in common: what they call, and the stream
//! that cuts chunks, calls, and hands on.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::{Result, internal_err};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use futures::{Stream, StreamExt};

use super::lane;
use super::node::carried;
use super::run::Sites;
use crate::plugin::columns::chunk_rows;
use crate::plugin::{CallSite, ChunkId, Emitted, PluginError};

/// A call of a function in a plan.
#[derive(Clone, Debug)]
pub struct Call {
    /// The site.
    pub site: Arc<CallSite>,
    /// For each column that crosses, its place in the rows.
    pub reads: Vec<usize>,
    /// Places of the columns that are carried along without crossing.
    pub keep: Vec<usize>,
    /// The place of the hidden column that says where a row was read, if it is carried along: it
    /// comes out last.
    pub carry: Option<usize>,
}

/// A call in a plan that was written down.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct CallV1 {
    op: String,
    digest: String,
    function: String,
    reads: Vec<u32>,
    keep: Vec<u32>,
    carry: Option<u32>,
}

impl Call {
    /// The call as it is written down.
    pub fn record(&self) -> CallV1 {
        let places = |places: &[usize]| places.iter().map(|place| *place as u32).collect();
        CallV1 {
            op: self.site.op().to_owned(),
            digest: self.site.plugin().digest().to_string(),
            function: self.site.function().name.clone(),
            reads: places(&self.reads),
            keep: places(&self.keep),
            carry: self.carry.map(|place| place as u32),
        }
    }

    /// Places of all columns that come out as they went in.
    pub fn kept(&self) -> Vec<usize> {
        self.keep.iter().copied().chain(self.carry).collect()
    }

    /// The call that was written down, joined to the sites of this job.
    pub fn restore(record: &CallV1, context: &TaskContext) -> Result<Self> {
        let Some(sites) = context.session_config().get_extension::<Sites>() else {
            return internal_err!("a plan of Weir was read without its call sites");
        };
        let places = |places: &[u32]| places.iter().map(|place| *place as usize).collect();
        Ok(Self {
            site: sites.find(&record.op, &record.digest, &record.function)?,
            reads: places(&record.reads),
            keep: places(&record.keep),
            carry: record.carry.map(|place| place as usize),
        })
    }

    /// The columns of a port's rows: first what is kept, then what comes out.
    pub fn output(&self, input: &SchemaRef, port: usize) -> SchemaRef {
        let kept = self.keep.iter().map(|place| Arc::clone(&input.fields()[*place]));
        let given = self.site.ports()[port].fields().iter().map(Arc::clone);
        let carried = self.carry.map(|place| Arc::clone(&input.fields()[place]));
        Arc::new(Schema::new(kept.chain(given).chain(carried).collect::<Vec<_>>()))
    }

    /// The columns that cross, under the names that the function knows.
    pub fn crossing(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.reads.iter().map(|place| Arc::clone(rows.column(*place))).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let schema = Arc::clone(self.site.input());
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
    }

    /// Rows of a port with the kept columns in front.
    pub fn joined(
        &self,
        rows: &RecordBatch,
        emitted: Emitted,
        schema: &SchemaRef,
    ) -> Result<RecordBatch> {
        let kept = self.kept();
        if kept.is_empty() {
            return Ok(emitted.rows.with_schema(Arc::clone(schema))?);
        }
        let parents = arrow::array::UInt32Array::from(emitted.parents);
        let kept = rows.project(&kept)?;
        let kept = arrow::compute::take_record_batch(&kept, &parents)?;
        self.beside(&kept, &emitted.rows, schema)
    }

    /// The columns that come out as they went in, and those that were given, side by side.
    pub fn beside(
        &self,
        kept: &RecordBatch,
        given: &RecordBatch,
        schema: &SchemaRef,
    ) -> Result<RecordBatch> {
        let (kept, carried) = kept.columns().split_at(self.keep.len());
        let columns = kept.iter().chain(given.columns()).chain(carried).map(Arc::clone).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(given.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
    }

    /// For the printed plan.
    pub fn describe(&self, input: &SchemaRef) -> String {
        let names = |places: &[usize]| {
            let names: Vec<&str> =
                places.iter().map(|place| input.field(*place).name().as_str()).collect();
            names.join(", ")
        };
        let keep = match self.keep.as_slice() {
            [] => String::new(),
            keep => format!(", keep=[{}]", names(keep)),
        };
        format!(
            "op={}, call={}, plugin={}, reads=[{}]{keep}",
            self.site.op(),
            self.site.function().name,
            self.site.plugin().digest().short(),
            names(&self.reads),
        )
    }
}

/// Opens the function of a site for the lane that the current thread works for.
pub fn enter(site: &Arc<CallSite>) -> Result<crate::plugin::Guest> {
    match lane::current() {
        Some(place) => site.enter(place.partition, place.mark).map_err(carried),
        None => internal_err!("op `{}` was called outside of a lane", site.op()),
    }
}

/// What happens to each chunk of a partition.
pub trait ChunkWork: Send {
    /// Takes a chunk, gives rows.
    fn chunk(&mut self, rows: &RecordBatch) -> Result<Vec<RecordBatch>>;

    /// After the last chunk: gives rows until there are none.
    fn rest(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        Ok(None)
    }
}

/// Cuts the rows of a stream into chunks by the fixed rule and works on each.
pub struct ChunkStream {
    input: SendableRecordBatchStream,
    work: Option<Box<dyn ChunkWork>>,
    schema: SchemaRef,
    uncut: Option<(RecordBatch, usize)>,
    ready: VecDeque<RecordBatch>,
    ended: bool,
}

impl ChunkStream {
    /// A stream of what the work gives.
    pub fn new(
        input: SendableRecordBatchStream,
        schema: SchemaRef,
        work: impl ChunkWork + 'static,
    ) -> Self {
        Self {
            input,
            work: Some(Box::new(work)),
            schema,
            uncut: None,
            ready: VecDeque::new(),
            ended: false,
        }
    }

    /// Works on the next chunk of the rows in hand. Says whether there was one.
    fn advance(&mut self) -> Result<bool> {
        let (Some((rows, start)), Some(work)) = (self.uncut.take(), &mut self.work) else {
            return Ok(false);
        };
        let length = chunk_rows(&rows, start);
        let given = work.chunk(&rows.slice(start, length))?;
        if start + length < rows.num_rows() {
            self.uncut = Some((rows, start + length));
        }
        self.hand_on(given);
        Ok(true)
    }

    fn hand_on(&mut self, given: Vec<RecordBatch>) {
        for rows in given {
            let mut start = 0;
            while start < rows.num_rows() {
                let length = chunk_rows(&rows, start);
                self.ready.push_back(rows.slice(start, length));
                start += length;
            }
        }
    }

    fn finish(&mut self) -> Result<()> {
        match self.work.as_mut().map(|work| work.rest()).transpose()?.flatten() {
            Some(given) => self.hand_on(given),
            None => self.work = None,
        }
        Ok(())
    }

    fn step(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<RecordBatch>>> {
        loop {
            if let Some(rows) = self.ready.pop_front() {
                return Poll::Ready(Ok(Some(rows)));
            }
            if self.work.is_none() {
                return Poll::Ready(Ok(None));
            }
            if self.advance()? {
                continue;
            }
            if self.ended {
                self.finish()?;
                continue;
            }
            match ready!(self.input.poll_next_unpin(context)) {
                Some(rows) => {
                    let rows = rows?;
                    if rows.num_rows() > 0 {
                        self.uncut = Some((rows, 0));
                    }
                }
                None => self.ended = true,
            }
        }
    }
}

impl Stream for ChunkStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let step = ready!(self.step(context));
        if step.is_err() {
            self.work = None;
        }
        Poll::Ready(step.transpose())
    }
}

impl RecordBatchStream for ChunkStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// A function that is opened at the first chunk of a lane and called with every one.
#[derive(Debug)]
pub struct LaneGuest {
    site: Arc<CallSite>,
    guest: Option<crate::plugin::Guest>,
    /// What its chunks are counted under, in the batch and partition.
    series: String,
    chunks: u64,
}

impl LaneGuest {
    /// Not open yet.
    pub fn new(site: &Arc<CallSite>) -> Self {
        Self::in_series(site, site.op().to_owned(), 0)
    }

    /// Not open yet; its chunks are counted under a name of their own, from a number on.
    pub fn in_series(site: &Arc<CallSite>, series: String, chunks: u64) -> Self {
        Self { site: Arc::clone(site), guest: None, series, chunks }
    }

    /// The open function.
    pub fn get(&mut self) -> Result<&mut crate::plugin::Guest> {
        if self.guest.is_none() {
            self.guest = Some(enter(&self.site)?);
        }
        match &mut self.guest {
            Some(guest) => Ok(guest),
            None => internal_err!("a function that was just opened is not open"),
        }
    }

    /// The site it is opened at.
    pub fn site(&self) -> &Arc<CallSite> {
        &self.site
    }

    /// What its chunks are counted under, and how many there have been.
    pub fn series(&self) -> (&str, u64) {
        (&self.series, self.chunks)
    }

    /// Chunks were counted somewhere else, up to this one.
    pub fn count_on(&mut self, chunks: u64) {
        self.chunks = chunks;
    }

    /// The next chunk that it is called with in this batch, for something.
    pub fn next_chunk(&mut self, what: &str) -> Result<ChunkId> {
        self.chunks += 1;
        let name = format!("{}{what}", self.series);
        Ok((name, self.get()?.lane().partition, self.chunks))
    }

    /// Gives the function back.
    pub fn leave(&mut self) {
        self.guest = None;
    }

    /// The most memory that the function has had, in bytes.
    pub fn memory_max(&self) -> u64 {
        self.guest.as_ref().map_or(0, |guest| guest.memory_max())
    }

    /// Whether it was opened.
    pub fn is_open(&self) -> bool {
        self.guest.is_some()
    }
}

/// Turns the plugin room's result into DataFusion's.
pub fn carry<T>(result: std::result::Result<T, PluginError>) -> Result<T> {
    result.map_err(carried)
}
