//! Where a call stands, for the guest.

use super::GuestState;
use crate::plugin::abi::v0_1::weir::operator::context::{Batch, Host};

impl Host for GuestState {
    fn current(&mut self) -> Batch {
        Batch {
            job: self.lane.now.job.to_string(),
            op: self.lane.op.clone(),
            id: self.lane.now.batch.0,
            time: self.lane.now.time.0,
            partition: self.lane.partition,
            watermark: None,
        }
    }
}
