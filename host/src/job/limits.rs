//! What a function may use.

use std::time::Duration;

use super::fields::{Fields, Problems};
use super::problem::Span;
use super::schema::LIMITS;
use super::value::{NOTHING, Table};

/// `limits = { memory = "256MiB", time = "10s", … }` of an op or a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `memory`: linear memory of an instance in bytes, the sum of all its memories.
    pub memory: u64,
    /// `time`: real time of one call.
    pub time: Duration,
    /// `result`: bytes that one call may give back.
    pub result: u64,
    /// `rows`: rows out for a row in, of a flat-mapper on average over a chunk, of a transformer
    /// over the batch.
    pub rows: u64,
    /// `memories`: linear memories of an instance.
    pub memories: u64,
    /// `tables`: tables of an instance.
    pub tables: u64,
    /// `elements`: elements of all its tables.
    pub elements: u64,
    /// `instances`: core modules that are instantiated for it.
    pub instances: u64,
    /// `handles`: resources of the host that it may hold at a time.
    pub handles: u64,
    /// `log_line`: bytes of a line in the log; the rest is cut.
    pub log_line: u64,
    /// `log_rate`: bytes that it may log in a second; lines beyond are dropped and counted.
    pub log_rate: u64,
    /// `stderr`: bytes of its standard error that are kept of a call, for the message of a trap.
    pub stderr: u64,
    /// `metrics`: names of metrics that it may use; others are not counted.
    pub metrics: u64,
    /// `component`: bytes of its component.
    pub component: u64,
    /// `functions`: functions of its component.
    pub functions: u64,
    /// `compile_memory`: memory that compiling its component may take, in bytes.
    pub compile_memory: u64,
    /// `compile_time`: processor time that compiling its component may take.
    pub compile_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self::read((&NOTHING, 0..0), &Problems::default())
    }
}

impl Limits {
    /// The larger of each limit of what is done once for a component, which is compiling it and
    /// asking what it has: two ops may call one.
    #[must_use]
    pub fn or_larger(&self, other: &Self) -> Self {
        Self {
            memory: self.memory.max(other.memory),
            memories: self.memories.max(other.memories),
            tables: self.tables.max(other.tables),
            elements: self.elements.max(other.elements),
            instances: self.instances.max(other.instances),
            handles: self.handles.max(other.handles),
            component: self.component.max(other.component),
            functions: self.functions.max(other.functions),
            compile_memory: self.compile_memory.max(other.compile_memory),
            compile_time: self.compile_time.max(other.compile_time),
            ..self.clone()
        }
    }

    /// Reads a table of limits. Their bounds, and what holds for those that aren't there, stand in
    /// [`LIMITS`].
    pub(super) fn read(table: (&Table, Span), problems: &Problems) -> Self {
        let fields = Fields::new(table, std::slice::from_ref(&LIMITS), problems);
        // What is wrong is a problem already: what stands in its place is of no account.
        let bytes = |name| fields.bytes(name).unwrap_or_default();
        let time = |name| fields.time(name).unwrap_or_default();
        let number = |name| fields.number(name).unwrap_or_default().unsigned_abs();
        let limits = Self {
            memory: bytes("memory"),
            time: time("time"),
            result: bytes("result"),
            rows: number("rows"),
            memories: number("memories"),
            tables: number("tables"),
            elements: number("elements"),
            instances: number("instances"),
            handles: number("handles"),
            log_line: bytes("log_line"),
            log_rate: bytes("log_rate"),
            stderr: bytes("stderr"),
            metrics: number("metrics"),
            component: bytes("component"),
            functions: number("functions"),
            compile_memory: bytes("compile_memory"),
            compile_time: time("compile_time"),
        };
        fields.finish();
        limits
    }
}
