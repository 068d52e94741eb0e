//! What the person sees of a run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Format, output};
use crate::batch::{BatchReport, ConnectionReport, Event, Listener, RefusedReport, Totals};
use crate::id::BatchId;
use crate::plan::{LogLine, LogSink, Progress};
use crate::sink::{self, ConsoleText, Lines};

/// What the person sees of a run.
pub struct Screen {
    format: Format,
    bar: Mutex<Option<ProgressBar>>,
    with_bar: bool,
    once: bool,
    told_idle: AtomicBool,
}

impl Screen {
    pub fn new(format: Format, once: bool) -> Arc<Self> {
        let with_bar = once && format == Format::Text && output::watched();
        Arc::new(Self {
            format,
            bar: Mutex::default(),
            with_bar,
            once,
            told_idle: AtomicBool::new(false),
        })
    }

    pub fn clear(&self) {
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

    pub fn lines(self: &Arc<Self>) -> Lines {
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

    pub fn log(self: &Arc<Self>) -> LogSink {
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

    fn batch(&self, report: &BatchReport) {
        self.clear();
        self.told_idle.store(false, Ordering::Relaxed);
        self.note(&batch_line(report));
        if report.files_lost > 0 {
            self.note(&format!("  without {} files that are gone", report.files_lost));
        }
        for refused in &report.refused {
            self.note(&output::plain(&refused_line(refused)));
        }
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
            Event::Resumed { after, first, notes } => {
                self.note(&output::plain(&format!("goes on after batch {after}: {first}")));
                for note in notes {
                    self.note(&output::plain(&format!("  {note}")));
                }
            }
            Event::NoSpace { message } => {
                self.note(&output::plain(&format!("waits for room on the disk: {message}")));
            }
            Event::Batch(report) => self.batch(report),
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
