//! Work that is shared by threads for a moment.

use super::StateError;

/// Does each share of some work in a thread of its own and gives the results in order.
pub(super) fn in_threads<Share: Send, Done: Send>(
    shares: Vec<Share>,
    work: impl Fn(Share) -> Done + Sync,
) -> Result<Vec<Done>, StateError> {
    let work = &work;
    std::thread::scope(|scope| {
        let start = |share| std::thread::Builder::new().spawn_scoped(scope, move || work(share));
        let started: Vec<_> = shares.into_iter().map(start).collect();
        let mut done = Vec::with_capacity(started.len());
        for thread in started {
            let thread =
                thread.map_err(|error| StateError::Thread { problem: error.to_string() })?;
            let ended = "it ended early; this is a fault of Weir".to_owned();
            done.push(thread.join().map_err(|_| StateError::Thread { problem: ended })?);
        }
        Ok(done)
    })
}
