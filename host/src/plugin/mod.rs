//! Which code, and is it safe?
//!
//! Takes: the path of a component and how it is to be opened. Gives: open functions that take rows
//! and give rows. Promise: nothing that a component does harms the host: it has its own memory,
//! limits on by default and no rights, and what it gives back is checked before it is believed.
//! Not here: batches and plans; a call is told its batch and knows no more of it.

mod abi;
mod answer;
mod aside;
pub mod build;
mod cache;
pub mod columns;
mod compile;
mod confine;
mod count;
mod describe;
mod engine;
mod enter;
mod error;
pub mod fetch;
mod grant;
mod guest;
mod instance;
mod lane;
mod limit;
mod load;
mod lower;
mod row_error;
mod sandbox;
mod site;
mod usage;
mod visit;

pub use aside::{Aside, ChunkId, Exclusions, Places};
pub use cache::Cache;
pub use compile::{ARGUMENT as COMPILE_ARGUMENT, CompileFailure, Compiler, child as compile_child};
pub use confine::{ConfineError, Confined, Needs, confine, confinement};
pub use describe::{Determinism, Function, Kind, Port};
pub use engine::Wall;
pub use error::{CallFailure, CallPlace, PluginError, RowMark};
pub use grant::{Counters, Folder, Rights};
pub use guest::Guest;
pub use instance::{Called, Emitted, Instance};
pub use lane::{BatchNow, Lane, LogLevel, LogLine, LogSink};
pub use limit::Interrupt;
pub use load::{Compiled, Plugin, Plugins};
pub use row_error::{Disposition, RowError};
pub use site::{CallSite, Checked, ReadProblem, SiteError, SiteSpec};
pub use usage::{SiteStats, Usage};
pub use visit::{Change, Timer, Visited, Visits};
