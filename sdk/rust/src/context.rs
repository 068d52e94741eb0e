//! Where a call stands. Only for messages and for time: a result that depends on the partition
//! changes with the parallelism.

/// The batch of the current call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The job's name.
    pub job: String,
    /// The op's id.
    pub op: String,
    /// The batch's number, from 1 on.
    pub id: u64,
    /// The batch's time. The standard library's clock shows the same.
    pub time: crate::Timestamp,
    /// The partition.
    pub partition: u32,
}

/// The batch of the current call. In native tests: batch 1 at time 0.
#[cfg(target_arch = "wasm32")]
pub fn current() -> Batch {
    let batch = crate::bindings::weir::operator::context::current();
    Batch {
        job: batch.job,
        op: batch.op,
        id: batch.id,
        time: crate::Timestamp(batch.time),
        partition: batch.partition,
    }
}

/// The batch of the current call. In native tests: batch 1 at time 0.
#[cfg(not(target_arch = "wasm32"))]
pub fn current() -> Batch {
    Batch { job: "test".into(), op: "test".into(), id: 1, time: crate::Timestamp(0), partition: 0 }
}
