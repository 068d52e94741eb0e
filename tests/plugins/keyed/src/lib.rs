//! Functions with a state for each key, which do what the values say.

use serde::Deserialize;
use weir::{Out, Row, RowError, State, Timestamp, Values};

/// The key.
#[derive(Row)]
pub struct User<'a> {
    user: Option<&'a str>,
}

/// What comes for a key.
#[derive(Row)]
pub struct Value {
    n: i64,
}

/// What is remembered.
#[derive(Row, Clone, Default)]
pub struct Kept {
    sum: i64,
    count: i64,
    last: Option<String>,
}

/// One for each visit.
#[derive(Row)]
pub struct Told {
    sum: Option<i64>,
    values: i64,
    timed_out: bool,
}

/// One for each key whose timer went off.
#[derive(Row)]
pub struct Gone {
    count: i64,
}

/// What is done with a key whose timer went off.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whether its state stays.
    #[serde(default)]
    keep: bool,
    /// Whether that is refused if no values came.
    #[serde(default)]
    strict: bool,
}

/// Adds values. 0 takes the state away; -1 clears the timer, -2 sets it to long ago, -3 to ten
/// seconds from now; 7xx are rejected, 8xx reject their key, 9xx trap, and 950 never ends.
#[weir::updater(state_version = 2)]
pub fn track(
    key: User<'_>,
    values: Values<'_, Value>,
    state: &mut State<Kept>,
    told: &mut Out<Told>,
    gone: &mut Out<Gone>,
    settings: &Settings,
) -> Result<(), RowError> {
    if settings.strict && state.timed_out() && values.is_empty() {
        return Err(RowError::reject("nothing came"));
    }
    if state.timed_out() {
        gone.push(Gone { count: state.get().map_or(-1, |kept| kept.count) });
        if !settings.keep {
            state.remove();
        }
    }
    for (at, value) in values.iter().enumerate() {
        match value.n {
            0 => drop(state.remove()),
            -1 => state.clear_timer(),
            -2 => state.set_timer(Timestamp(0)),
            -3 => state.set_timer(Timestamp(weir::context::current().time.0 + 10_000_000)),
            n @ 700..=799 => values.reject(at, RowError::reject(format!("{n} is no value"))),
            n @ 800..=899 => return Err(RowError::reject(format!("{n} spoils its key"))),
            950 => spin(value.n),
            n @ 900..=999 => panic!("{n} is too much"),
            n => state.update(|kept| {
                kept.sum += n;
                kept.count += 1;
                kept.last = key.user.map(str::to_owned);
            }),
        }
    }
    let sum = state.get().map(|kept| kept.sum);
    told.push(Told { sum, values: values.len() as i64, timed_out: state.timed_out() });
    Ok(())
}

fn spin(mut n: i64) {
    while std::hint::black_box(n) != i64::MIN {
        n = std::hint::black_box(n | 1);
    }
}

/// How large one state is.
#[derive(Row, Clone, Default)]
pub struct Pile {
    texts: Vec<String>,
}

/// A text.
#[derive(Row)]
pub struct Text<'a> {
    text: &'a str,
}

/// How much has come of a key, and how much at once.
#[derive(Row)]
pub struct Size {
    texts: i64,
    bytes: i64,
    at_once: i64,
}

/// Keeps everything, for keys of any columns.
#[weir::updater]
pub fn pile(_key: Any, values: Values<'_, Text<'_>>, state: &mut State<Pile>, out: &mut Out<Size>) {
    state.update(|pile| pile.texts.extend(values.iter().map(|value| value.text.to_owned())));
    let texts = state.get().map(|pile| pile.texts.as_slice()).unwrap_or_default();
    out.push(Size {
        texts: texts.len() as i64,
        bytes: texts.iter().map(|text| text.len() as i64).sum(),
        at_once: values.len() as i64,
    });
}

/// A key of any columns.
#[derive(Row)]
pub struct Any {}

/// A count.
#[derive(Row, Clone, Default)]
pub struct Count {
    count: i64,
}

/// How many values came for a key, however many come at once.
#[weir::updater]
pub fn count(
    _key: Any,
    values: Values<'_, Text<'_>>,
    state: &mut State<Count>,
    out: &mut Out<Size>,
) {
    let before = state.get().map_or(0, |state| state.count);
    let count = before + values.len() as i64;
    state.set(Count { count });
    let bytes = values.iter().map(|value| value.text.len() as i64).sum();
    out.push(Size { texts: count, bytes, at_once: values.len() as i64 });
}

weir::export!(track, pile, count);
