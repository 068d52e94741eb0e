//! `host run`: runs a job until it is stopped, has done what was there, or fails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::process::Signal;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::failure::Failure;
use super::open::{self, Opened};
use super::{Format, JobArgs, exit, output};
use crate::batch::{
    BatchReport, ConnectionReport, DeadLetters, Event, Listener, Mode, RefusedReport, Runner,
    Start, Stop, Totals,
};
use crate::clock;
use crate::id::BatchId;
use crate::job::Job;
use crate::plan::{LogLine, LogSink, Progress, Resources};
use crate::sink::{self, ConsoleText, Lines};

/// How long stopping at once may take.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Where a run starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum From {
    /// Without anything from earlier runs.
    None,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    job: JobArgs,
    /// Take what is there now, then exit.
    #[arg(long)]
    once: bool,
    /// Where to start: `none` = anew. Runs always start anew until there are checkpoints.
    #[arg(long, value_enum, default_value = "none")]
    from: From,
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
    super::confine::confine(&opened, spill.path())?;
    let resources =
        Resources::new(opened.job.settings.memory, spill.path().to_owned()).map_err(machine)?;
    let stop = Stop::default();
    let signals = listen(&stop, opened.job.settings.grace).map_err(machine)?;
    let screen = Screen::new(args.job.format, args.once);
    let start = start(&opened, args, &stop, &screen)?;
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
    stop: &Stop,
    screen: &Arc<Screen>,
) -> Result<Start, Failure> {
    let job: &Job = &opened.job;
    let lines = screen.lines();
    let mut sinks = Vec::new();
    for spec in &job.sinks {
        let sink = sink::open(spec, &job.folder, &lines).map_err(|error| {
            let failure = Failure::new(error.code(), format!("sink `{}`: {error}", spec.id));
            let failure = failure.exit(exit::UNREACHABLE);
            match error.help() {
                Some(help) => failure.help(help),
                None => failure,
            }
        })?;
        sinks.push((spec.id.clone(), sink));
    }
    let run = format!(
        "{:016x}",
        clock::seed(job.name.as_str(), "", clock::now().0 as u64, std::process::id())
    );
    let letters = sink::open_dead_letters(&job.dead_letters, &job.folder, &run)
        .map_err(|error| Failure::new(error.code(), format!("dead_letters: {error}")))?;
    let dead_letters = DeadLetters { sink: letters, show_rows: job.dead_letters.row };
    Ok(Start {
        job: job.name.clone(),
        run: run.into(),
        sources: opened.sources.clone(),
        sinks,
        interval: job.settings.batch,
        mode: if args.once { Mode::Once } else { Mode::Continuous },
        parallelism: open::parallelism(job),
        stop: stop.clone(),
        log: screen.log(),
        dead_letters,
    })
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

/// What the person sees of a run.
struct Screen {
    format: Format,
    bar: Mutex<Option<ProgressBar>>,
    with_bar: bool,
    once: bool,
    told_idle: AtomicBool,
}

impl Screen {
    fn new(format: Format, once: bool) -> Arc<Self> {
        let with_bar = once && format == Format::Text && output::watched();
        Arc::new(Self {
            format,
            bar: Mutex::default(),
            with_bar,
            once,
            told_idle: AtomicBool::new(false),
        })
    }

    fn clear(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }

    /// Writes a line without tearing the progress bar.
    fn note(&self, line: &str) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        match &*bar {
            Some(bar) => bar.suspend(|| output::note(line)),
            None => output::note(line),
        }
    }

    fn lines(self: &Arc<Self>) -> Lines {
        let screen = Arc::clone(self);
        Arc::new(move |text: ConsoleText<'_>| {
            screen.clear();
            match screen.format {
                Format::Text => output::data(sink::banner(&text).trim_end()),
                Format::Json => {
                    let mut event = sink::banner_json(&text);
                    event["event"] = "rows".into();
                    output::json(&event.to_string());
                }
            }
        })
    }

    fn log(self: &Arc<Self>) -> LogSink {
        let screen = Arc::clone(self);
        Arc::new(move |line: LogLine| match screen.format {
            Format::Text => screen.note(&output::plain(&format!(
                "{:<5} {} [batch {}, partition {}] {}",
                line.level.name(),
                line.op,
                line.batch,
                line.partition,
                output::set_in(&line.text)
            ))),
            Format::Json => output::json(
                &serde_json::json!({
                    "event": "log",
                    "level": line.level.name(),
                    "op": line.op,
                    "batch": line.batch,
                    "partition": line.partition,
                    "text": line.text,
                })
                .to_string(),
            ),
        })
    }

    fn text(&self, event: &Event) {
        match event {
            Event::Started { job, parallelism, interval_ms, .. } => {
                let pace = match interval_ms {
                    0 => "as fast as there is input".to_owned(),
                    millis => format!("a batch every {:?}", Duration::from_millis(*millis)),
                };
                self.note(&format!("{job} runs on {parallelism} lanes, {pace}"));
            }
            Event::Batch(report) => {
                self.clear();
                self.told_idle.store(false, Ordering::Relaxed);
                self.note(&batch_line(report));
                for refused in &report.refused {
                    self.note(&output::plain(&refused_line(refused)));
                }
            }
            Event::Skipped { source, path, reason } => {
                self.note(&output::plain(&format!("{source}: `{path}` is not taken: {reason}")));
            }
            Event::Connection(change) => self.note(&output::plain(&connection_line(change))),
            Event::Idle { ends } => {
                if !ends && !self.told_idle.swap(true, Ordering::Relaxed) {
                    self.note("no new input; waiting");
                }
            }
            Event::Stopped(totals) => self.note(&stopped_line(totals, self.once)),
            Event::Failed { .. } => self.clear(),
        }
    }
}

