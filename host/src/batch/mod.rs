//! When, and how much?
//!
//! Takes: open sources and sinks, and a plan. Gives: batches, one after the other. Promise: a batch
//! takes each offered range once; nothing is visible before the whole batch succeeded.
//! Not here: formats, user code, and what a person sees of it (`cli`).

mod deliver;
mod error;
mod event;
mod letters;
mod ranges;
mod run;
mod stop;
mod trigger;

pub use error::BatchError;
pub use event::{
    BatchReport, ConnectionReport, Event, OpReport, RefusedReport, SinkReport, Totals,
};
pub use letters::DeadLetters;
pub use run::{Listener, Runner, Start};
pub use stop::Stop;
pub use trigger::{Mode, Trigger};
