//! `host check`: everything that can be known without running.

use clap::Args;

use super::failure::Failure;
use super::open::{self, Opened};
use super::{Format, JobArgs, exit, output};

#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    job: JobArgs,
}

pub fn check(args: &CheckArgs) -> u8 {
    let checked = || -> Result<String, Failure> {
        let opened = Opened::new(open::job(&args.job)?)?;
        opened.plan()?;
        let job = &opened.job;
        Ok(match args.job.format {
            Format::Text => format!(
                "{} is fine: {} source{}, {} op{}, {} sink{}",
                job.text.path,
                job.sources.len(),
                plural(job.sources.len()),
                job.ops.len(),
                plural(job.ops.len()),
                job.sinks.len(),
                plural(job.sinks.len()),
            ),
            Format::Json => serde_json::json!({ "event": "checked", "job": job.name }).to_string(),
        })
    };
    match checked() {
        Ok(text) => {
            output::data(&text);
            exit::DONE
        }
        Err(failure) => {
            failure.show(args.job.format);
            failure.exit_code()
        }
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
