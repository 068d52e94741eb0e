//! Settings of event time and of windows.

use std::time::Duration;

use super::entries::FILLED;
use super::{Place, Preset, Setting, Shape};

/// `event_time` of an entry.
pub const EVENT_TIME_OF: Setting =
    Setting::new("event_time", Shape::Table(&EVENT_TIME), "When rows came to be.");

/// The same for a source.
pub const TIMED: &[Setting] = &[EVENT_TIME_OF];

/// How long a window or a delay may be: ten years at most.
const LENGTH: Shape =
    Shape::Time(Duration::from_millis(1), Duration::from_secs(10 * 365 * 24 * 3600));

/// `event_time`.
pub static EVENT_TIME: Place = Place::new(
    "when rows came to be",
    &[&[
        Setting::new("column", FILLED, "A column of timestamps.").needed(),
        Setting::new(
            "watermark",
            Shape::Time(Duration::ZERO, Duration::from_secs(10 * 365 * 24 * 3600)),
            "Rows are waited for so long after the latest time that was seen.",
        )
        .preset(Preset::Time(Duration::ZERO)),
        Setting::new(
            "idle",
            LENGTH,
            "Without rows for so long, nobody waits for these any more. Default: never.",
        ),
    ]],
);

/// `window`.
pub static WINDOW: Place = Place::new(
    "the rows of an aggregate",
    &[&[
        Setting::new("size", LENGTH, "How long a window is.").needed(),
        Setting::new("slide", LENGTH, "How long after one window the next begins.")
            .preset(Preset::Said("the size")),
        Setting::new(
            "time",
            Shape::Words(&["event", "batch"]),
            "What time a row has: when it came to be, or when its batch began.",
        )
        .preset(Preset::Said("event time where rows have one, else that of the batch")),
    ]],
);
