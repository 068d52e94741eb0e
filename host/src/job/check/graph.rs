//! Who reads from whom.

use std::collections::{BTreeMap, BTreeSet};

use super::super::entries::{Entry, Kind};
use super::super::fields::{brief, near};
use super::super::problem::{Problem, Span};
use super::super::{Input, Job, OpBody, OpSpec};

/// So many ids are listed in a message.
const IDS_SHOWN_MAX: usize = 20;

/// So many circles are told; each may be as long as the job.
const CIRCLES_MAX: usize = 50;

/// Every id is there once. Gives warnings: a sink may have the id of another entry, but need not.
pub fn ids(entries: &[Entry<'_>], problems: &mut Vec<Problem>) -> Vec<Problem> {
    let of = |sinks: bool| {
        let wanted = entries.iter().filter(move |entry| (entry.kind == Kind::Sink) == sinks);
        wanted.filter_map(|entry| entry.id.as_ref())
    };
    let mut nodes: BTreeMap<String, &(&str, Span)> = BTreeMap::new();
    for id in of(false) {
        twice(&mut nodes, id, problems);
    }
    let mut sinks = BTreeMap::new();
    let mut warnings = Vec::new();
    for id in of(true) {
        twice(&mut sinks, id, problems);
        if let Some((_, first)) = nodes.get(&id.0.to_ascii_lowercase()) {
            warnings.push(
                Problem::new("WEIR-JOB-019", format!("the sink `{}` is not alone", brief(id.0)))
                    .at(id.1.clone(), "this sink")
                    .at(first.clone(), "has the id of this entry")
                    .help("`from` always means the other one; give the sink an id of its own"),
            );
        }
    }
    warnings
}

fn twice<'a>(
    seen: &mut BTreeMap<String, &'a (&'a str, Span)>,
    id: &'a (&'a str, Span),
    problems: &mut Vec<Problem>,
) {
    let Some((first, place)) = seen.get(&id.0.to_ascii_lowercase()) else {
        seen.insert(id.0.to_ascii_lowercase(), id);
        return;
    };
    let message = match *first == id.0 {
        true => format!("the id `{}` is there twice", brief(id.0)),
        false => format!("`{}` and `{}` differ in case only", brief(first), brief(id.0)),
    };
    problems.push(
        Problem::new("WEIR-JOB-010", message)
            .at(id.1.clone(), "again here")
            .at(place.clone(), "first here")
            .help("SQL compares names without case: give one of them another id"),
    );
}

/// Everything that is read is there, and above whoever reads it.
pub fn inputs(job: &Job, entries: &[Entry<'_>], problems: &mut Vec<Problem>) {
    let known: BTreeMap<&str, &Entry<'_>> =
        entries.iter().filter_map(|entry| Some((entry.id.as_ref()?.0, entry))).collect();
    let nodes: BTreeSet<&str> = entries
        .iter()
        .filter(|entry| entry.has_rows())
        .filter_map(|entry| Some(entry.id.as_ref()?.0))
        .collect();
    let sinks = job.sinks.iter().map(|sink| &sink.from);
    for input in job.ops.iter().flat_map(|op| &op.from).chain(sinks) {
        if !nodes.contains(input.node.as_str()) {
            problems.push(unknown(input, &nodes, known.get(input.node.as_str()).copied()));
        }
    }
    order(&job.ops, problems);
}

fn unknown(input: &Input, nodes: &BTreeSet<&str>, other: Option<&Entry<'_>>) -> Problem {
    let name = brief(input.node.as_str());
    let nodes: Vec<&str> = nodes.iter().copied().collect();
    let mut list = match nodes.as_slice() {
        [] => "there is none at all".to_owned(),
        some => format!("there are: {}", some[..some.len().min(IDS_SHOWN_MAX)].join(", ")),
    };
    if nodes.len() > IDS_SHOWN_MAX {
        list.push_str(", …");
    }
    let help = match (other.map(|other| other.kind), near(input.node.as_str(), &nodes)) {
        (Some(Kind::Sink), _) => format!("`{name}` is a sink: no rows come out of it; {list}"),
        (Some(_), _) => format!("`{name}` is a function: queries call it; {list}"),
        (None, Some(near)) => format!("did you mean `{near}`? {list}"),
        (None, None) => list,
    };
    let message = format!("there is no source or op `{name}`");
    Problem::new("WEIR-JOB-011", message).at(input.span.clone(), "").help(help)
}

/// Ops read from entries above them only. A circle is told once, as a whole.
fn order(ops: &[OpSpec], problems: &mut Vec<Problem>) {
    // Of two ops with one id the first is meant; that there are two was said.
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, op) in ops.iter().enumerate() {
        places.entry(op.id.as_str()).or_insert(place);
    }
    let circles = circles(ops, &places);
    let in_circle: BTreeSet<(usize, usize)> = circles.iter().flatten().copied().collect();
    for circle in &circles {
        problems.push(circle_problem(ops, circle));
    }
    for (place, op) in ops.iter().enumerate() {
        for (nth, input) in op.from.iter().enumerate() {
            let Some(&read) = places.get(input.node.as_str()) else { continue };
            if read < place || in_circle.contains(&(place, nth)) {
                continue;
            }
            problems.push(below(op, input, &ops[read]));
        }
    }
}

