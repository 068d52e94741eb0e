//! What runs in this batch?
//!
//! Takes: a checked job, the columns of its sources, and its plugins. Gives: a plan, built once and
//! bound to new input for every batch. Promise: a bound plan gives what a freshly built one would;
//! every shuffle is ordered. Not here: when a batch runs and what becomes of its rows (`batch`).

mod assemble;
mod bind;
mod build;
mod call;
mod codec;
mod drain;
mod drive;
mod error;
mod initial;
mod job_plan;
mod keyed;
mod mismatch;
mod native;
mod ops;
mod origin;
mod print;
mod query;
mod session;
mod sql;
mod timing;
mod windows;

pub use bind::{Bindings, Bound, Progress, origin_of};
pub use build::build;
pub use call::Loaded;
pub use codec::Codec;
pub use drive::{Deliver, ReceiverError, RowsOut};
pub use error::RunError;
pub use initial::Initial;
pub use job_plan::{JobPlan, OpCode, SinkPlan};
pub use print::print;
pub use query::query;
pub use session::{Resources, Settings};
pub use timing::{Clock, Timed, Timing, Waiting};

// What the batch loop only hands through.
pub use crate::operator::{BatchStates, OpState, Times, Watermark};
pub use crate::plugin::{
    Aside, BatchNow, CallPlace, Counters, Exclusions, Interrupt, LogLine, LogSink, Places, Usage,
};
