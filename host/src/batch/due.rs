//! What time it is for a batch, and whether a key is due without any input.

use super::error::BatchError;
use super::run::{Planned, Runner, Work};
use super::start::Build;
use super::trigger::{Mode, Trigger};
use crate::clock::{self, Micros};
use crate::id::NodeId;
use crate::source::SourceRange;

impl Runner<'_> {
    /// Whether some op keeps states, so that something may become due without any input.
    pub(super) fn keeps_states(&self, plan: &Option<Planned>) -> bool {
        plan.as_ref().is_some_and(|planned| !planned.plan.states.is_empty())
    }

    /// Whether a key is due although there is no input.
    pub(super) fn has_timers(
        &mut self,
        plan: &mut Option<Planned>,
        build: &Build<'_>,
    ) -> Result<bool, BatchError> {
        self.plan_if_known(plan, build)?;
        let Some(planned) = plan else { return Ok(false) };
        let (store, now) = (self.ledger.store(), self.time_now().0);
        // The timers of windows are event times: they end by their watermarks.
        let waiting = &planned.plan.timing.waiting;
        let waits = |op: &NodeId| waiting.iter().any(|it| it.op == *op && it.slide.is_some());
        for state in planned.plan.states.iter().filter(|state| !waits(&state.op)) {
            let due = store.view(&state.op)?.due(0..store.groups(), now)?;
            if due.keys.num_rows() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes the plan of a job that goes on, if the columns of its sources are known already.
    pub(super) fn plan_if_known(
        &mut self,
        plan: &mut Option<Planned>,
        build: &Build<'_>,
    ) -> Result<(), BatchError> {
        let resumed = plan.is_none() && self.last.0 > 0;
        if resumed && self.schemas()?.len() == self.start.sources.len() {
            self.planned(plan, build)?;
        }
        Ok(())
    }

    /// The time that a batch would have: the wall clock, but never backwards. Where all input
    /// stands in the job and is taken at once, one interval after the batch before.
    pub(super) fn time_now(&self) -> Micros {
        let least = Micros(self.last_time.0.saturating_add(1000));
        let scripted = self.start.mode == Mode::Once
            && self.start.sources.iter().all(|(_, source)| source.is_scripted());
        if (scripted || self.start.by_batches) && self.last_time.0 > i64::MIN {
            let interval = i64::try_from(self.start.interval.as_micros()).unwrap_or(i64::MAX);
            return Micros(self.last_time.0.saturating_add(interval)).max(least);
        }
        clock::now().max(least)
    }

    pub(super) fn next_time(&mut self) -> Micros {
        self.last_time = self.time_now();
        self.last_time
    }

    /// What is ready for the next batch, if that may begin at once.
    pub(super) fn due_now(
        &mut self,
        planned: &Planned,
        trigger: &mut Trigger,
    ) -> Result<Option<Work>, BatchError> {
        if self.start.stop.draining() || !trigger.take_due() {
            return Ok(None);
        }
        let ranges = self.cut_ranges()?;
        if ranges.iter().all(SourceRange::is_empty) {
            return Ok(None);
        }
        let intent = self.intent(planned, &ranges)?;
        Ok(Some(Work { intent, begun: None, ranges, again: false, whole: None }))
    }
}