/// One line for the end.
fn stopped_line(totals: &Totals, once: bool) -> String {
    match (totals.batches, once) {
        (0, false) => "stopped: there was no new input".to_owned(),
        (0, true) => "stopped: there was no new input. A source takes what appears under its \
                      `path`; check the path, or wait for input by running without --once"
            .to_owned(),
        (batches, _) => format!(
            "stopped after {batches} batch{}, {} rows",
            if batches == 1 { "" } else { "es" },
            output::grouped(totals.rows_in)
        ),
    }
}

/// One line for a batch.
fn batch_line(report: &BatchReport) -> String {
    let seconds = report.processing_ms / 1e3;
    let rate = if seconds > 0.0 { (report.rows_in as f64 / seconds) as u64 } else { 0 };
    let out: Vec<String> = report
        .sinks
        .iter()
        .map(|sink| format!("{} {}", sink.sink, output::grouped(sink.rows)))
        .collect();
    format!(
        "batch {} · {} rows in · {} out · {:.0} ms · {} rows/s",
        report.batch,
        output::grouped(report.rows_in),
        out.join(", "),
        report.processing_ms,
        output::grouped(rate),
    )
}

/// One line for a connection that came or went.
fn connection_line(change: &ConnectionReport) -> String {
    let state = match change.up {
        true => "connected".to_owned(),
        false => format!("not connected: {}", change.reason),
    };
    format!("{}: receiver {} ({}) is {state}", change.source, change.receiver, change.address)
}

/// One line for an entry that left rows out.
fn refused_line(refused: &RefusedReport) -> String {
    let kinds = [(refused.skipped, "skipped"), (refused.dead_letters, "put aside")];
    let counts: Vec<String> = kinds
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| {
            let rows = if *count == 1 { "row" } else { "rows" };
            format!("{} {rows} {what}", output::grouped(*count))
        })
        .collect();
    let first = output::set_in(&refused.first);
    format!("  {}: {}; first: {first}", refused.at, counts.join(", "))
}

impl Listener for Arc<Screen> {
    fn event(&self, event: &Event) {
        match self.format {
            Format::Text => self.text(event),
            Format::Json => match serde_json::to_string(event) {
                Ok(line) => output::json(&line),
                Err(error) => output::note(&format!("an event can't be shown: {error}")),
            },
        }
    }

    fn progress(&self, batch: BatchId, bytes: u64, progress: &Arc<Progress>) {
        if !self.with_bar || bytes == 0 {
            return;
        }
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
        let style = "batch {prefix} {bar:30} {bytes} of {total_bytes} · {bytes_per_sec}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_prefix(batch.to_string());
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        let progress = Arc::downgrade(progress);
        let ticker = std::thread::Builder::new().name("progress".into());
        // Without this thread there is no progress to see, and nothing else changes.
        let _ = ticker.spawn(move || {
            let pause = crate::source::Wake::default();
            while let Some(progress) = progress.upgrade() {
                bar.set_position(progress.bytes());
                if bar.is_finished() {
                    break;
                }
                drop(progress);
                pause.wait(Some(Duration::from_millis(100)));
            }
        });
    }
}
