//! What did the user ask for?
//!
//! Takes: the text of job.toml and the folder it lies in. Gives: a checked [`Job`], or every
//! problem at once, each with its place in the text and a way out.
//! Promise: a `Job` has unique ids, known inputs and settings within their bounds; nothing outside
//! of the text and the given overrides was looked at.
//! Not here: whether files and functions exist and fit together (`source`, `plugin`, `plan`).

mod aggregates;
mod allow;
mod aside;
mod calls;
mod check;
pub mod codes;
mod effective;
mod entries;
mod fields;
mod later;
mod layout;
mod limits;
mod overrides;
mod problem;
mod read;
mod schema;
mod sinks;
#[cfg(test)]
mod tests;
mod units;
mod value;
mod vars;
mod windows;
mod written;

pub use aggregates::{AggregateFunction, AggregateSpec, NativeSpec};
pub use allow::{Allow, EnvSpec, FolderSpec};
pub use aside::{CheckpointSpec, DeadLettersSpec, Expect, StateSpec, StoreName, TestSpec};
pub use effective::{Line, Section, effective};
pub use layout::formatted;
pub use limits::Limits;
pub use problem::{JobError, Mark, Problem, Span};
pub use read::TEXT_BYTES_MAX;
pub use schema::schema;
pub use sinks::{SinkKind, SinkSpec};
pub use value::Value;
pub use vars::Outside;
pub use windows::{EventTimeSpec, Mode, WindowSpec, WindowTime};
pub use written::{key, toml};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;

use crate::id::{JobName, NodeId};
use crate::row_error::OnError;

/// A checked job: what every other room works from.
#[derive(Clone, Debug)]
pub struct Job {
    /// `name`.
    pub name: JobName,
    /// The folder of job.toml: relative paths start here.
    pub folder: PathBuf,
    /// The text it was read from, for messages.
    pub text: Arc<JobText>,
    /// `[job]`.
    pub settings: Settings,
    /// `[[function]]`: what `sql` may call, besides what DataFusion has.
    pub functions: Vec<FunctionSpec>,
    /// `[[source]]`, in the order of the file.
    pub sources: Vec<SourceSpec>,
    /// `[[op]]`, ordered so that every op comes after its inputs (which is the order of the file:
    /// an op reads only from entries above it).
    pub ops: Vec<OpSpec>,
    /// `[[sink]]`, in the order of the file.
    pub sinks: Vec<SinkSpec>,
    /// `[dead_letters]`.
    pub dead_letters: DeadLettersSpec,
    /// `[checkpoint]`.
    pub checkpoint: CheckpointSpec,
    /// `[state]`.
    pub state: StateSpec,
    /// `[[test]]`, in the order of the file.
    pub tests: Vec<TestSpec>,
}

/// The text of a job and what to call it in messages.
#[derive(Debug)]
pub struct JobText {
    /// The path as the user gave it.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// What was changed from outside: places of these values begin behind the end of the text.
    pub overrides: Vec<Override>,
}

/// A value that `--set` or the environment put in the place of what the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Where it came from: `--set job.batch` or `HOST__JOB__BATCH`.
    pub origin: String,
    /// The value as it was given.
    pub value: String,
    /// The first byte of its places.
    pub start: usize,
}

impl JobText {
    /// The override that a place lies in; none for a place in the file.
    pub fn override_at(&self, span: &Span) -> Option<&Override> {
        let before = self.overrides.partition_point(|changed| changed.start <= span.start);
        before.checked_sub(1).and_then(|last| self.overrides.get(last))
    }
}

/// `[job]`: how the job runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `batch`: the interval; zero = as fast as there is input. Default 1 s.
    pub batch: Duration,
    /// `parallelism`: lanes of the plan. Default: cores of the machine (resolved by the reader
    /// of the setting, `None` here when not written).
    pub parallelism: Option<usize>,
    /// `memory`: what buffers, tables and operators of one batch may hold before they spill, in
    /// bytes. Default 1 GiB.
    pub memory: u64,
    /// `confine`: whether the process gives up the files and ports that the job does not name,
    /// where the kernel can do that. Default yes.
    pub confine: bool,
    /// `clock = "batches"`: whether the time of a batch is one interval after that of the batch
    /// before, whatever the machine's clock says. Default no.
    pub by_batches: bool,
    /// `grace`: how long a stop may take to finish the batch in flight. Default 30 s.
    pub grace: Duration,
}

