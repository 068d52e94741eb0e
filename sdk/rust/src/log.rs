//! Lines for the job's log. In native tests they go to standard error.

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For the author.
    Debug,
    /// For whoever reads along.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

/// Writes a line; it is cut after 4 KiB.
#[cfg(target_arch = "wasm32")]
pub fn write(level: Level, message: &str) {
    use crate::bindings::weir::operator::log as host;
    let level = match level {
        Level::Debug => host::Level::Debug,
        Level::Info => host::Level::Info,
        Level::Warn => host::Level::Warn,
        Level::Error => host::Level::Error,
    };
    host::log(level, message);
}

/// Writes a line; it is cut after 4 KiB.
#[cfg(not(target_arch = "wasm32"))]
pub fn write(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}

/// Writes a line for whoever reads along.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Writes a line for the author.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Writes a line about something to look at.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Writes a line about something that failed.
pub fn error(message: &str) {
    write(Level::Error, message);
}
