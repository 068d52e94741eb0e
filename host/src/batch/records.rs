//! From what the loop has in hand to what the checkpoint writes down, and back.

use serde::{Deserialize, Serialize};

use super::ranges::Ranges;
use crate::checkpoint::record::{
    CommitV1, ExcludedV1, IntentV1, OpEntryV1, OpV1, RowsV1, SourcePositionV1, SourceRangeV1,
    StateVersionV1,
};
use crate::clock;
use crate::id::NodeId;
use crate::plan::{Exclusions, JobPlan};
use crate::row_error::{FunctionMark, Refused};
use crate::secret::hidden;
use crate::sink::Digest;
use crate::source::{SourceError, SourceRange, Taken};
use crate::state::KEY_GROUPS;

/// The version of Weir and of the engine of functions: with another one a batch that runs again is
/// not compared row by row.
pub const ENGINE: &str = concat!("weir ", env!("CARGO_PKG_VERSION"), ", wasmtime 48");

/// What rows are left out for: only these may pass another time.
const CODES: [&str; 3] = ["WEIR-PLUGIN-021", "WEIR-PLUGIN-022", "WEIR-PLUGIN-023"];

/// The settings of an op by which a later batch reads its states: the `ttl` in microseconds, little
/// endian, 0 for none; then zeroes. The hash of the job covers all others.
fn config(plan: &JobPlan, op: &str) -> [u8; 32] {
    let state = plan.states.iter().find(|state| state.op.as_str() == op);
    let ttl = state.and_then(|state| state.keeping.ttl).unwrap_or_default();
    let mut config = [0; 32];
    config[..8].copy_from_slice(&ttl.to_le_bytes());
    config
}

/// The `ttl` of an op in a batch.
pub fn ttl_of(intent: &IntentV1, op: &str) -> Option<i64> {
    let entry = intent.ops.iter().find(|it| it.op == op).and_then(|it| it.entries.first());
    let bytes = entry.and_then(|entry| entry.config[..8].try_into().ok());
    bytes.map(i64::from_le_bytes).filter(|ttl| *ttl != 0)
}

/// The code of a plan as an intent has it.
pub fn ops(plan: &JobPlan) -> Vec<OpV1> {
    let op = |code: crate::plan::OpCode| OpV1 {
        entries: vec![OpEntryV1 {
            first_group: 0,
            last_group: KEY_GROUPS - 1,
            config: config(plan, &code.op),
            function: code.function,
            digest: code.digest.0,
            state_schema: code.state_version,
        }],
        op: code.op,
        interface: code.interface.to_owned(),
    };
    plan.code().into_iter().map(op).collect()
}

/// What an intent says besides the batch, its time and its input.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// A hash of the job.
    pub job: [u8; 32],
    /// The job's name, from which chance follows.
    pub name: String,
    /// The code.
    pub ops: Vec<OpV1>,
    /// The ops with a state.
    pub states: Vec<NodeId>,
    /// Whether a second run gives the same rows for sure.
    pub deterministic: bool,
}

impl Frame {
    /// The intent of a batch.
    pub fn intent(&self, batch: u64, time: i64, sources: Vec<SourceRangeV1>) -> IntentV1 {
        let version = |op: &NodeId| StateVersionV1 { op: op.to_string(), version: batch - 1 };
        IntentV1 {
            batch,
            revision: 0,
            job: self.job,
            engine: ENGINE.to_owned(),
            sources,
            ops: self.ops.clone(),
            base: self.states.iter().map(version).collect(),
            time,
            watermarks: Vec::new(),
            seed: clock::seed(&self.name, "", batch, 0),
            excluded: Vec::new(),
            deterministic: self.deterministic,
        }
    }
}

