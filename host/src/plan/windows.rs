//! Ops with windows, and which of their rows come out.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::Result as PlanResult;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::assemble::TapExec;
use super::build::Builder;
use super::timing::{Clock, EventTime, Waiting, micros};
use crate::id::NodeId;
use crate::job::{Job, Mode, OpSpec, Problem, Span, WindowSpec, WindowTime};
use crate::operator::{AssignExec, Assigning, Given, Panes, WINDOW, Windowing};

/// The port of rows that came too late.
pub const LATE: &str = "late";

/// The entry that gives late rows of an op. No job can have such an id.
pub fn late_entry(op: &NodeId) -> NodeId {
    NodeId::new(format!("{op}\u{0}{LATE}"))
}

/// How the rows of an op with windows are cut, and how windows are made of them.
pub type Cut = (Assigning, Windowing);

impl Builder<'_> {
    /// How an op makes windows of its input; the problem if it can't. None if it has no windows.
    pub(super) fn cut(
        &mut self,
        op: &OpSpec,
        key: &[String],
        input: &Arc<dyn ExecutionPlan>,
    ) -> Result<Option<Cut>, Problem> {
        let Some(spec) = &op.window else { return Ok(None) };
        refuse(op, spec, key)?;
        let panes = Panes { size: micros(spec.size), slide: micros(spec.slide) };
        let time = self.time_of_inputs(op);
        let (column, clock) = match (spec.time, time) {
            (Some(WindowTime::Event), None) => return Err(no_event_time(spec)),
            (Some(WindowTime::Event) | None, Some(time)) => {
                let EventTime { column, entries } = time;
                let Ok(place) = input.schema().index_of(&column) else {
                    return Err(lost_column(spec, &column));
                };
                (Some(place as u32), Clock::Entries(entries))
            }
            _ => (None, self.whole_batches(spec, panes).map(|()| Clock::Batches)?),
        };
        let by_batch = column.is_none();
        let given = match self.modes.get(&op.id) {
            None | Some((Mode::Append, _)) => Given::Closed,
            Some((Mode::Update, _)) => Given::Changed,
            Some((Mode::Complete, _)) => Given::All,
        };
        // Where all windows are kept, no row comes too late.
        if by_batch || given != Given::All {
            let slide = Some(panes.slide);
            self.timing.waiting.push(Waiting { op: op.id.clone(), clock, slide });
        }
        let assigning = Assigning { panes, column, late: false };
        Ok(Some((assigning, Windowing { panes, given, by_batch })))
    }

    /// Windows of batches have whole batches in them.
    fn whole_batches(&self, spec: &WindowSpec, panes: Panes) -> Result<(), Problem> {
        let interval = micros(self.job.settings.batch);
        let whole = |length: i64| interval > 0 && length % interval == 0;
        if whole(panes.size) && whole(panes.slide) {
            return Ok(());
        }
        let (message, help) = match interval {
            0 => (
                "a window of batches needs batches of some length, and `batch` is 0s".to_owned(),
                "set `batch` under [job], or give rows an `event_time`",
            ),
            _ => (
                "`size` and `slide` of a window of batches are multiples of `batch`".to_owned(),
                "set lengths that are multiples of `batch` under [job], or give rows an \
                 `event_time`",
            ),
        };
        Err(Problem::new("WEIR-PLAN-023", message).at(spec.span.clone(), "").help(help))
    }

    /// The port of late rows, which reads the input of the op once more.
    pub(super) fn late_port(
        &mut self,
        op: &OpSpec,
        cut: Cut,
        input: &Arc<dyn ExecutionPlan>,
    ) -> PlanResult<()> {
        if cut.1.by_batch {
            return Ok(());
        }
        let assigning = Assigning { late: true, ..cut.0 };
        let late = AssignExec::new(op.id.clone(), assigning, Arc::clone(input));
        self.single(&late_entry(&op.id), Arc::new(late));
        self.order.pop();
        if let Some(entry) = self.entries.get_mut(&op.id) {
            entry.ports.push((LATE.to_owned(), input.schema()));
        }
        Ok(())
    }

    /// A tap of the late rows of an op.
    pub(super) fn late_tap(&self, op: &NodeId) -> Option<Arc<dyn ExecutionPlan>> {
        let id = late_entry(op);
        let entry = self.entries.get(&id)?;
        let partitioning = entry.plan.output_partitioning().clone();
        Some(Arc::new(TapExec::new(id, 0, &entry.ports[0].1, partitioning)))
    }
}

