//! When, and how much?
//!
//! Takes: open sources and sinks, and a plan. Gives: batches, one after the other. Promise: a batch
//! takes each offered range once; nothing is visible before the whole batch succeeded.
//! Not here: formats, user code, and what a person sees of it (`cli`).

mod deliver;
mod due;
mod error;
mod event;
mod event_time;
mod initial;
mod ledger;
mod letters;
mod look;
mod observe;
mod once;
mod output;
mod parts;
mod progress;
mod ranges;
mod records;
mod resume;
mod run;
mod staged;
mod start;
mod stop;
mod taken;
#[cfg(test)]
mod tests;
mod trigger;
mod verify;

pub use error::BatchError;
pub use event::{
    BatchReport, ConnectionReport, Event, OpReport, RefusedReport, SinkReport, Totals,
};
pub use event_time::STATE as EVENT_TIME_STATE;
pub use initial::InitialError;
pub use ledger::{Ledger, LedgerError};
pub use letters::DeadLetters;
pub use look::{Look, LookError};
pub use resume::Found;
pub use run::Runner;
pub use start::{Listener, Start};
pub use stop::Stop;
pub use trigger::{Mode, Trigger};