/// What a batch reads.
pub fn ranges(ids: &[NodeId], ranges: &Ranges, taken: &[Taken]) -> Vec<SourceRangeV1> {
    let one = |((id, range), taken): ((&NodeId, &SourceRange), &Taken)| SourceRangeV1 {
        source: id.to_string(),
        range: range.to_bytes(),
        // The columns, for a batch that is run again before any commit has them.
        identity: Taken { last: None, ..taken.clone() }.to_bytes(),
        text: range.text(),
    };
    ids.iter().zip(ranges).zip(taken).map(one).collect()
}

/// How far the sources were read.
pub fn positions(ids: &[NodeId], taken: &[Taken]) -> Vec<SourcePositionV1> {
    let one = |(id, taken): (&NodeId, &Taken)| SourcePositionV1 {
        source: id.to_string(),
        position: taken.to_bytes(),
        text: taken.last.as_ref().map_or_else(String::new, SourceRange::text),
    };
    ids.iter().zip(taken).map(one).collect()
}

/// How far a source was read by the last commit.
pub fn taken(commit: Option<&CommitV1>, id: &NodeId) -> Result<Taken, SourceError> {
    let of_source = |commit: &CommitV1| {
        let position = commit.sources.iter().find(|it| it.source == id.as_str());
        position.map(|it| Taken::from_bytes(&it.position))
    };
    commit.and_then(of_source).unwrap_or_else(|| Ok(Taken::default()))
}

/// Rows as a record counts them.
pub fn rows(digest: Digest) -> RowsV1 {
    RowsV1 { rows: digest.rows, sum: digest.sum }
}

/// What is kept of a row that is left out, to write its dead letter in another process.
#[derive(Serialize, Deserialize)]
struct Letter {
    code: String,
    message: String,
    origin: Option<String>,
    row: Option<String>,
    stderr: String,
    backtrace: Vec<String>,
    function: Option<(String, String, String)>,
}

/// Rows that are left out, as an intent has them: a record each, with partition, chunk and row.
pub fn excluded(known: &Exclusions) -> Vec<ExcludedV1> {
    let clean = |text: &str| hidden(text).into_owned();
    let letter = |refused: &Refused| Letter {
        code: refused.code.to_owned(),
        message: clean(&refused.message),
        origin: refused.origin.as_deref().map(clean),
        row: refused.row.as_deref().map(clean),
        stderr: clean(&refused.stderr),
        backtrace: refused.backtrace.iter().map(|frame| clean(frame)).collect(),
        function: refused
            .function
            .as_ref()
            .map(|mark| (mark.function.clone(), mark.plugin.clone(), mark.digest.clone())),
    };
    let mut all = Vec::new();
    for ((op, partition, chunk), rows) in known {
        for (row, refused) in rows {
            all.push(ExcludedV1 {
                op: op.clone(),
                rows: vec![u64::from(*partition), *chunk, u64::from(*row)],
                // Text always is JSON.
                reason: serde_json::to_string(&letter(refused)).unwrap_or_default(),
            });
        }
    }
    all
}

/// The same from an intent.
pub fn exclusions(excluded: &[ExcludedV1]) -> Exclusions {
    let mut known = Exclusions::new();
    for one in excluded {
        let [partition, chunk, row] = one.rows[..] else { continue };
        let (Ok(partition), Ok(row)) = (u32::try_from(partition), u32::try_from(row)) else {
            continue;
        };
        let refused = match serde_json::from_str::<Letter>(&one.reason) {
            Ok(letter) => refused(&one.op, letter),
            Err(_) => Refused { at: one.op.clone(), ..Refused::default() },
        };
        known.entry((one.op.clone(), partition, chunk)).or_default().insert(row, refused);
    }
    known
}

fn refused(op: &str, letter: Letter) -> Refused {
    let code = CODES.iter().find(|code| **code == letter.code);
    Refused {
        at: op.to_owned(),
        function: letter.function.map(|(function, plugin, digest)| FunctionMark {
            function,
            plugin,
            digest,
        }),
        origin: letter.origin,
        row: letter.row,
        code: code.copied().unwrap_or(CODES[0]),
        message: letter.message,
        stderr: letter.stderr,
        backtrace: letter.backtrace,
    }
}