fn below(op: &OpSpec, input: &Input, read: &OpSpec) -> Problem {
    let message = format!("`{}` reads from `{}`, which stands below it", op.id, read.id);
    Problem::new("WEIR-JOB-012", message)
        .at(input.span.clone(), "read here")
        .at(read.span.clone(), "stands here")
        .help(format!("an op reads only from entries above it: move `{}` up", read.id))
}

/// Finds circles: each as its edges, an edge being an op and the number of its input. One walk
/// visits every edge once; each edge back into the way that led to it closes a circle.
fn circles(ops: &[OpSpec], places: &BTreeMap<&str, usize>) -> Vec<Vec<(usize, usize)>> {
    let mut left = vec![false; ops.len()];
    let mut way_to: Vec<Option<usize>> = vec![None; ops.len()];
    let mut found = Vec::new();
    for start in 0..ops.len() {
        if left[start] {
            continue;
        }
        // Every op on the way, with the number of the input that is looked at next.
        let mut way: Vec<(usize, usize)> = vec![(start, 0)];
        way_to[start] = Some(0);
        while let Some((op, nth)) = way.last().copied() {
            let Some(input) = ops[op].from.get(nth) else {
                left[op] = true;
                way_to[op] = None;
                way.pop();
                continue;
            };
            let depth = way.len();
            way[depth - 1].1 += 1;
            match places.get(input.node.as_str()) {
                Some(&next) if left[next] => {}
                Some(&next) => match way_to[next] {
                    Some(from) if found.len() < CIRCLES_MAX => {
                        found.push(way[from..].iter().map(|(op, nth)| (*op, nth - 1)).collect());
                    }
                    Some(_) => {}
                    None => {
                        way_to[next] = Some(depth);
                        way.push((next, 0));
                    }
                },
                None => {}
            }
        }
    }
    found
}

fn circle_problem(ops: &[OpSpec], circle: &[(usize, usize)]) -> Problem {
    let edge = |(op, nth): &(usize, usize)| (&ops[*op], &ops[*op].from[*nth]);
    let names: Vec<String> = circle.iter().map(|step| format!("`{}`", edge(step).0.id)).collect();
    let message = match names.as_slice() {
        [one] => format!("{one} reads from itself"),
        several => {
            let shown = several[..several.len().min(IDS_SHOWN_MAX)].join(" ← ");
            let more = if several.len() > IDS_SHOWN_MAX { " ← …" } else { "" };
            format!("ops read from each other in a circle: {shown}{more} ← {}", several[0])
        }
    };
    let help = "rows go one way: let one of them read from another entry above it";
    let marks = circle.iter().take(IDS_SHOWN_MAX).map(edge);
    marks.fold(Problem::new("WEIR-JOB-012", message).help(help), |problem, (op, input)| {
        problem.at(input.span.clone(), format!("`{}` reads from `{}`", op.id, input.node))
    })
}

/// Entries that nobody reads.
pub fn unread(job: &Job) -> Vec<Problem> {
    // A query may read any entry above it by name.
    let queries: Vec<String> = job
        .ops
        .iter()
        .filter_map(|op| match &op.body {
            OpBody::Sql(sql) if op.from.is_empty() => Some(sql.sql.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    let inputs = job.ops.iter().flat_map(|op| &op.from);
    let inputs = inputs.chain(job.sinks.iter().map(|sink| &sink.from));
    let read: BTreeSet<&str> = inputs.map(|input| input.node.as_str()).collect();
    let named = |id: &str| queries.iter().any(|sql| has_word(sql, &id.to_ascii_lowercase()));
    let sources = job.sources.iter().map(|source| (source.id.as_str(), &source.span));
    let ops = job.ops.iter().map(|op| (op.id.as_str(), &op.span));
    sources
        .chain(ops)
        .filter(|(id, _)| !read.contains(id) && !named(id))
        .map(|(id, span)| {
            Problem::new("WEIR-JOB-017", format!("nobody reads `{id}`, so it is not run"))
                .at(span.clone(), "")
                .help(format!("let an op or a sink read it with `from = \"{id}\"`, or remove it"))
        })
        .collect()
}

/// Whether a word stands in a text, not as a part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part))
}
