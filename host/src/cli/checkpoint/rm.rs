//! `host checkpoint rm`: the job begins anew.

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::super::failure::Failure;
use super::super::{Format, JobArgs, exit, open, output, place};
use crate::checkpoint;
use crate::durable::{LocalStore, Opening};

#[derive(Debug, Args)]
pub struct RmArgs {
    #[command(flatten)]
    pub job: JobArgs,
    /// Remove it. Without this only what would be removed is shown.
    #[arg(long)]
    yes: bool,
}

pub fn rm(args: &RmArgs) -> Result<u8, Failure> {
    let folder = place::folder(&open::job(&args.job)?);
    let shown = folder.display();
    let there = folder.join(checkpoint::path::IDENTITY).exists();
    if !there || !args.yes {
        said(
            args.job.format,
            &folder,
            false,
            &match there {
                false => format!("there is no checkpoint in `{shown}`"),
                true => format!(
                    "`{shown}` would be removed: what sources were read up to, and all states; the \
                 next run starts anew, and a file sink needs another folder then. `--yes` removes \
                 it"
                ),
            },
        );
        return Ok(exit::DONE);
    }
    let failed = |error| place::checkpoint_failed(&folder, error);
    // The lock: not from under a job that runs.
    let opening = Opening { reserve_bytes: 0, ..Opening::default() };
    let store = LocalStore::open(&folder, opening).map_err(|error| failed(error.into()))?;
    let removed = std::fs::remove_dir_all(&folder);
    drop(store);
    removed.map_err(|error| {
        let message = format!("can't remove `{}`: {error}", folder.display());
        Failure::new("WEIR-DURABLE-004", message).exit(exit::CHECKPOINT)
    })?;
    said(args.job.format, &folder, true, &format!("removed `{shown}`"));
    Ok(exit::DONE)
}

fn said(format: Format, folder: &Path, removed: bool, text: &str) {
    match format {
        Format::Text => output::note(text),
        Format::Json => {
            let folder = folder.display().to_string();
            output::json(
                &json!({ "folder": folder, "removed": removed, "text": text }).to_string(),
            );
        }
    }
}
