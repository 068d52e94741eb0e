//! The process that decodes: its limits, and what it tells.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::frame::{Bad, Message, Reason, Request, arrow_bytes, write_arrow, write_message};
use crate::clock::Stopwatch;
use crate::format::FormatError;
use crate::format::parquet::{self, BadRow, Chunk, Reader};

/// The argument that makes this program read the Parquet file on its standard input. It is not
/// for people.
pub const ARGUMENT: &str = "__parquet";

/// How much memory a file may take while it is read.
pub(super) const MEMORY_MAX: u64 = 1 << 30;

/// What the process itself takes of its address space before it has read anything.
const OWN_BYTES: u64 = 1 << 29;

/// How long a chunk may take, in seconds of processor time.
pub(super) const CHUNK_SECONDS_MAX: u64 = 30;

/// Bad rows of a chunk are told with their values up to so many bytes.
const CONTENTS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The statuses of the process: it told everything, nobody listens, it was not called rightly.
const DONE: u8 = 0;
const UNHEARD: u8 = 1;
const MISUSED: u8 = 64;

/// What the process does.
pub fn child(arguments: &[String]) -> u8 {
    let Some(request) = Request::parse(arguments) else { return MISUSED };
    let (Ok(file), Ok(out)) =
        (io::stdin().as_fd().try_clone_to_owned(), io::stdout().as_fd().try_clone_to_owned())
    else {
        return MISUSED;
    };
    if limit().and_then(|()| stay()).is_err() {
        return MISUSED;
    }
    // A panic of the library is told as a message; the hook of `main` would end the process.
    std::panic::set_hook(Box::new(|_| {}));
    let mut out = File::from(out);
    match answer(File::from(file), &request, &mut out) {
        Ok(()) => DONE,
        Err(_) => UNHEARD,
    }
}

fn limit() -> io::Result<()> {
    let memory = Some(MEMORY_MAX + OWN_BYTES);
    setrlimit(Resource::As, Rlimit { current: memory, maximum: memory })?;
    setrlimit(Resource::Fsize, Rlimit { current: Some(0), maximum: Some(0) })?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    allow(Duration::ZERO)
}

/// Allows for one chunk more than what was used so far.
fn allow(used: Duration) -> io::Result<()> {
    let maximum = getrlimit(Resource::Cpu).maximum;
    let wanted = used.as_secs() + 1 + CHUNK_SECONDS_MAX;
    let current = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    Ok(setrlimit(Resource::Cpu, Rlimit { current: Some(current), maximum })?)
}

/// Whoever stops the host does not stop this process: the host finishes its batch before. Without
/// a host nobody listens any more, and that ends it.
fn stay() -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}

/// Reads the file and tells what is in it. An error means that nobody listens.
pub(super) fn answer(file: File, request: &Request, out: &mut dyn Write) -> io::Result<()> {
    let last = match request {
        Request::Columns => columns(&file, out)?,
        Request::Rows(schema) => match guarded(|| Reader::open(file, Arc::clone(schema))) {
            Ok(reader) => rows(reader, out)?,
            Err(error) => told(error),
        },
    };
    write_message(out, &last)
}

fn columns(file: &File, out: &mut dyn Write) -> io::Result<Message> {
    let found = guarded(|| Ok(arrow_bytes(&parquet::schema(file)?, None)?));
    Ok(match found {
        Ok(bytes) => {
            write_arrow(out, &bytes)?;
            Message::Done
        }
        Err(error) => told(error),
    })
}

/// Tells all rows; gives what is to be said at the end.
fn rows(mut reader: Reader, out: &mut dyn Write) -> io::Result<Message> {
    let (mut group, mut used) = (None, Duration::ZERO);
    loop {
        let watch = Stopwatch::start();
        let read = guarded(|| {
            let Some(chunk) = reader.next_chunk()? else { return Ok(None) };
            let bytes = arrow_bytes(&chunk.rows.schema(), Some(&chunk.rows))?;
            Ok(Some((chunk, bytes)))
        });
        used += watch.elapsed();
        let Some(read) = read.transpose() else { return Ok(Message::Done) };
        if group != Some(reader.group()) {
            group = Some(reader.group());
            write_message(out, &Message::Group(reader.group()))?;
        }
        let (chunk, bytes) = match read {
            Ok(read) => read,
            Err(error) => return Ok(told(error)),
        };
        let good = chunk.rows.num_rows();
        write_message(out, &message(chunk))?;
        if good > 0 {
            write_arrow(out, &bytes)?;
        }
        // Writing takes time too, but no more than this.
        used += Duration::from_micros(100 + bytes.len() as u64 / 100);
        allow(used)?;
    }
}

fn message(chunk: Chunk) -> Message {
    let mut left = CONTENTS_BYTES_MAX;
    let bad = chunk.bad.into_iter().map(|BadRow { row, mut content, error }| {
        match left.checked_sub(content.len()) {
            Some(rest) => left = rest,
            None => content.clear(),
        }
        let reason = match error {
            FormatError::NoValue { column } => Reason::NoValue { column },
            FormatError::Value { column, wanted, found } => Reason::Value { column, wanted, found },
            _ => Reason::Long,
        };
        Bad { row, content, reason }
    });
    let bad = bad.collect();
    Message::Chunk { first: chunk.first, count: chunk.count, good: chunk.rows.num_rows(), bad }
}

fn told(error: FormatError) -> Message {
    match error {
        FormatError::ParquetColumn { column, problem } => Message::Column { column, problem },
        FormatError::Parquet { problem } => Message::Damaged { problem },
        other => Message::Damaged { problem: other.to_string() },
    }
}

/// Calls the library; its panics are damage of the file. What it leaves behind is not used again.
fn guarded<T>(call: impl FnOnce() -> Result<T, FormatError>) -> Result<T, FormatError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let text = text.unwrap_or("without a word").lines().next().unwrap_or_default();
        Err(FormatError::Parquet { problem: format!("the library gave up: {text}") })
    })
}
