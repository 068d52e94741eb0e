//! What has happened?
//!
//! Takes: what a batch is to do, and that it is done. Gives: the permits without which nothing
//! runs, becomes visible or is acknowledged; after a start, what to do.
//! Promise: after a crash at most one batch is uncertain, and it is run again as it was recorded;
//! an owner that lost the checkpoint can't commit; what can't be believed is refused by name.
//! Not here: what positions, markers and states mean: their rooms make the bytes.
//!
//! ```text
//! weir-checkpoint       identity: job id, name, key groups, codec; created once
//! log/g<gen>-<k>.wlog   records in order: 8 MiB segments, zeroed beforehand, only appended to
//! owner/g<gen>          generation <gen> was begun
//! floor/<seq>           records up to <seq> may be gone; created once, older ones are removed
//! state/<op>/<group>/n<n>-<attempt>.{delta,snap}    named by commits only
//! reserve               16 MiB that are given up for the last commit when the disk is full
//! lock                  held by the process that runs the job
//! aside/<time>/…        what `host checkpoint repair` does not trust, as it was
//! ```
//!
//! Every file is made of frames (`durable::frame`), every record is a `…V1` of `record`.

mod chain;
mod error;
mod history;
mod identity;
mod list;
mod log;
mod open;
mod owner;
pub mod path;
pub mod record;
mod recover;
mod refusal;
mod repair;
mod restore;
mod retain;
mod salvage;
mod steps;
#[cfg(test)]
mod test_kit;
#[cfg(test)]
mod tests;

pub use chain::{Chain, FloorV1, Placed, Raw, Tip, Torn};
pub use error::{CODES, CheckpointError, Damage};
pub use history::{Done, History, Mark, Open};
pub use identity::{IdentityV1, JobId};
pub use list::{BatchLine, SegmentLine, Verdict, look, ls, verify};
pub use log::SEGMENT_BYTES_MIN;
pub use open::{Options, Recovery};
pub use recover::{
    Decision, LogSeen, Note, Observed, OnDataLoss, Recover, SinkMark, SinkSeen, decide,
};
pub use refusal::Refusal;
pub use repair::{Repair, carry_out, diagnose};
pub use restore::{Lost, Step as StateStep, file_of, way};
pub use retain::{Keep, Plan, Removed, plan};
pub use steps::{Begun, Checkpoint, Committed, Permit};
