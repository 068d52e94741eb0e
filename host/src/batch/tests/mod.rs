//! Whole batches on a disk that fails.

mod power;