/// What an op with windows can't have besides.
fn refuse(op: &OpSpec, spec: &WindowSpec, key: &[String]) -> Result<(), Problem> {
    if let Some(span) = &op.across {
        let problem = Problem::new("WEIR-PLAN-023", "an aggregate has `window` and `across`");
        let help = "windows live on over batches anyway: remove `across`";
        return Err(problem.at(span.clone(), "").help(help));
    }
    if let Some(name) = key.iter().find(|name| WINDOW.contains(&name.as_str())) {
        let message = format!("the key has a column `{name}`, which every window gives");
        let help = "rename the column in an op before";
        return Err(Problem::new("WEIR-PLAN-023", message).at(spec.span.clone(), "").help(help));
    }
    Ok(())
}

fn no_event_time(spec: &WindowSpec) -> Problem {
    Problem::new("WEIR-PLAN-023", "the rows of this window have no event time")
        .at(spec.span.clone(), "")
        .help(
            "say which column it is, with `event_time` at the source or at an op above, or set \
             `time = \"batch\"`",
        )
}

fn lost_column(spec: &WindowSpec, column: &str) -> Problem {
    Problem::new("WEIR-PLAN-023", format!("column `{column}`, the event time, does not come here"))
        .at(spec.span.clone(), "")
        .help("hand it on in the ops between, for example with `keep`")
}

/// Which rows come out of each op that lives on over batches: what its sinks ask for.
pub fn modes(
    job: &Job,
    read_by: impl Fn(&OpSpec) -> Vec<NodeId>,
) -> (HashMap<NodeId, (Mode, Span)>, Vec<Problem>) {
    let (mut modes, mut problems) = (HashMap::<NodeId, (Mode, Span)>::new(), Vec::new());
    let op_of = |id: &NodeId| job.ops.iter().find(|op| op.id == *id);
    for sink in &job.sinks {
        let Some((mode, span)) = &sink.mode else { continue };
        let (mut left, mut found) = (vec![sink.from.node.clone()], false);
        // Late rows are those of the input: they do not change.
        let late = sink.from.port.as_deref() == Some(LATE);
        while let Some(op) = left.pop().and_then(|id| op_of(&id)) {
            if op.window.is_none() && op.across.is_none() || late {
                left.extend(read_by(op));
                continue;
            }
            found = true;
            problems.extend(refused(op, *mode, span));
            match modes.get(&op.id) {
                Some((other, at)) if other != mode => {
                    problems.push(conflict(op, (other, at), span))
                }
                _ => {
                    modes.insert(op.id.clone(), (*mode, span.clone()));
                }
            }
        }
        if *mode == Mode::Complete && !found {
            let message = "there is no result that `mode = \"complete\"` could write all of";
            problems.push(Problem::new("WEIR-PLAN-024", message).at(span.clone(), "").help(
                "these rows are those of each batch: use \"append\", or aggregate them with a \
                 `window` or `across = \"run\"`",
            ));
        }
    }
    (modes, problems)
}

/// A mode that has no meaning for an op.
fn refused(op: &OpSpec, mode: Mode, span: &Span) -> Option<Problem> {
    let append = mode == Mode::Append && op.across.is_some();
    append.then(|| {
        let message = format!(
            "`mode = \"append\"` writes rows that don't change any more, and those of `{}` may \
             always change",
            op.id
        );
        Problem::new("WEIR-PLAN-024", message)
            .at(span.clone(), "")
            .help("use \"update\" or \"complete\", or give the op a `window`, which ends some time")
    })
}

fn conflict(op: &OpSpec, (other, at): (&Mode, &Span), span: &Span) -> Problem {
    let message = format!("sinks want rows of `{}` in two modes", op.id);
    Problem::new("WEIR-PLAN-024", message)
        .at(at.clone(), other.word())
        .at(span.clone(), "")
        .help("make a second op of the same kind for one of them")
}