/// A `[[source]]`.
#[derive(Clone, Debug)]
pub struct SourceSpec {
    /// `id`.
    pub id: NodeId,
    /// `type` and its settings.
    pub kind: SourceKind,
    /// `schema`, when given: column names and types in order.
    pub schema: Option<SchemaRef>,
    /// `on_error`: what is done with input that is no row.
    pub on_error: OnError,
    /// `event_time`: when its rows came to be.
    pub event_time: Option<EventTimeSpec>,
    /// Where the entry stands (its `id`).
    pub span: Span,
}

/// The kinds of source.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// `type = "file"`: files of a folder or a glob.
    File(FileSourceSpec),
    /// `type = "rows"`: rows written in the job, one list a batch.
    Rows(RowsSourceSpec),
    /// `type = "socket"`: lines that come over TCP.
    Socket(SocketSourceSpec),
    /// `type = "rate"`: numbers and times, so many a second.
    Rate(RateSourceSpec),
}

/// Settings of a socket source.
#[derive(Clone, Debug)]
pub struct SocketSourceSpec {
    /// `address`: `host:port`, or a list of them: a receiver for each.
    pub addresses: Vec<String>,
    /// `format`: default text.
    pub format: FormatKind,
    /// `block_interval`: a block ends after it. Default 200 ms.
    pub block_interval: Duration,
    /// `buffer`: bytes that are held until batches are visible. Default 64 MiB.
    pub buffer: u64,
    /// `idle_timeout`: a connection on which nothing came for so long is made anew. Default never.
    pub idle_timeout: Option<Duration>,
    /// `max_rate`: at most so many rows a second. Default no limit.
    pub max_rate: Option<u64>,
    /// `wal`: whether blocks are written to a log before a batch sees them. Default true.
    pub wal: bool,
}

/// Settings of a rate source.
#[derive(Clone, Debug)]
pub struct RateSourceSpec {
    /// `rows_per_second`: default 1,000.
    pub rows_per_second: u64,
    /// `count`: rows in all. Default no end.
    pub count: Option<u64>,
    /// `max_rate`: at most so many rows a second are taken. Default no limit.
    pub max_rate: Option<u64>,
}

/// Settings of a file source.
#[derive(Clone, Debug)]
pub struct FileSourceSpec {
    /// `path`: a folder, or a glob; relative to the folder of job.toml (not yet joined).
    pub path: String,
    /// Where `path` stands.
    pub path_span: Span,
    /// `format`: default text.
    pub format: FormatKind,
    /// `files_per_batch`: at most so many files a batch; default no limit.
    pub files_per_batch: Option<usize>,
    /// `max_unpacked`: how many bytes a compressed file, or the rows of a Parquet file,
    /// may take. Default 16 GiB.
    pub max_unpacked: u64,
    /// `on_data_loss = "go-on"`: whether a batch that has to be run again comes without the files
    /// that are gone. Default no.
    pub goes_on: bool,
}

impl FileSourceSpec {
    /// How much a compressed file may unpack to where nothing is said, in bytes.
    pub const UNPACKED_MAX: u64 = 16 << 30;
}

/// The formats of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatKind {
    /// One column `line: string`, one row a line.
    Text,
    /// One JSON object a line.
    Json,
    /// Comma-separated values, laid out so.
    Csv(Layout),
    /// Parquet files.
    Parquet,
}

/// How a file of comma-separated values is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// `header`: whether the first record has the names of the columns. Default yes.
    pub header: bool,
    /// `delimiter`: the ASCII character between values. Default a comma.
    pub delimiter: u8,
}

impl Layout {
    /// As it is when nothing is said.
    pub const COMMAS: Self = Self { header: true, delimiter: b',' };
}

/// Settings of a rows source.
#[derive(Clone, Debug)]
pub struct RowsSourceSpec {
    /// `batches`: a list of lists of tables; or `rows`: one list, the same as one batch.
    pub batches: Vec<Vec<serde_json::Map<String, serde_json::Value>>>,
    /// Where they stand.
    pub span: Span,
}

