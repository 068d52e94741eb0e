//! A batch that is run twice must give the same twice: rows at every sink, and changes of states.

use std::sync::Arc;

use super::deliver::Stage;
use super::error::BatchError;
use super::run::{Runner, Work};
use crate::plan::{Aside, BatchStates, JobPlan};
use crate::row_error::{Letters, LettersError, Refused};
use crate::sink::BatchMark;

/// What the second run refuses was told by the first.
struct Silent;

impl Letters for Silent {
    fn skip(&self, _: &Refused) {}

    fn put(&self, _: Refused) -> Result<(), LettersError> {
        Ok(())
    }
}

impl Runner<'_> {
    /// Runs the plan once more on what the batch read, and compares. Nothing of the second run
    /// stays.
    pub(super) fn verify(
        &self,
        plan: &JobPlan,
        mark: &BatchMark,
        work: &Work,
        (aside, staged, states): (&Aside, &[Arc<Stage>], &BatchStates),
    ) -> Result<(), BatchError> {
        let known = aside.known();
        let again = self.aside(Arc::new(Silent), &work.ranges, known);
        let times = self.times_of(&plan.timing, &work.intent);
        let second = self.batch_states(plan, mark, times)?;
        let with = (again.clone(), Arc::clone(&second));
        let bound = self.bind(plan, mark, &work.ranges, with)?;
        let stages: Vec<Arc<Stage>> =
            staged.iter().map(|_| Arc::new(Stage::new(None, true))).collect();
        self.run_plan(plan, &bound, &stages, mark.batch)?;
        let differs = |what: String| Err(BatchError::Differs { batch: mark.batch, what });
        if again.found().is_some() {
            return differs("other rows run out of time or memory".to_owned());
        }
        for (((id, _), one), other) in self.start.sinks.iter().zip(staged).zip(&stages) {
            let (one, other) = (one.digest(), other.digest());
            let same_rows = one.sum == other.sum || one.sum == 0;
            if one.rows != other.rows || !same_rows {
                let (one, other) = (one.rows, other.rows);
                return differs(format!("sink `{id}` got {one} rows, then {other} other ones"));
            }
        }
        let (one, other) = (states.look(), second.look());
        if one != other {
            let op = one.iter().zip(&other).find(|(one, other)| one != other);
            let op = op.map_or("an op", |(one, _)| one.0.as_str());
            return differs(format!("the state of `{op}` changed in another way"));
        }
        Ok(())
    }
}
