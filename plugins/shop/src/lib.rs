//! Sales and visits of a shop: functions with a state for each key.

use weir::{Out, Row, State, Values};

/// The key of sales.
#[derive(Row)]
pub struct Product<'a> {
    product: &'a str,
}

/// An order.
#[derive(Row)]
pub struct Order {
    price: i64,
}

/// What was sold of a product so far.
#[derive(Row, Clone, Default)]
pub struct Sold {
    orders: i64,
    revenue: i64,
}

/// What a batch says of a product.
#[derive(Row, Debug, PartialEq)]
pub struct Sales {
    new_orders: i64,
    orders: i64,
    revenue: i64,
}

/// Adds the orders of a batch to what was sold before. The job says whether it is called for every
/// product it knows or only for those that were ordered.
#[weir::updater]
pub fn sales(
    _key: Product<'_>,
    values: Values<'_, Order>,
    state: &mut State<Sold>,
    out: &mut Out<Sales>,
) {
    let mut sold = state.get().cloned().unwrap_or_default();
    sold.orders += values.len() as i64;
    sold.revenue += values.iter().map(|order| order.price).sum::<i64>();
    out.push(Sales { new_orders: values.len() as i64, orders: sold.orders, revenue: sold.revenue });
    if !values.is_empty() {
        state.set(sold);
    }
}

/// The key of sessions.
#[derive(Row)]
pub struct User<'a> {
    user: &'a str,
}

/// Something that a user did.
#[derive(Row)]
pub struct Event {
    price: i64,
}

/// A session that goes on. Times are those of batches, in microseconds since 1970.
#[derive(Row, Clone)]
pub struct Open {
    first: i64,
    last: i64,
    events: i64,
    spent: i64,
}

/// A session that has ended.
#[derive(Row, Debug, PartialEq)]
pub struct Session {
    minutes: i64,
    events: i64,
    spent: i64,
}

/// Collects what a user does. When nothing has come for the `timeout` of the job the session is
/// over: it is told and forgotten.
#[weir::updater]
pub fn session(
    _key: User<'_>,
    values: Values<'_, Event>,
    state: &mut State<Open>,
    out: &mut Out<Session>,
) {
    if state.timed_out()
        && let Some(open) = state.get().cloned()
    {
        let minutes = (open.last - open.first) / 60_000_000;
        out.push(Session { minutes, events: open.events, spent: open.spent });
        state.remove();
    }
    if values.is_empty() {
        return;
    }
    let now = weir::context::current().time.0;
    let new = Open { first: now, last: now, events: 0, spent: 0 };
    let mut open = state.get().cloned().unwrap_or(new);
    open.last = now;
    open.events += values.len() as i64;
    open.spent += values.iter().map(|event| event.price).sum::<i64>();
    state.set(open);
}

weir::export!(sales, session);

#[cfg(test)]
mod tests {
    use weir::testkit::{After, Before, update};

    use super::*;

    #[test]
    fn orders_are_added_to_what_was_sold() {
        let key = Product { product: "tea" };
        let before = Before { state: Some(Sold { orders: 1, revenue: 100 }), timed_out: false };
        let values = vec![Order { price: 50 }, Order { price: 70 }];
        let after: After<Sold, Sales> = update::<sales, Sales>("{}", key, values, before).unwrap();
        assert_eq!(after.given, [Sales { new_orders: 2, orders: 3, revenue: 220 }]);
        assert_eq!(after.state.unwrap().revenue, 220);
    }

    #[test]
    fn a_session_that_timed_out_is_told_and_forgotten() {
        let open = Open { first: 0, last: 600_000_000, events: 3, spent: 9 };
        let before = Before { state: Some(open), timed_out: true };
        let key = User { user: "u1" };
        let after = update::<session, Session>("{}", key, Vec::new(), before).unwrap();
        assert_eq!(after.given, [Session { minutes: 10, events: 3, spent: 9 }]);
        assert!(after.state.is_none());
    }
}
