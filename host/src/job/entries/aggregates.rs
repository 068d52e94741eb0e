//! `aggregates` of a native aggregate.

use super::super::fields::{Fields, Problems, brief};
use super::super::problem::{Problem, Span};
use super::super::value::{Node, Value};
use super::super::{AggregateFunction, AggregateSpec};

/// The aggregates that the host has itself, as they are written.
const AGGREGATES: [(&str, AggregateFunction); 5] = [
    ("count", AggregateFunction::Count),
    ("sum", AggregateFunction::Sum),
    ("min", AggregateFunction::Min),
    ("max", AggregateFunction::Max),
    ("avg", AggregateFunction::Avg),
];

/// Reads the columns that come out.
pub fn aggregates(fields: &Fields<'_>, problems: &Problems) -> Vec<AggregateSpec> {
    let Some((table, span)) = fields.table("aggregates") else {
        fields.missing("aggregates", "such as `aggregates = { total = \"sum(price)\" }`");
        return Vec::new();
    };
    if table.entries.is_empty() {
        fields.senseless(&span, "`aggregates` is empty".into(), "name a column that comes out");
    }
    let one = |(name, _, node): &(String, Span, Node)| {
        let Value::Text(text) = &node.value else {
            fields.wrong(
                &format!("aggregates.{}", brief(name)),
                node,
                "a text like \"sum(price)\"",
            );
            return None;
        };
        let parsed = text.trim().strip_suffix(')').and_then(|text| text.split_once('('));
        let known = parsed.and_then(|(called, column)| {
            let called = called.trim().to_lowercase();
            let (_, function) = AGGREGATES.iter().find(|(name, _)| *name == called)?;
            let column = Some(column.trim()).filter(|column| !matches!(*column, "*" | ""));
            let whole = column.is_some() || *function == AggregateFunction::Count;
            whole.then(|| (*function, column.map(str::to_owned)))
        });
        if known.is_none() {
            let message = format!("`{}` is no aggregate", brief(text));
            problems.borrow_mut().push(
                Problem::new("WEIR-JOB-006", message).at(node.span.clone(), "").help(
                    "there are `count(*)`, `count(c)`, `sum(c)`, `min(c)`, `max(c)` and `avg(c)` \
                     of a column `c`; other things can be made with `sql` or a plugin",
                ),
            );
        }
        let (function, column) = known?;
        Some(AggregateSpec { name: name.clone(), function, column, span: node.span.clone() })
    };
    table.entries.iter().filter_map(one).collect()
}
