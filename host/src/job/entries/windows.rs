//! `event_time` and `window`.

use super::super::fields::{Fields, Problems};
use super::super::schema::{EVENT_TIME, WINDOW};
use super::super::windows::{EventTimeSpec, WindowSpec, WindowTime};

/// Reads `event_time` of a source or an op.
pub fn event_time(fields: &Fields<'_>, problems: &Problems) -> Option<EventTimeSpec> {
    let (table, span) = fields.table("event_time")?;
    let place = std::slice::from_ref(&EVENT_TIME);
    let fields = Fields::new((table, span.clone()), place, problems);
    let column = fields.filled("column", "a column of timestamps, such as `column = \"ts\"`");
    if column.is_none() && table.get("column").is_none() {
        fields.missing("column", "a column of timestamps, such as `column = \"ts\"`");
    }
    let (watermark, idle) = (fields.time("watermark").unwrap_or_default(), fields.time("idle"));
    fields.finish();
    let (column, column_span) = column?;
    Some(EventTimeSpec { column, column_span, watermark, idle, span })
}

/// Reads `window` of an op.
pub fn window(fields: &Fields<'_>, problems: &Problems) -> Option<WindowSpec> {
    let (table, span) = fields.table("window")?;
    let fields = Fields::new((table, span.clone()), std::slice::from_ref(&WINDOW), problems);
    if table.get("size").is_none() {
        fields.missing("size", "how long a window is, such as `size = \"1m\"`");
    }
    let size = fields.time("size");
    let slide = fields.time("slide");
    let words = [("event", WindowTime::Event), ("batch", WindowTime::Batch)];
    let time = fields.word("time", &words);
    if let (Some(size), Some(slide)) = (size, slide)
        && slide > size
    {
        let place = fields.take("slide").map_or(span.clone(), |node| node.span.clone());
        let message = "`slide` is longer than `size`: rows between windows would be in none";
        let help = "set `slide` to the size of a window or less, or leave it out";
        fields.senseless(&place, message.to_owned(), help);
    }
    fields.finish();
    let size = size?;
    Some(WindowSpec { size, slide: slide.unwrap_or(size).min(size), time, span })
}
