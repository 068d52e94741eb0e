//! `host run`: runs a job until it is stopped, has done what was there, or fails.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustix::process::Signal;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::failure::Failure;
use super::open::{self, Opened};
use super::place::{self, Start, Taking};
use super::screen::Screen;
use super::{JobArgs, exit, output};
use crate::batch::{DeadLetters, Found, Ledger, Mode, Runner, Start as RunnerStart, Stop};
use crate::clock;
use crate::durable::crash;
use crate::id::{Digest, SinkId};
use crate::job::Job;
use crate::plan::Resources;
use crate::sink::{self, Lines, Sink};
use crate::state::KEY_GROUPS;

/// How long stopping at once may take.
const AT_ONCE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    job: JobArgs,
    /// Take what is there now, then exit.
    #[arg(long)]
    once: bool,
    /// Where to start: `latest` goes on from the checkpoint, or anew if there is none; the number
    /// of a batch goes on after it; `none` starts anew and keeps nothing.
    #[arg(long, value_name = "latest|none|N", default_value = "latest")]
    from: Start,
    /// Take the checkpoint from a process that has it and does not answer. That one can't commit
    /// anything any more.
    #[arg(long)]
    take_over: bool,
    /// Go on although a sink has more, or fewer, batches than the checkpoint: batches that it has
    /// are not written again, what it lost stays lost.
    #[arg(long)]
    adopt_sinks: bool,
    /// Begin a batch once more that process after process did not live to end.
    #[arg(long)]
    try_again: bool,
    /// Run each batch twice and stop if it does not give the same twice.
    #[arg(long)]
    verify: bool,
    /// Stop when the process that started this one ends.
    #[arg(long, hide = true)]
    with_parent: bool,
}

pub fn run(args: &RunArgs) -> u8 {
    match ran(args) {
        Ok(()) => exit::DONE,
        Err(failure) => {
            failure.show(args.job.format);
            failure.exit_code()
        }
    }
}

fn ran(args: &RunArgs) -> Result<(), Failure> {
    if args.with_parent {
        // Without it the run only outlives whoever was killed.
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::TERM));
    }
    let job = open::job(&args.job)?;
    let opened = Opened::new(job)?;
    // Everything that can be known now is said now, and not at the first batch.
    let sources_known =
        opened.sources.iter().all(|(_, source)| matches!(source.schema(), Ok(Some(_))));
    if sources_known {
        opened.plan()?;
    }
    let machine =
        |error: std::io::Error| Failure::new("WEIR-RUN-011", format!("the job can't run: {error}"));
    let spill = tempfile::Builder::new().prefix("weir-spill-").tempdir().map_err(machine)?;
    let kept = match args.from {
        Start::Nothing => None,
        _ => Some(place::make(&opened.job)?),
    };
    crash::arm();
    super::confine::confine(&opened, spill.path(), kept.as_deref())?;
    let resources =
        Resources::new(opened.job.settings.memory, spill.path().to_owned()).map_err(machine)?;
    let stop = Stop::default();
    let signals = listen(&stop, opened.job.settings.grace).map_err(machine)?;
    let screen = Screen::new(args.job.format, args.once);
    let start = start(&opened, args, (&stop, &screen), spill.path())?;
    let runner = Runner::new(start, &resources, &screen);
    let ended = runner.run(&|schemas| opened.plan_for(schemas));
    screen.clear();
    stop.end();
    signals.close();
    ended.map(|_| ()).map_err(Failure::from)
}

