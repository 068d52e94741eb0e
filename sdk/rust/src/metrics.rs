//! Numbers for the job's metrics. They count once a batch, even if the batch runs twice. In native
//! tests they go nowhere.

/// Adds to a counter. The name has letters, digits and `_`, at most 64, and starts with a letter.
pub fn count(name: &str, by: u64) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::weir::operator::metrics::count(name, by);
    #[cfg(not(target_arch = "wasm32"))]
    let _ = (name, by);
}

/// Sets a gauge; the last value of the batch is kept.
pub fn gauge(name: &str, value: f64) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::weir::operator::metrics::gauge(name, value);
    #[cfg(not(target_arch = "wasm32"))]
    let _ = (name, value);
}
