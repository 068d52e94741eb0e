//! How does a node call user code?
//!
//! Takes: a plan's rows, partition by partition. Gives: rows. Promise: a batch that runs twice
//! gives the same rows, and rows of one key arrive in source order however many lanes there are.
//! Not here: the engine behind a call (`plugin`), and which nodes a job needs (`plan`).

mod aggregate;
mod assign;
mod batch_time;
mod begin;
mod call;
mod exchange;
mod failed;
mod filter;
mod flat_map;
mod groups;
pub mod key_group;
mod keyed;
mod lane;
mod leave_out;
mod mailbox;
mod map;
mod merged;
mod moments;
mod node;
mod panes;
mod ports;
mod results;
mod run;
mod running;
mod scalar;
mod settle;
mod shared;
mod states;
mod times;
mod tolerate;
mod transform;
mod update;
mod visit;
mod watermark;
mod window;

pub use aggregate::WasmAggregate;
pub use assign::{AssignExec, AssignV1, Assigning, PANE};
pub use batch_time::{BatchTime, TimeFunction};
pub use begin::OpState;
pub use call::{Call, CallV1};
pub use exchange::{ExchangeExec, Routing, place_of};
pub use filter::FilterExec;
pub use flat_map::FlatMapExec;
pub use lane::{Lanes, Place};
pub use leave_out::LeaveOutExec;
pub use map::MapExec;
pub(crate) use node::plan_node;
pub use node::{plugin_error, properties, spread, state_error};
pub use panes::Panes;
pub use run::{ChannelId, PlanRun, Sites};
pub use running::{RunningExec, RunningV1};
pub use scalar::WasmScalar;
pub use shared::SharedExec;
pub use states::BatchStates;
pub use times::{Times, Watermark};
pub use tolerate::ORIGIN;
pub use transform::TransformExec;
pub use update::{Keeping, UpdateExec, UpdateV1, state_schema};
pub use watermark::{WatermarkExec, WatermarkV1};
pub use window::{Given, WINDOW, WindowExec, WindowV1, Windowing};
