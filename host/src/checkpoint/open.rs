//! How an owner gets a checkpoint.

use std::sync::Arc;

use super::chain::{Tip, Torn};
use super::error::CheckpointError;
use super::history::{History, Read};
use super::identity::{self, IdentityV1};
use super::log::{Log, SEGMENT_BYTES_MIN};
use super::owner;
use super::path::Segment;
use super::record::{OwnerV1, Record};
use super::retain::{self, Keep};
use super::steps::Checkpoint;
use crate::durable::Store;
use crate::durable::crash::{self, Point};

/// How a checkpoint is kept.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The size of a segment of the log, in bytes.
    pub segment_bytes: u64,
    /// What stays.
    pub keep: Keep,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 8 << 20, keep: Keep::default() }
    }
}

/// What was there when a checkpoint was opened.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// Which job it is.
    pub identity: IdentityV1,
    /// Whether the checkpoint was made just now.
    pub fresh: bool,
    /// The generation of this owner, with which sinks are opened.
    pub generation: u64,
    /// What has happened.
    pub history: History,
    /// A write that was cut off and is dropped.
    pub torn: Option<Torn>,
    /// Who had it before.
    pub former: Option<OwnerV1>,
}

impl Checkpoint {
    /// Opens the checkpoint of a job, or makes it, and becomes its owner. Files that are damaged,
    /// foreign, newer or missing are an error, and nothing was changed then.
    ///
    /// [`CheckpointError::NoSpace`] may be waited for: call it again.
    pub fn open(
        store: Arc<dyn Store>,
        wanted: &IdentityV1,
        options: Options,
    ) -> Result<(Self, Recovery), CheckpointError> {
        let segment_bytes = options.segment_bytes.max(SEGMENT_BYTES_MIN);
        let (identity, root, fresh) = identify(&*store, wanted)?;
        // Looked at before anything is written: a damaged log is left as it is.
        let (before, _) = owner::read(&*store, root, false)?;
        let generation = owner::claim(&*store, before.chain.newest, segment_bytes)?;
        let (read, raw) = owner::read(&*store, root, true)?;
        crash::point(Point::LogRead);
        let tip = read.chain.cut.map_or(Tip { seq: 0, link: root }, |cut| {
            let (seq, link) = (cut.seq, cut.link);
            Tip { seq, link }
        });
        let mut log = Log::new(Arc::clone(&store), generation, segment_bytes, tip);
        log.append(&[(&Record::Owner(owner::record(generation, &read)), 0)])?;
        crash::point(Point::OwnerDurable);
        log.prepare_next();
        retain::remove_idle(&*store, &read.chain.idle, generation)?;
        let floor = raw.floor.map(|it| Segment { generation: it.generation, number: it.number });
        let mut history = read.history.clone();
        history.slim();
        let reserve_is_out = store.restore_reserve().is_err();
        let (keep, permitted) = (options.keep, false);
        let it = Self { store, log, history, keep, floor, permitted, reserve_is_out };
        let Read { history, chain } = read;
        let (torn, former) = (chain.torn, chain.head);
        Ok((it, Recovery { identity, fresh, generation, history, torn, former }))
    }
}

/// The identity of the store, which is made if there is none; its link; whether it was made.
fn identify(
    store: &dyn Store,
    wanted: &IdentityV1,
) -> Result<(IdentityV1, u32, bool), CheckpointError> {
    if let Some((found, root)) = identity::read(store)? {
        identity::compare(&found, wanted)?;
        return Ok((found, root, false));
    }
    let root = identity::create(store, wanted)?;
    crash::point(Point::IdentityDurable);
    Ok((wanted.clone(), root, true))
}
