//! The binary: everything is in the library.

use std::process::ExitCode;

#[allow(clippy::disallowed_methods, reason = "a panic must not leave half of a batch running")]
fn main() -> ExitCode {
    // A panic is a fault of ours. Going on with half of a batch's lanes could write wrong output,
    // so the process ends there and then; the next start continues from what is recorded.
    let show = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        show(info);
        std::process::abort();
    }));
    weir_host::cli::main()
}
