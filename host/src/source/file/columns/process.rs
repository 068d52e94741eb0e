//! Starts the process that decodes, and takes what comes out of it.

use std::fs::File;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::child::{ARGUMENT, CHUNK_SECONDS_MAX, MEMORY_MAX};
use super::frame::{Bad, Frame, Message, Reason, Request, read, rows_in, schema_in};
use crate::format::FormatError;

/// This program's own file, also when another one lies under its name by now.
const PROGRAM: &str = "/proc/self/exe";

/// How much of what it says at its end is kept.
const LAST_WORDS_BYTES_MAX: u64 = 4 * 1024;

/// The process that reads one file. It ends with this value.
pub(super) struct Process {
    child: Child,
    out: ChildStdout,
    /// The row group that it is at.
    group: Option<usize>,
}

/// Rows that came out.
pub(super) struct Rows {
    /// The number of the first, and how many they are, good and bad.
    pub(super) first: u64,
    pub(super) count: u64,
    /// How many bytes the good ones take.
    pub(super) bytes: u64,
    pub(super) rows: RecordBatch,
    pub(super) bad: Vec<Bad>,
}

/// Why nothing came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It is due to the file.
    File(FormatError),
    /// It is due to the machine.
    Machine(String),
}

impl Process {
    /// Starts to read a file from its beginning.
    pub(super) fn start(file: File, request: &Request) -> Result<Self, Failure> {
        let machine = |problem: String| Failure::Machine(problem);
        let arguments = request.arguments().map_err(|error| machine(error.to_string()))?;
        let mut child = Command::new(PROGRAM)
            .arg(ARGUMENT)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            // The keys that stop the host are not for this process.
            .process_group(0)
            .stdin(file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| machine(format!("it can't be started: {error}")))?;
        match child.stdout.take() {
            Some(out) => Ok(Self { child, out, group: None }),
            None => Err(machine("it has no output".to_owned())),
        }
    }

    /// The columns of the file.
    pub(super) fn columns(&mut self) -> Result<SchemaRef, Failure> {
        match read(&mut self.out) {
            Some(Frame::Arrow(bytes)) => {
                schema_in(&bytes).map_err(|error| Failure::Machine(error.to_string()))
            }
            Some(Frame::Message(message)) => Err(self.failure(message)),
            None => Err(self.ended()),
        }
    }

    /// The next rows; none at the end of the file.
    pub(super) fn rows(&mut self, schema: &SchemaRef) -> Result<Option<Rows>, Failure> {
        loop {
            return match read(&mut self.out) {
                Some(Frame::Message(Message::Group(group))) => {
                    self.group = Some(group);
                    continue;
                }
                Some(Frame::Message(Message::Chunk { first, count, good, bad })) => {
                    let (rows, bytes) = self.good_rows(good, schema)?;
                    Ok(Some(Rows { first, count, bytes, rows, bad }))
                }
                Some(Frame::Message(Message::Done)) => Ok(None),
                Some(Frame::Message(message)) => Err(self.failure(message)),
                Some(Frame::Arrow(_)) => Err(not_as_agreed()),
                None => Err(self.ended()),
            };
        }
    }

    fn good_rows(
        &mut self,
        good: usize,
        schema: &SchemaRef,
    ) -> Result<(RecordBatch, u64), Failure> {
        if good == 0 {
            return Ok((RecordBatch::new_empty(SchemaRef::clone(schema)), 0));
        }
        match read(&mut self.out) {
            Some(Frame::Arrow(bytes)) => {
                let length = bytes.len() as u64;
                let rows = rows_in(bytes, schema).map_err(|error| {
                    self.of_file(format!("what was read of it makes no rows: {error}"))
                })?;
                if rows.num_rows() == good { Ok((rows, length)) } else { Err(not_as_agreed()) }
            }
            Some(Frame::Message(_)) => Err(not_as_agreed()),
            None => Err(self.ended()),
        }
    }

    fn failure(&self, message: Message) -> Failure {
        match message {
            Message::Damaged { problem } => self.of_file(problem),
            Message::Column { column, problem } => {
                Failure::File(FormatError::ParquetColumn { column, problem })
            }
            Message::Group(_) | Message::Chunk { .. } | Message::Done => not_as_agreed(),
        }
    }

    /// Damage of the file, with the row group in which it is.
    fn of_file(&self, problem: impl Into<String>) -> Failure {
        let mut problem = problem.into();
        if let Some(group) = self.group {
            problem = format!("row group {group}: {problem}");
        }
        Failure::File(FormatError::Parquet { problem })
    }

    /// The process ended before it said so.
    fn ended(&mut self) -> Failure {
        // It ends by itself, or because nobody reads its output any more.
        let status = match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            _ => self.child.wait(),
        };
        let mut said = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            // What can't be read was not said.
            let _ = stderr.take(LAST_WORDS_BYTES_MAX).read_to_end(&mut said);
        }
        match status {
            Ok(status) => match why(status, String::from_utf8_lossy(&said).trim()) {
                Ok(problem) => self.of_file(problem),
                Err(failure) => failure,
            },
            Err(error) => Failure::Machine(error.to_string()),
        }
    }
}

/// Why a process ended: damage of the file, or anything else.
pub(super) fn why(status: ExitStatus, said: &str) -> Result<String, Failure> {
    use signal_hook::consts::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};
    const SIGXCPU: i32 = 24;
    match status.signal() {
        Some(SIGXCPU) => {
            Ok(format!("a chunk of it takes more than {CHUNK_SECONDS_MAX} s of processor time"))
        }
        _ if said.contains("memory allocation") => {
            Ok(format!("reading it takes more than {} MiB of memory", MEMORY_MAX >> 20))
        }
        Some(SIGABRT | SIGBUS | SIGFPE | SIGILL | SIGSEGV) => {
            Ok(format!("the library crashed ({status}) {said}").trim_end().to_owned())
        }
        _ => Err(Failure::Machine(format!("it ended: {status} {said}").trim_end().to_owned())),
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn not_as_agreed() -> Failure {
    Failure::Machine("it does not say what was agreed".to_owned())
}

impl From<Reason> for FormatError {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::NoValue { column } => Self::NoValue { column },
            Reason::Value { column, wanted, found } => Self::Value { column, wanted, found },
            Reason::Long => Self::LongRow,
        }
    }
}
