//! `host schema`: what a job file may say, for editors.

use clap::Args;

use super::{Format, exit, output};
use crate::job;

#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// `text` lays it out over lines, `json` writes one line.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn schema(args: &SchemaArgs) -> u8 {
    let schema = job::schema();
    match args.format {
        Format::Text => output::data(&format!("{schema:#}")),
        Format::Json => output::json(&schema.to_string()),
    }
    exit::DONE
}
