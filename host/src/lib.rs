//! Weir runs user-defined stream operators as sandboxed WebAssembly components.
//!
//! A job is a plan, and a batch of it is a pure function of what was recorded before it ran. The
//! rooms stand in the order in which rows pass them.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests may wait and measure"))]

pub mod cli;

pub mod job;

pub mod batch;

pub mod source;

pub mod format;

pub mod plan;

pub mod operator;

pub mod plugin;

pub mod state;

pub mod sink;

pub mod checkpoint;

pub mod durable;

pub mod clock;

pub mod id;

pub mod row_error;

pub mod secret;

pub mod types;
