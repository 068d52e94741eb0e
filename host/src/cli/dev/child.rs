//! The run of a job in a process of its own: it gives up rights that the builder needs again, and
//! what happens to it happens to it alone.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child as Process, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::cli::{Format, JobArgs};
use crate::clock::Stopwatch;
use crate::source::Wake;

/// After this time a run that was asked to stop is told to stop at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// A run.
pub struct Child {
    process: Process,
    code: Option<i32>,
}

impl Child {
    /// Starts it with changed settings; the bell rings when it has ended.
    pub fn start(args: &JobArgs, settings: &[String], once: bool, wake: &Wake) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("run").arg(&args.job).args(["--with-parent", "--from", "none"]);
        for setting in settings.iter().chain(&args.set) {
            command.args(["--set", setting]);
        }
        if once {
            command.arg("--once");
        }
        if args.format == Format::Json {
            command.args(["--format", "json"]);
        }
        // A group of its own: Ctrl-C comes to the builder alone, which passes it on once.
        let process = command.stdin(Stdio::null()).process_group(0).spawn()?;
        let pid = Pid::from_child(&process);
        let wake = wake.clone();
        std::thread::Builder::new().name("run".into()).spawn(move || {
            // It stays to be asked for its exit code.
            let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while matches!(waitid(WaitId::Pid(pid), ended), Err(rustix::io::Errno::INTR)) {}
            wake.ring();
        })?;
        Ok(Self { process, code: None })
    }

    /// The exit code, once it has ended; that of a signal is 128 and its number, as in a shell.
    pub fn ended(&mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;
        if self.code.is_none() {
            let status = self.process.try_wait().ok().flatten();
            self.code = status.map(|status| {
                status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
            });
        }
        self.code
    }

    /// Stops it: after its batch, then at once, then by force. It has ended afterwards.
    pub fn stop(&mut self, wake: &Wake) {
        for signal in [Signal::TERM, Signal::TERM, Signal::KILL] {
            let since = Stopwatch::start();
            if self.ended().is_none() {
                // It is gone, or it gets the signal: nobody but us takes its exit code.
                let _ = kill_process(Pid::from_child(&self.process), signal);
            }
            while self.ended().is_none() && since.elapsed() < PATIENCE {
                wake.wait(Some(PATIENCE.saturating_sub(since.elapsed())));
            }
        }
        let _ = self.process.wait();
        // Rings meant for others were taken here: whoever waits next looks first.
        wake.ring();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended().is_none() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
