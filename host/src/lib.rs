//! Weir runs user-defined stream operators as sandboxed WebAssembly components.
//!
//! A job is a plan, and a batch of it is a pure function of what was recorded before it ran. The
//! rooms stand in the order in which rows pass them.

pub mod job;

#[path = "/tmp/stub/source.rs"]
pub mod source;

pub mod plan;

pub mod operator;

pub mod plugin;

pub mod clock;

pub mod id;

pub mod types;
