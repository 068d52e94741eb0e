//! Lines for the job's log.

use super::GuestState;
use crate::plugin::abi::v0_1::weir::operator::log::{Host, Level};
use crate::plugin::lane::{Lane, LogLevel, LogLine};

impl Host for GuestState {
    fn log(&mut self, level: Level, message: String) {
        let level = match level {
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        self.console.log(level, &message);
    }
}

/// Hands a line on.
pub(super) fn write(lane: &Lane, level: LogLevel, message: &str) {
    (lane.now.log)(LogLine {
        level,
        op: lane.op.clone(),
        batch: lane.now.batch,
        partition: lane.partition,
        text: message.to_owned(),
    });
}
