//! An updater: a state for each key, which the host keeps from batch to batch.

use weir::{Out, Row, State, Values};

/// The columns of the key that the function looks at; job.toml names them in `key`.
#[derive(Row)]
pub struct User<'a> {
    #[allow(dead_code, reason = "shows how the key is read")]
    user: &'a str,
}

/// What the function reads of a row.
#[derive(Row)]
pub struct Click<'a> {
    page: &'a str,
}

/// What is remembered of a key. It owns what it holds.
#[derive(Row, Clone, Debug, Default, PartialEq)]
pub struct Visit {
    clicks: i64,
    last: String,
}

/// What comes out, behind the columns of the key.
#[derive(Row, Debug, PartialEq)]
pub struct Summary {
    clicks: i64,
    last: String,
    over: bool,
}

/// Clicks of a user until there are none for as long as `timeout` in job.toml says.
#[weir::updater(pure)]
pub fn track(
    _key: User<'_>,
    values: Values<'_, Click<'_>>,
    state: &mut State<Visit>,
    out: &mut Out<Summary>,
) {
    // A timer may go off in the very batch that brings new values: first the old visit ends.
    if state.timed_out()
        && let Some(visit) = state.remove()
    {
        out.push(Summary { clicks: visit.clicks, last: visit.last, over: true });
    }
    for click in values.iter() {
        state.update(|visit| {
            visit.clicks += 1;
            visit.last = click.page.to_owned();
        });
    }
    if let (Some(visit), false) = (state.get(), values.is_empty()) {
        out.push(Summary { clicks: visit.clicks, last: visit.last.clone(), over: false });
    }
}

// Every function that job.toml may call.
weir::export!(track);

#[cfg(test)]
mod tests {
    use weir::testkit::{Before, update};

    use super::*;

    #[test]
    fn clicks_add_up_over_batches_until_the_visit_is_over() {
        let user = || User { user: "ann" };
        let clicks = vec![Click { page: "a" }, Click { page: "b" }];
        let first = update::<track, Summary>("{}", user(), clicks, Before::default()).unwrap();
        assert_eq!(first.state, Some(Visit { clicks: 2, last: "b".to_owned() }));
        let before = Before { state: first.state, timed_out: true };
        let second = update::<track, Summary>("{}", user(), Vec::new(), before).unwrap();
        assert_eq!(second.state, None);
        assert_eq!(second.given, [Summary { clicks: 2, last: "b".to_owned(), over: true }]);
    }
}
