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
mod drive;
mod error;
mod mismatch;
mod native;
mod print;
mod session;
mod sql;

pub use bind::{Bindings, Bound, Progress};
pub use build::{JobPlan, SinkPlan, build};
pub use call::Loaded;
pub use codec::Codec;
pub use drive::{Deliver, ReceiverError, RowsOut};
pub use error::RunError;
pub use print::print;
pub use session::{Resources, Settings};

// What the batch loop only hands through.
pub use crate::plugin::{BatchNow, CallPlace, Counters, Interrupt, LogLine, LogSink, Usage};
