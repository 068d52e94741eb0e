//! What did the person type?
//!
//! Takes: the command line and the environment. Gives: what the other rooms did, as text or JSON,
//! and an exit code. Promise: data on standard output, everything else on standard error.
//! Not here: any decision about rows, plans or batches.

mod build;
mod check;
mod checkpoint;
mod completions;
mod config;
mod confine;
mod delivery;
mod dev;
mod doctor;
mod explain;
mod failure;
mod fmt;
mod inspect;
mod new;
mod open;
mod output;
mod place;
mod plan;
pub mod report;
mod run;
mod schema;
mod screen;
mod state;
mod test;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::plugin::{self, COMPILE_ARGUMENT, Needs, compile_child};
use crate::source::{READ_ARGUMENT, read_child};

/// Runs stream jobs whose operators are sandboxed WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "host", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a project with a function of your own.
    New(new::NewArgs),
    /// Build a project and run its job, now and whenever something is saved.
    Dev(dev::DevArgs),
    /// Run a job until it is stopped.
    Run(run::RunArgs),
    /// Check a job without running it: the file, its plugins, and that all columns fit.
    Check(check::CheckArgs),
    /// Run the tests of a job, and of a plugin.
    Test(test::TestArgs),
    /// Show the plan of a job.
    Plan(plan::PlanArgs),
    /// Build the folder of a plugin to a component.
    Build(build::BuildArgs),
    /// Show the functions of a component: what they read and give, and what they may do.
    Inspect(inspect::InspectArgs),
    /// Lay out job files evenly: values, comments and order stay.
    Fmt(fmt::FmtArgs),
    /// Look at what is kept of a job, or remove it.
    Checkpoint(checkpoint::CheckpointArgs),
    /// Look at what the ops of a job keep of each key.
    State(state::StateArgs),
    /// Explain an error code.
    Explain(explain::ExplainArgs),
    /// Show the settings of a job.
    Config(config::ConfigArgs),
    /// Print a JSON schema of job files, for editors.
    Schema(schema::SchemaArgs),
    /// Look at what of this machine Weir can use.
    Doctor(doctor::DoctorArgs),
    /// Print completions for a shell.
    Completions(completions::CompletionsArgs),
    /// Write the man pages to a folder.
    Man(completions::ManArgs),
}

/// How things are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A job and what is changed in it.
#[derive(Debug, Args)]
struct JobArgs {
    /// The job file.
    #[arg(value_name = "JOB.TOML")]
    job: PathBuf,
    /// Change a setting, such as `job.batch=5s` or `source.lines.path=/data`; may be given several
    /// times. `HOST__JOB__BATCH=5s` in the environment does the same.
    #[arg(long = "set", value_name = "SETTING=VALUE")]
    set: Vec<String>,
    /// How results and errors are shown.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Exit codes, as documented in the README.
pub mod exit {
    /// Done.
    pub const DONE: u8 = 0;
    /// Failed while running.
    pub const FAILED: u8 = 1;
    /// The command line is wrong.
    pub const USAGE: u8 = 2;
    /// A test failed.
    pub const TESTS_FAILED: u8 = 3;
    /// A source or sink could not be reached.
    pub const UNREACHABLE: u8 = 69;
    /// The checkpoint can't be written.
    pub const CHECKPOINT: u8 = 73;
    /// Bad configuration.
    pub const CONFIGURATION: u8 = 78;
}

/// Runs the command that was typed.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    let others = || arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
    if first.as_ref().is_some_and(|first| first == COMPILE_ARGUMENT) {
        let others: Vec<String> = others();
        return ExitCode::from(compile_child(&others));
    }
    if first.is_some_and(|first| first == READ_ARGUMENT) {
        let others: Vec<String> = others();
        // It has its file already. Without Landlock its limits are all there is.
        let _ = plugin::confine(&Needs::default());
        return ExitCode::from(read_child(&others));
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(usage::show(&error)),
    };
    let code = match cli.command {
        Command::New(args) => new::new(&args),
        Command::Dev(args) => dev::dev(&args),
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Test(args) => test::test(&args),
        Command::Plan(args) => plan::plan(&args),
        Command::Build(args) => build::build(&args),
        Command::Inspect(args) => inspect::inspect(&args),
        Command::Fmt(args) => fmt::fmt(&args),
        Command::Checkpoint(args) => checkpoint::checkpoint(&args),
        Command::State(args) => state::state(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Config(args) => config::config(&args),
        Command::Schema(args) => schema::schema(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => completions::man(&args),
    };
    ExitCode::from(if code == exit::DONE && output::lost() { exit::FAILED } else { code })
}
