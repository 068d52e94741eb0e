//! `host dev`: builds the plugins of a job, runs it, and does both again whenever something that
//! they are made from is saved.

mod child;
mod inputs;
mod outputs;
mod scan;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::child::Child;
use self::inputs::Inputs;
use self::outputs::Outputs;
use self::scan::{Scan, Watch};
use super::failure::Failure;
use super::{Format, JobArgs, exit, open, output};
use crate::clock::Stopwatch;
use crate::job::Job;
use crate::plugin::build;
use crate::source::Wake;

/// So long must nothing be saved before it is built: editors write several files at once.
const QUIET: Duration = Duration::from_millis(50);

/// After this time it is built even so.
const SETTLED: Duration = Duration::from_secs(2);

/// How many changed files are named.
const NAMED: usize = 3;

#[derive(Debug, Args)]
pub struct DevArgs {
    /// A job file, or a folder with a job.toml.
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,
    /// Change a setting, as in `host run`.
    #[arg(long = "set", value_name = "SETTING=VALUE")]
    set: Vec<String>,
    /// How results are shown.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn dev(args: &DevArgs) -> u8 {
    match Dev::new(args).and_then(|dev| dev.work()) {
        Ok(()) => exit::DONE,
        Err(failure) => {
            failure.show(args.format);
            failure.exit_code()
        }
    }
}

/// A command at work.
struct Dev {
    job: JobArgs,
    /// Rung when a file was saved, the job has ended, or the command has to end.
    wake: Wake,
    ended: Arc<AtomicBool>,
}

impl Dev {
    fn new(args: &DevArgs) -> Result<Self, Failure> {
        let job = if args.path.is_dir() { args.path.join("job.toml") } else { args.path.clone() };
        if !job.is_file() {
            let message = format!("there is no job file `{}`", job.display());
            return Err(Failure::new("WEIR-CLI-002", message)
                .help("give a job file or a folder with a job.toml; `host new` makes one")
                .exit(exit::CONFIGURATION));
        }
        let (wake, ended) = (Wake::default(), Arc::new(AtomicBool::new(false)));
        listen(&wake, &ended).map_err(machine)?;
        let job = JobArgs { job, set: args.set.clone(), format: args.format };
        Ok(Self { job, wake, ended })
    }

    fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Rounds of building, running and waiting until the command has to end.
    fn work(&self) -> Result<(), Failure> {
        while !self.ended() {
            self.round()?;
        }
        Ok(())
    }

    /// One round: it is over when something has changed.
    fn round(&self) -> Result<(), Failure> {
        let before = Scan::of(&Inputs::only(&self.job.job));
        let job = self.shown(open::job(&self.job));
        let inputs = Inputs::of(&self.job.job, job.as_ref());
        let mut watch = Watch::start(inputs, &self.wake).map_err(deaf)?;
        // Otherwise the job is another one than was read.
        if watch.scan().same_as(&before, &self.job.job) {
            let built = job.filter(|job| self.shown(self.built(job)).is_some());
            watch.take_locks();
            // What was saved during the build is built first.
            if let Some(job) = built.filter(|_| !self.ended()) {
                if watch.changes().map_err(deaf)?.is_empty() {
                    self.run(&job, &mut watch)?;
                }
            } else {
                self.say("waiting", "waiting for a change", json!({}));
                self.wait(&mut watch, || {})?;
            }
        }
        self.settle();
        self.changed(&watch.changes().map_err(deaf)?);
        Ok(())
    }

    /// The value; an error is shown.
    fn shown<T>(&self, value: Result<T, Failure>) -> Option<T> {
        value.map_err(|failure| failure.show(self.job.format)).ok()
    }

    /// Builds each folder that the job takes a plugin from.
    fn built(&self, job: &Job) -> Result<(), Failure> {
        let took = Stopwatch::start();
        let mut folders: Vec<PathBuf> = job
            .calls()
            .map(|call| job.folder.join(&call.wasm))
            .filter(|path| path.is_dir())
            .collect();
        folders.sort();
        folders.dedup();
        for folder in &folders {
            build::build(folder, &|line| output::note(line))?;
        }
        if !folders.is_empty() {
            let ms = took.elapsed().as_millis();
            let names: Vec<_> = folders.iter().map(|folder| inputs::shown(folder)).collect();
            let text = format!("built {} in {ms} ms", names.join(", "));
            self.say("built", &text, json!({ "folders": names, "ms": ms }));
        }
        Ok(())
    }

    /// Runs the job until something is saved.
    fn run(&self, job: &Job, watch: &mut Watch) -> Result<(), Failure> {
        let once = !inputs::endless(job);
        let outputs = Outputs::of(job);
        outputs.clear()?;
        self.say("running", &outputs.text(), json!({ "once": once, "outputs": outputs.folder }));
        let took = Stopwatch::start();
        let mut child =
            Child::start(&self.job, &outputs.settings, once, &self.wake).map_err(machine)?;
        let mut told = false;
        let waited = self.wait(watch, || {
            if let Some(code) = child.ended().filter(|_| !told) {
                told = true;
                self.ran(code, took.elapsed().as_millis());
            }
        });
        child.stop(&self.wake);
        waited
    }

    fn ran(&self, code: i32, ms: u128) {
        let text = match code {
            0 => format!("done in {ms} ms; waiting for a change"),
            code => format!("the run failed with exit code {code}; waiting for a change"),
        };
        self.say("ran", &text, json!({ "exit": code, "ms": ms }));
    }

    /// Waits until something is other than it was, or the command has to end.
    fn wait(&self, watch: &mut Watch, mut at_each_ring: impl FnMut()) -> Result<(), Failure> {
        loop {
            at_each_ring();
            if self.ended() || !watch.changes().map_err(deaf)?.is_empty() {
                return Ok(());
            }
            self.wake.wait(None);
        }
    }

    /// Waits until nothing is being saved: a file that is written has no content at first.
    fn settle(&self) {
        let since = Stopwatch::start();
        while !self.ended() && since.elapsed() < SETTLED && self.wake.wait(Some(QUIET)) {}
    }

    /// Says what has changed.
    fn changed(&self, paths: &[PathBuf]) {
        let names: Vec<String> = paths.iter().map(|path| inputs::shown(path)).collect();
        let more = match names.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let named = names[..names.len().min(NAMED)].join(", ");
        if !self.ended() && !named.is_empty() {
            self.say("changed", &format!("changed: {named}{more}"), json!({ "paths": names }));
        }
    }

    /// Tells where the work stands.
    fn say(&self, state: &str, text: &str, mut event: serde_json::Value) {
        match self.job.format {
            Format::Text => output::note(&output::plain(&format!("dev: {text}"))),
            Format::Json => {
                event["event"] = "dev".into();
                event["state"] = state.into();
                output::data(&event.to_string());
            }
        }
    }
}

/// Ends the command with the first signal.
fn listen(wake: &Wake, ended: &Arc<AtomicBool>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let (wake, ended) = (wake.clone(), Arc::clone(ended));
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            ended.store(true, Ordering::Release);
            wake.ring();
        }
    })?;
    Ok(())
}

fn deaf(problem: notify::Error) -> Failure {
    Failure::new("WEIR-CLI-008", format!("saved files can't be noticed: {problem}"))
        .help("`host run JOB --once` runs the job without waiting for a change")
}

fn machine(error: std::io::Error) -> Failure {
    Failure::new("WEIR-RUN-011", format!("the job can't run: {error}"))
}

/// The folder of a path, also of one that is only a name.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