/// Where an op or a sink takes its rows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The source or op.
    pub node: NodeId,
    /// The port, when it isn't the main one: `from = "words.late"`.
    pub port: Option<String>,
    /// Where it stands; for an implicit `from` the `id` of the entry that has it.
    pub span: Span,
}

/// An `[[op]]`.
#[derive(Clone, Debug)]
pub struct OpSpec {
    /// `id`.
    pub id: NodeId,
    /// `from`; the entry above when not written. For `sql` without `from`: empty, because the
    /// tables that the SQL names decide.
    pub from: Vec<Input>,
    /// What it does.
    pub body: OpBody,
    /// `across = "run"`: where it stands, if the op is an aggregate that lives on over batches.
    pub across: Option<Span>,
    /// `window`: the rows that an aggregate is made of, if those are not the rows of a batch.
    pub window: Option<WindowSpec>,
    /// `event_time`: when the rows that it gives came to be.
    pub event_time: Option<EventTimeSpec>,
    /// Where the entry stands (its `id`).
    pub span: Span,
}

/// Exactly one of `wasm`, `sql` and `native`.
#[derive(Clone, Debug)]
pub enum OpBody {
    /// `wasm`: a function of a component. Boxed because it is much larger than the others.
    Wasm(Box<CallSpec>),
    /// `sql`: a query over the rows of one batch.
    Sql(SqlSpec),
    /// `native`: an operator that the host has.
    Native(NativeSpec),
}

/// A call of a function of a component.
#[derive(Clone, Debug)]
pub struct CallSpec {
    /// `wasm`: a `.wasm` file, or a folder that is built; relative to the folder of job.toml (not
    /// yet joined).
    pub wasm: String,
    /// Where `wasm` stands.
    pub wasm_span: Span,
    /// `call`: the function; may be left out when the component has one only.
    pub call: Option<String>,
    /// Where `call` stands, or the id when it isn't written.
    pub call_span: Span,
    /// `key`: columns to group by, for an aggregator, or to keep states by, for an updater.
    pub key: Vec<String>,
    /// Where `key` stands, or the id.
    pub key_span: Span,
    /// `keep`: columns carried along without crossing.
    pub keep: Vec<String>,
    /// Where `keep` stands, or the id.
    pub keep_span: Span,
    /// `columns = { line = "body" }`: which column of the rows a function's column is read from,
    /// when the names differ.
    pub columns: Vec<(String, String)>,
    /// Where `columns` stands, or the id.
    pub columns_span: Span,
    /// `visit`, `timeout`, `ttl`: how an updater keeps states.
    pub keeping: KeepingSpec,
    /// `config` as JSON; an empty object when not written.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// Where `config` stands, or the id.
    pub config_span: Span,
    /// Where each setting directly in `config` stands.
    pub config_spans: Vec<(String, Span)>,
    /// `limits`.
    pub limits: Limits,
    /// `on_error`: what is done with rows that the function can't take.
    pub on_error: OnError,
    /// `allow`: what it may see of the machine.
    pub allow: Allow,
}

/// How an updater keeps states: what is written, and where it stands.
#[derive(Clone, Debug, Default)]
pub struct KeepingSpec {
    /// `visit`: whether all keys with a state are visited in every batch. Default no.
    pub visit: Option<(bool, Span)>,
    /// `timeout`: a key without values for so long is visited as timed out. Default never.
    pub timeout: Option<(Duration, Span)>,
    /// `ttl`: a state that was not set for so long is dropped. Default never.
    pub ttl: Option<(Duration, Span)>,
    /// `initial`: files of states that the op begins with. Default none.
    pub initial: Option<FileSourceSpec>,
}

/// A `[[function]]`: a mapper or an aggregator under an SQL name.
#[derive(Clone, Debug)]
pub struct FunctionSpec {
    /// `id`: its name in SQL.
    pub id: NodeId,
    /// `wasm`, `call`, `config`, `limits`; `key`, `keep` and `columns` are empty.
    pub call: CallSpec,
    /// Where the entry stands (its `id`).
    pub span: Span,
}

/// An op with `sql`.
#[derive(Clone, Debug)]
pub struct SqlSpec {
    /// The query.
    pub sql: String,
    /// Where it stands.
    pub span: Span,
}
