//! `host plan`: what a job will do: its entries, its plugins with their rights, and the plan.

use std::fmt::Write;

use clap::Args;

use super::delivery::{self, Way};
use super::failure::Failure;
use super::inspect::{columns, fields};
use super::open::{self, Opened};
use super::{Format, JobArgs, exit, output};
use crate::plan::{self, JobPlan};

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    job: JobArgs,
}

pub fn plan(args: &PlanArgs) -> u8 {
    let planned = || -> Result<String, Failure> {
        let opened = Opened::new(open::job(&args.job)?)?;
        let plan = opened.plan()?;
        let tree = plan::print(&plan);
        Ok(match args.job.format {
            Format::Text => text(&opened, &plan, &tree),
            Format::Json => json(&opened, &plan, &tree).to_string(),
        })
    };
    match planned() {
        Ok(text) => {
            match args.job.format {
                Format::Text => output::data(output::plain(&text).trim_end()),
                Format::Json => output::json(&text),
            }
            exit::DONE
        }
        Err(failure) => {
            failure.show(args.job.format);
            failure.exit_code()
        }
    }
}

// Writing to a string can't fail.
fn text(opened: &Opened, plan: &JobPlan, tree: &str) -> String {
    let job = &opened.job;
    let mut out = String::new();
    let lanes = open::parallelism(job);
    let _ =
        writeln!(out, "job {} · batch every {:?} · {lanes} lanes", job.name, job.settings.batch);
    let _ = writeln!(out, "\ndelivery, with a checkpoint");
    for Way { source, sink, level, why } in delivery::ways(job, plan) {
        let _ = writeln!(out, "  {source} to {sink}: {level}: {why}");
    }
    let _ = writeln!(out, "\nplugins");
    for (name, plugin) in opened.loaded.all() {
        let _ = writeln!(out, "  {name} · {}", plugin.digest());
        let _ = writeln!(out, "    imports {}", plugin.imports().join(", "));
    }
    if !plan.states.is_empty() {
        let _ = writeln!(out, "\nstates over batches");
    }
    for state in &plan.states {
        let (key, kept) = (columns(state.schema.key()), columns(&state.function()));
        let version = state.schema.version();
        let _ = writeln!(out, "  {}: {key} -> {kept} (version {version})", state.op);
    }
    let _ =
        writeln!(out, "\ngranted to all: log, metrics, context, the batch's time, seeded random");
    for (op, rights) in plan.rights() {
        let _ = writeln!(out, "  {op}: {rights}");
    }
    let _ = writeln!(out, "\nplan\n{tree}");
    out
}

fn json(opened: &Opened, plan: &JobPlan, tree: &str) -> serde_json::Value {
    let plugins: Vec<serde_json::Value> = opened
        .loaded
        .all()
        .iter()
        .map(|(name, plugin)| {
            serde_json::json!({
                "name": name,
                "digest": plugin.digest().to_string(),
                "imports": plugin.imports(),
            })
        })
        .collect();
    let states: Vec<serde_json::Value> = plan
        .states
        .iter()
        .map(|state| {
            serde_json::json!({
                "op": state.op,
                "key": fields(state.schema.key()),
                "state": fields(&state.function()),
                "version": state.schema.version(),
            })
        })
        .collect();
    serde_json::json!({
        "event": "plan",
        "job": opened.job.name,
        "parallelism": open::parallelism(&opened.job),
        "plugins": plugins,
        "states": states,
        "granted": plan.rights().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "delivery": delivery::ways(&opened.job, plan).iter().map(Way::json).collect::<Vec<_>>(),
        "plan": tree,
    })
}
