//! Opens what a job needs: its file, its plugins, its sources.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::failure::Failure;
use super::{Format, JobArgs, exit, output, place, report};
use crate::id::NodeId;
use crate::job::{self, Job, JobError, Outside, Problem, Section, TEXT_BYTES_MAX};
use crate::plan::{self, JobPlan, Loaded, Settings};
use crate::plugin::build::cache_folder;
use crate::plugin::{Cache, Compiler, Wall};
use crate::sink;
use crate::source::{self, Source};

/// The largest file of a secret, in bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// The engine, and the cache if it can be used.
pub fn wall() -> Result<(Wall, Option<Cache>), Failure> {
    let cache = match Cache::open(&cache_folder().join("components")) {
        Ok(cache) => Some(cache),
        Err(why) => {
            output::note(&format!("note: components are compiled anew each time: {why}"));
            None
        }
    };
    // The program's own file, whatever has become of its name since.
    let program = PathBuf::from("/proc/self/exe");
    let compiler = match program.exists() {
        true => Compiler::Child(program),
        false => Compiler::Child(std::env::current_exe().map_err(|error| {
            Failure::new("WEIR-RUN-011", format!("the host can't find its own file: {error}"))
        })?),
    };
    Ok((Wall::new(compiler)?, cache))
}

/// Reads and checks a job file.
pub fn job(args: &JobArgs) -> Result<Job, Failure> {
    let (mut job, warnings) = read(args, Job::parse)?;
    job.resolve(&variable)?;
    if !warnings.is_empty() && args.format == Format::Text {
        let warnings = JobError { text: Arc::clone(&job.text), problems: warnings };
        output::note(report::warnings(&warnings).trim_end());
    }
    Ok(job)
}

/// Reads and checks a job file, and gives all settings in effect.
pub fn effective(args: &JobArgs) -> Result<Vec<Section>, Failure> {
    read(args, |bytes, path, folder, outside| {
        job::effective(bytes, path, folder, (outside, cores()))
    })
}

/// Reads the file of a job by one of the ways to do so.
#[allow(clippy::disallowed_methods, reason = "the command line may read the environment")]
fn read<T>(
    args: &JobArgs,
    way: impl FnOnce(&[u8], &str, PathBuf, &Outside<'_>) -> Result<T, JobError>,
) -> Result<T, Failure> {
    let shown = args.job.display().to_string();
    let bytes = whole(&args.job).map_err(|error| {
        Failure::new("WEIR-CLI-002", format!("can't read `{shown}`: {error}"))
            .help("give the path of a job file; examples/ has some")
            .exit(exit::CONFIGURATION)
    })?;
    let folder = args.job.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let environment: Vec<(String, String)> =
        std::env::vars().filter(|(name, _)| name.starts_with("HOST__")).collect();
    let outside = Outside {
        set: &args.set,
        overrides: &environment,
        variable: &variable,
        secret_file: &|path| secret_file(&folder.join(path)),
    };
    Ok(way(&bytes, &shown, folder.clone(), &outside)?)
}

/// The bytes of a job file, or more of them than it may have.
pub fn whole(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[allow(clippy::disallowed_methods, reason = "the command line may read the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The text of the file of a secret, or why it can't be had.
fn secret_file(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let read = file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > SECRET_BYTES_MAX {
        return Err(format!("it has more than {} KiB", SECRET_BYTES_MAX / 1024));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}

/// Lanes of a job: what it says, or the cores of the machine.
pub fn parallelism(job: &Job) -> usize {
    job.settings.parallelism.unwrap_or_else(cores)
}

/// The cores of the machine that the process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// A job with its sources open and its plugins loaded.
pub struct Opened {
    /// The job.
    pub job: Job,
    /// The sources.
    pub sources: Vec<(NodeId, Arc<dyn Source>)>,
    /// The plugins.
    pub loaded: Loaded,
    /// The engine: it must live as long as the plugins.
    pub _wall: Wall,
}

impl Opened {
    /// Opens everything a job needs except its sinks.
    pub fn new(job: Job) -> Result<Self, Failure> {
        let states = place::states(&job, Path::new(""));
        states.is_built().map_err(|error| place::state_failed(error).exit(exit::CONFIGURATION))?;
        let (wall, cache) = wall()?;
        let loaded = Loaded::load(&job, &wall, cache.as_ref(), &|line| output::note(line));
        let failed = |problems| Failure::Job(JobError { text: Arc::clone(&job.text), problems });
        let loaded = loaded.map_err(failed)?;
        let mut sources = Vec::new();
        for spec in &job.sources {
            let source = source::open(spec, &job.folder).map_err(|error| {
                let failure = Failure::new(error.code(), format!("source `{}`: {error}", spec.id));
                let failure = failure.exit(exit::UNREACHABLE);
                match error.help() {
                    Some(help) => failure.help(help),
                    None => failure,
                }
            })?;
            sources.push((spec.id.clone(), Arc::from(source)));
        }
        Ok(Self { job, sources, loaded, _wall: wall })
    }

    /// Builds the plan for the columns that the sources have now.
    pub fn plan(&self) -> Result<JobPlan, Failure> {
        let mut schemas = HashMap::new();
        for (id, source) in &self.sources {
            let schema = source.schema().map_err(|error| {
                Failure::new(error.code(), format!("source `{id}`: {error}"))
                    .exit(exit::UNREACHABLE)
            })?;
            if let Some(schema) = schema {
                schemas.insert(id.clone(), schema);
            }
        }
        Ok(self.plan_for(&schemas)?)
    }

    /// Builds the plan for these columns.
    pub fn plan_for(&self, schemas: &HashMap<NodeId, SchemaRef>) -> Result<JobPlan, JobError> {
        let settings = Settings { parallelism: parallelism(&self.job) };
        let plan = plan::build(&self.job, &self.loaded, schemas, &settings)?;
        self.check_sinks(&plan)?;
        Ok(plan)
    }

    /// Checks that the sinks can take the rows that the plan gives them.
    fn check_sinks(&self, plan: &JobPlan) -> Result<(), JobError> {
        let mut problems = Vec::new();
        for (spec, planned) in self.job.sinks.iter().zip(&plan.sinks) {
            if let Err(error) = sink::check(spec, &planned.schema()) {
                let message = format!("sink `{}`: {error}", spec.id);
                let problem = Problem::new(error.code(), message).at(spec.span.clone(), "");
                problems.push(match error.help() {
                    Some(help) => problem.help(help),
                    None => problem,
                });
            }
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(JobError { text: Arc::clone(&self.job.text), problems })
    }
}
