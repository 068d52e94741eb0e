//! A plan as text, for `host plan` and for tests.

use std::fmt::Write;

use datafusion::physical_plan::displayable;

use super::job_plan::JobPlan;

/// The tree of every sink, leaves last.
pub fn print(plan: &JobPlan) -> String {
    let mut text = String::new();
    for sink in &plan.sinks {
        let tree = displayable(sink.plan.as_ref()).indent(false).to_string();
        // Writing to a string can't fail.
        let _ = writeln!(text, "sink {}", sink.id);
        for line in tree.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}