fn start(
    opened: &Opened,
    args: &RunArgs,
    (stop, screen): (&Stop, &Arc<Screen>),
    spill: &Path,
) -> Result<RunnerStart, Failure> {
    let job: &Job = &opened.job;
    let lines = screen.lines();
    let sinks = sinks(job, &lines)?;
    let (run, ledger, found) = kept(job, args, spill)?;
    let letters = sink::open_dead_letters(&job.dead_letters, &job.folder, &run)
        .map_err(|error| Failure::new(error.code(), format!("dead_letters: {error}")))?;
    let dead_letters = DeadLetters { sink: letters, show_rows: job.dead_letters.row };
    Ok(RunnerStart {
        job: job.name.clone(),
        run: run.into(),
        sources: opened.sources.clone(),
        sinks,
        interval: job.settings.batch,
        by_batches: job.settings.by_batches,
        mode: if args.once { Mode::Once } else { Mode::Continuous },
        parallelism: open::parallelism(job),
        stop: stop.clone(),
        log: screen.log(),
        dead_letters,
        verify: args.verify,
        digest: job_digest(job),
        code: opened.loaded.all().iter().map(|(_, plugin)| plugin.digest()).collect(),
        ledger,
        found,
    })
}

/// The id of the job, and what is kept of it. Without a checkpoint a store of states on the disk
/// lies where batches spill to.
fn kept(
    job: &Job,
    args: &RunArgs,
    spill: &Path,
) -> Result<(String, Option<Ledger>, Option<Found>), Failure> {
    if args.from == Start::Nothing {
        let process = std::process::id();
        let id = clock::seed(job.name.as_str(), "", clock::now().0 as u64, process);
        let threads = open::parallelism(job);
        let states = place::states(job, spill).open(KEY_GROUPS, threads);
        let ledger = Ledger::unwritten(states.map_err(place::state_failed)?, threads);
        return Ok((format!("{id:016x}"), Some(ledger), None));
    }
    let taking = Taking {
        start: args.from,
        take_over: args.take_over,
        adopt_sinks: args.adopt_sinks,
        try_again: args.try_again,
    };
    let place = place::take(job, taking)?;
    Ok((place.run, Some(place.ledger), Some(place.found)))
}

/// The sinks of a job, in its order.
type Sinks = Vec<(SinkId, Box<dyn Sink>)>;

fn sinks(job: &Job, lines: &Lines) -> Result<Sinks, Failure> {
    let mut sinks = Vec::new();
    for spec in &job.sinks {
        let sink = sink::open(spec, &job.folder, lines).map_err(|error| {
            let failure = Failure::new(error.code(), format!("sink `{}`: {error}", spec.id));
            let failure = failure.exit(exit::UNREACHABLE);
            match error.help() {
                Some(help) => failure.help(help),
                None => failure,
            }
        })?;
        sinks.push((spec.id.clone(), sink));
    }
    Ok(sinks)
}

/// A hash of what the job says, in the file and from outside.
fn job_digest(job: &Job) -> [u8; 32] {
    let mut text = job.text.text.clone();
    for changed in &job.text.overrides {
        text.push_str(&format!("\0{}={}", changed.origin, changed.value));
    }
    Digest::of(text.as_bytes()).0
}

/// The first signal drains; the second, or the end of the grace, stops at once.
fn listen(stop: &Stop, grace: Duration) -> std::io::Result<signal_hook::iterator::Handle> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let handle = signals.handle();
    let stop = stop.clone();
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        let mut before = false;
        for _ in signals.forever() {
            if std::mem::replace(&mut before, true) {
                stop.now();
                or_end(&stop);
                continue;
            }
            output::note("stopping after the batch in flight; a second signal stops at once");
            stop.drain();
            let stop = stop.clone();
            // Without this thread a stop only loses its time limit.
            let _ = std::thread::Builder::new().name("grace".into()).spawn(move || {
                if !stop.wait_for_end(grace) {
                    stop.now();
                    or_end(&stop);
                }
            });
        }
    })?;
    Ok(handle)
}

/// Ends the process if the batch does not give up: a function that may read a folder can wait in
/// the system for ever, on a pipe that nobody writes to.
#[allow(clippy::disallowed_methods, reason = "nothing of the batch is visible, as after a crash")]
fn or_end(stop: &Stop) {
    let stop = stop.clone();
    // Without this thread it needs a signal that can't be caught.
    let _ = std::thread::Builder::new().name("end".into()).spawn(move || {
        if !stop.wait_for_end(AT_ONCE) {
            output::note("the batch in flight does not give up; the process ends without it");
            std::process::exit(i32::from(exit::FAILED));
        }
    });
}
