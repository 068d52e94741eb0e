//! The states of a job's ops as one run of a batch sees and changes them: carried by the task
//! context, like everything of a batch that a node needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::TaskContext;

use super::node::state_failed;
use super::times::Times;
use crate::clock::Micros;
use crate::id::{BatchId, NodeId};
use crate::state::{Lane, Staged, StateStore, View, lane_groups};

/// The states before a batch, and the changes of its lanes. A batch that is run again begins with
/// another one of these: nothing of the first run stays.
pub struct BatchStates {
    store: Arc<dyn StateStore>,
    batch: BatchId,
    time: Micros,
    times: Times,
    /// What ops begin with that had no batch before.
    begins: BTreeMap<NodeId, View>,
    /// Ops whose states were kept with another `ttl` before.
    renewed: BTreeSet<NodeId>,
    left: Mutex<Vec<Staged>>,
}

impl std::fmt::Debug for BatchStates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BatchStates of batch {}", self.batch)
    }
}

impl BatchStates {
    /// The states of a store for its next batch. Every op with a state has to be open in it.
    pub fn new(store: Arc<dyn StateStore>, batch: BatchId, time: Micros, times: Times) -> Self {
        let (begins, renewed) = (BTreeMap::new(), BTreeSet::new());
        Self { store, batch, time, times, begins, renewed, left: Mutex::default() }
    }

    /// The same for a batch in which ops begin with states, and in which states of others get new
    /// moments.
    pub fn beginning(mut self, begins: BTreeMap<NodeId, View>, renewed: BTreeSet<NodeId>) -> Self {
        (self.begins, self.renewed) = (begins, renewed);
        self
    }

    /// Whether all states of an op are looked at, because its `ttl` is another one than before.
    pub fn renews(&self, op: &NodeId) -> bool {
        self.renewed.contains(op)
    }

    /// Watermarks, and what is measured of event times.
    pub fn times(&self) -> &Times {
        &self.times
    }

    /// The states that a task may use.
    pub fn of(context: &TaskContext) -> Result<Arc<Self>> {
        context
            .session_config()
            .get_extension::<Self>()
            .ok_or_else(|| internal_datafusion_err!("a plan with state was run without its states"))
    }

    /// The time of the batch: what timers are compared with.
    pub fn time(&self) -> Micros {
        self.time
    }

    /// The state of an op before the batch, of all key groups.
    pub fn view(&self, op: &NodeId) -> Result<View> {
        match self.begins.get(op) {
            Some(view) => Ok(view.clone()),
            None => self.store.view(op).map_err(state_failed),
        }
    }

    /// The part of an op's state that belongs to one of `partitions` lanes, as the exchange before
    /// it divides keys.
    pub fn lane(&self, op: &NodeId, partition: usize, partitions: usize) -> Result<Lane> {
        let groups = lane_groups(self.store.groups(), partition as u32, partitions as u32);
        match self.begins.get(op) {
            Some(view) => Lane::beginning(view.clone(), self.batch, groups).map_err(state_failed),
            None => Ok(Lane::new(self.view(op)?, self.batch, groups)),
        }
    }

    /// Takes what a lane changed, at the end of its input.
    pub fn leave(&self, lane: Lane) {
        let staged = lane.seal();
        self.left.lock().unwrap_or_else(PoisonError::into_inner).push(staged);
    }

    /// The same without taking it: the op, and the bytes of its changes, by lane.
    pub fn look(&self) -> Vec<(NodeId, Vec<u8>)> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let left = left.iter().filter(|staged| !staged.is_empty());
        let mut all: Vec<_> =
            left.map(|one| (one.op().clone(), one.delta().bytes().to_vec())).collect();
        all.sort();
        all
    }

    /// What all lanes changed, after the run; ordered, so that a batch that is run again is written
    /// down the same way.
    pub fn take(&self) -> Vec<Staged> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let mut staged = std::mem::take(&mut *left);
        staged.retain(|staged| !staged.is_empty());
        staged.sort_by(|a, b| (a.op(), a.first_group()).cmp(&(b.op(), b.first_group())));
        staged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::key_group::partition_of;
    use crate::state::KEY_GROUPS;

    #[test]
    fn lanes_own_the_key_groups_that_the_exchange_sends_them() {
        for partitions in [1, 2, 3, 7, 64, 256] {
            for group in 0..KEY_GROUPS {
                let partition = partition_of(group, partitions);
                let owned = lane_groups(KEY_GROUPS, partition as u32, partitions as u32);
                assert!(owned.contains(&group), "{group} of {partitions}");
            }
        }
    }
}
