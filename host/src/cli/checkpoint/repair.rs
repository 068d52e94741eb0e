//! `host checkpoint repair`: what can be saved of a damaged checkpoint.

use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::super::failure::Failure;
use super::super::{Format, JobArgs, exit, open, output, place};
use crate::checkpoint::{self, CheckpointError, Repair};
use crate::clock;
use crate::durable::{LocalStore, Opening, ReadStore, Store};
use crate::state::check_part;

#[derive(Debug, Args)]
pub struct RepairArgs {
    #[command(flatten)]
    pub job: JobArgs,
    /// Do it. Without this only what would be done is shown.
    #[arg(long)]
    yes: bool,
}

fn is_whole(bytes: &[u8]) -> Result<(), String> {
    check_part(bytes.to_vec()).map_err(|error| error.to_string())
}

pub fn repair(args: &RepairArgs) -> Result<u8, Failure> {
    let folder = place::folder(&open::job(&args.job)?);
    let failed = |error| place::checkpoint_failed(&folder, error);
    let there = folder.exists();
    let store: Arc<dyn Store> = match args.yes && there {
        false => Arc::new(ReadStore::new(&folder)),
        true => {
            // The lock: not under a job that runs.
            let folders = checkpoint::path::FOLDERS;
            let opening = Opening { folders, reserve_bytes: 0, ..Opening::default() };
            let store = LocalStore::open(&folder, opening);
            Arc::new(store.map_err(|error| failed(error.into()))?)
        }
    };
    let found = checkpoint::diagnose(&*store, &is_whole).map_err(failed)?;
    let within = clock::now().0.to_string();
    let done = match &found {
        Some(repair) if args.yes && repair.is_needed() => {
            checkpoint::carry_out(&store, repair, &within).map_err(failed)?;
            true
        }
        _ => false,
    };
    let aside = folder.join(checkpoint::path::ASIDE).join(&within).display().to_string();
    match (&found, args.job.format) {
        (Some(repair), Format::Text) => text(repair, done.then_some(aside)),
        (Some(repair), Format::Json) => output::json(&json(repair, done.then_some(aside))),
        (None, Format::Text) => {
            output::note(&format!("there is no checkpoint in `{}`", folder.display()));
        }
        (None, Format::Json) => output::json(&json!({ "problems": [], "done": false }).to_string()),
    }
    Ok(exit::DONE)
}

fn text(repair: &Repair, done: Option<String>) {
    for problem in &repair.problems {
        output::data(&output::plain(&format!("WRONG [{}]: {problem}", problem.code())));
    }
    if repair.problems.is_empty() {
        return output::data("everything is whole: there is nothing to repair");
    }
    match repair.lost_to {
        Some(last) => {
            let first = repair.after + 1;
            let batches = match last == first {
                true => format!("batch {first}"),
                false => format!("batches {first} to {last}"),
            };
            output::data(&format!(
                "{batches} {} forgotten: what was read for them, and what they changed of states",
                if done.is_none() { "would be" } else { "are" }
            ));
        }
        None => output::data("no batch that was done is lost"),
    }
    output::data(&match repair.open {
        Some(open) => format!("`host run` then runs batch {open} again"),
        None => format!("`host run` then goes on with batch {}", repair.after + 1),
    });
    if repair.lost_to.is_some() {
        output::data(
            "sinks that have later batches already are told by WEIR-CHECKPOINT-010: with \
             `--adopt-sinks` they keep these, and the job comes to them again",
        );
    }
    match done {
        Some(folder) => {
            let count = repair.aside.len();
            output::data(&format!("done; {count} files are kept as they were in `{folder}`"));
        }
        None if repair.is_needed() => output::data("`--yes` does it"),
        None => output::data("nothing has to be changed for that"),
    }
}

fn json(repair: &Repair, done: Option<String>) -> String {
    let problem = |problem: &CheckpointError| {
        let (code, message) = (problem.code(), problem.to_string());
        json!({ "code": code, "message": message })
    };
    json!({
        "problems": repair.problems.iter().map(problem).collect::<Vec<_>>(),
        "after": repair.after,
        "open": repair.open,
        "lost_to": repair.lost_to,
        "needed": repair.is_needed(),
        "done": done.is_some(),
        "aside": repair.aside,
        "folder": done,
    })
    .to_string()
}
