//! What each source gives to a batch, and how sources begin and end with the run.

use std::sync::Arc;

use super::error::BatchError;
use super::event::{ConnectionReport, Event};
use super::run::{Runner, Work, source_failed};
use super::trigger::Mode;
use crate::id::NodeId;
use crate::source::{Source, SourceRange};

/// The ranges of one batch, one for each source.
pub(super) type Ranges = Vec<SourceRange>;

impl Work {
    /// How many files are gone that the batch was begun with.
    pub(super) fn files_lost(&self) -> u64 {
        let files = |range: &SourceRange| match range {
            SourceRange::Files(files) => files.len() as u64,
            _ => 0,
        };
        let count = |ranges: &Ranges| ranges.iter().map(files).sum::<u64>();
        self.whole.as_ref().map_or(0, |whole| count(whole).saturating_sub(count(&self.ranges)))
    }
}

impl Runner<'_> {
    /// Starts what sources do by themselves, and has them ring for new input.
    pub(super) fn start_sources(&self) -> Result<Vec<Box<dyn Send>>, BatchError> {
        let (once, wake) = (self.start.mode == Mode::Once, self.start.stop.wake());
        let mut started = Vec::new();
        for (id, source) in &self.start.sources {
            let failed = |error| source_failed(id, error);
            started.push(source.start(once, wake.clone()).map_err(failed)?);
            if !once {
                started.push(source.watch(wake.clone()).map_err(failed)?);
            }
        }
        Ok(started)
    }

    /// The job is stopped: what sources would lose.
    pub(super) fn last_ranges(&self, planned: bool) -> Result<Ranges, BatchError> {
        let sources = &self.start.sources;
        if self.start.stop.at_once() || !planned && self.schemas()?.len() < sources.len() {
            return Ok(Vec::new());
        }
        let cut = |(id, source): &(NodeId, Arc<dyn Source>)| {
            source.last_cut().map_err(|error| source_failed(id, error))
        };
        sources.iter().map(cut).collect()
    }

    pub(super) fn cut_ranges(&self) -> Result<Ranges, BatchError> {
        let mut ranges = Vec::with_capacity(self.start.sources.len());
        for (id, source) in &self.start.sources {
            ranges.push(source.cut().map_err(|error| source_failed(id, error))?);
            for skipped in source.skipped() {
                let (source, reason) = (id.to_string(), skipped.reason);
                self.listener.event(&Event::Skipped { source, path: skipped.path, reason });
            }
            for connection in source.connections() {
                self.listener.event(&Event::Connection(ConnectionReport::new(id, connection)));
            }
        }
        Ok(ranges)
    }
}
