//! What a function may use.

use std::time::Duration;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

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
        Self {
            memory: 256 * MIB,
            time: Duration::from_secs(10),
            result: 64 * MIB,
            rows: 64,
            memories: 4,
            tables: 8,
            elements: 100_000,
            instances: 64,
            handles: 1_000,
            log_line: 4 * KIB,
            log_rate: MIB,
            stderr: 64 * KIB,
            metrics: 256,
            component: 64 * MIB,
            functions: 100_000,
            compile_memory: 2 * GIB,
            compile_time: Duration::from_secs(120),
        }
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
}

/// How a limit is written in a job, and its bounds.
pub struct Bound<T: 'static> {
    /// Its name.
    pub name: &'static str,
    /// The least that it can be set to.
    pub least: T,
    /// The most.
    pub most: T,
    /// Where it is kept.
    pub place: fn(&mut Limits) -> &mut T,
}

/// Limits that are a number of bytes.
pub const BYTES: [Bound<u64>; 7] = [
    Bound { name: "memory", least: MIB, most: 4 * GIB, place: |limits| &mut limits.memory },
    Bound { name: "result", least: 64 * KIB, most: GIB, place: |limits| &mut limits.result },
    Bound { name: "log_line", least: 64, most: MIB, place: |limits| &mut limits.log_line },
    Bound { name: "log_rate", least: 0, most: GIB, place: |limits| &mut limits.log_rate },
    Bound { name: "stderr", least: 0, most: 16 * MIB, place: |limits| &mut limits.stderr },
    Bound { name: "component", least: KIB, most: GIB, place: |limits| &mut limits.component },
    Bound {
        name: "compile_memory",
        least: 256 * MIB,
        most: 64 * GIB,
        place: |limits| &mut limits.compile_memory,
    },
];

/// Limits that are a length of time.
pub const TIMES: [Bound<Duration>; 2] = [
    Bound {
        name: "time",
        least: Duration::from_millis(10),
        most: Duration::from_secs(3600),
        place: |limits| &mut limits.time,
    },
    Bound {
        name: "compile_time",
        least: Duration::from_secs(1),
        most: Duration::from_secs(3600),
        place: |limits| &mut limits.compile_time,
    },
];

/// Limits that are a number.
pub const NUMBERS: [Bound<u64>; 8] = [
    Bound { name: "rows", least: 1, most: 1_000_000, place: |limits| &mut limits.rows },
    Bound { name: "memories", least: 1, most: 100, place: |limits| &mut limits.memories },
    Bound { name: "tables", least: 1, most: 1_000, place: |limits| &mut limits.tables },
    Bound { name: "elements", least: 0, most: 10_000_000, place: |limits| &mut limits.elements },
    Bound { name: "instances", least: 1, most: 1_000, place: |limits| &mut limits.instances },
    Bound { name: "handles", least: 10, most: 100_000, place: |limits| &mut limits.handles },
    Bound { name: "metrics", least: 0, most: 10_000, place: |limits| &mut limits.metrics },
    Bound { name: "functions", least: 1, most: 1_000_000, place: |limits| &mut limits.functions },
];
