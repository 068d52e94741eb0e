//! Command lines that make no sense.

use super::failure::Failure;
use super::{Format, exit};

/// Shows what is wrong with the command line, as JSON if that was asked for. Also shows help and
/// the version, which are no errors.
pub fn show(error: &clap::Error) -> u8 {
    let wanted = error.use_stderr() && asks_for_json();
    if !wanted {
        // A terminal that has gone is no error of ours.
        let _ = error.print();
        return if error.use_stderr() { exit::USAGE } else { exit::DONE };
    }
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    let (message, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    Failure::new("WEIR-CLI-009", message).help(rest.trim()).exit(exit::USAGE).show(Format::Json);
    exit::USAGE
}

fn asks_for_json() -> bool {
    let arguments: Vec<_> = std::env::args_os().collect();
    arguments.windows(2).any(|pair| pair[0] == "--format" && pair[1] == "json")
        || arguments.iter().any(|argument| argument == "--format=json")
}
