//! The settings in effect: what the file says, what was changed from outside, and what holds where
//! nothing was said, each with where it comes from.

use std::path::PathBuf;

use super::read::Document;
use super::schema::{self, Place, Preset, Setting, Shape};
use super::value::{NOTHING, Node, Table, Value};
use super::{Job, JobError, Outside, Span};

/// A part of a job: its top, a table, or an entry.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its name in paths of settings, as `--set` has them: `job`, `source.lines`; empty for the
    /// top.
    pub path: String,
    /// The name of its table or of its list; empty for the top.
    pub name: &'static str,
    /// Whether it is an entry of a list.
    pub entry: bool,
    /// Its settings.
    pub settings: Vec<Line>,
}

/// A setting in effect.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its name, or the names of the tables around it and its own.
    pub names: Vec<String>,
    /// Its value. Secrets in it are stars.
    pub value: Value,
    /// Where it comes from: `job.toml:12`, `--set job.batch`, `HOST__JOB__BATCH` or `default`.
    pub origin: String,
}

/// All settings of a job, which must have no problems. `lanes` is what `parallelism` is when it
/// isn't written.
pub fn effective(
    bytes: &[u8],
    path: &str,
    folder: PathBuf,
    (outside, lanes): (&Outside<'_>, usize),
) -> Result<Vec<Section>, JobError> {
    let document = Document::open(bytes, path, outside)?;
    let (job, _) = document.job(folder)?;
    Ok(Walk { document: &document, job: &job, lanes }.sections())
}

struct Walk<'a> {
    document: &'a Document,
    job: &'a Job,
    lanes: usize,
}

impl Walk<'_> {
    fn sections(&self) -> Vec<Section> {
        let top = &self.document.table;
        let mut first =
            Section { path: String::new(), name: "", entry: false, settings: Vec::new() };
        let mut tables = Vec::new();
        let mut entries: Vec<(usize, Section)> = Vec::new();
        for setting in schema::TOP.settings() {
            let node = top.get(setting.name);
            match (setting.shape, node.map(|node| &node.value)) {
                (Shape::Table(place), _) => {
                    let settings = self.settings(place, table_of(node), &Around::default());
                    let (path, name) = (setting.name.to_owned(), setting.name);
                    tables.push(Section { path, name, entry: false, settings });
                }
                (Shape::Entries(places), Some(Value::List(items))) => {
                    entries.extend(self.entries(setting.name, places, items));
                }
                (Shape::Entries(_) | Shape::Named(..), _) => {}
                _ => {
                    let written = |node| self.written(vec![setting.name.to_owned()], node);
                    first.settings.extend(node.map(written));
                }
            }
        }
        entries.sort_by_key(|(start, _)| *start);
        [first]
            .into_iter()
            .chain(tables)
            .chain(entries.into_iter().map(|(_, section)| section))
            .collect()
    }

    fn entries(
        &self,
        name: &'static str,
        places: &'static [Place],
        items: &[Node],
    ) -> Vec<(usize, Section)> {
        let mut sections = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let Value::Table(table) = &item.value else { continue };
            let Some(place) = places.iter().find(|place| place.fits(table)) else { continue };
            let id = match table.get("id").map(|node| &node.value) {
                Some(Value::Text(id)) => id.clone(),
                _ => (at + 1).to_string(),
            };
            let around = Around { names: Vec::new(), entry: Some((name, id.clone())) };
            let settings = self.settings(place, table, &around);
            let section = Section { path: format!("{name}.{id}"), name, entry: true, settings };
            sections.push((item.span.start, section));
        }
        sections
    }

    fn settings(&self, place: &'static Place, table: &Table, around: &Around) -> Vec<Line> {
        let mut lines = Vec::new();
        for setting in place.settings() {
            let node = table.get(setting.name);
            match (setting.shape, node) {
                // What is not there and could not be without more has no defaults.
                (Shape::Table(inner), None) if inner.needs() => {}
                (Shape::Table(inner), node) => {
                    let around = around.inside(setting.name);
                    lines.extend(self.settings(inner, table_of(node), &around));
                }
                (_, Some(node)) => self.leaves(around.names_of(setting.name), node, &mut lines),
                (_, None) => lines.extend(self.preset(setting, around)),
            }
        }
        lines
    }

    /// A value, or those of a table one by one: each may come from elsewhere.
    fn leaves(&self, names: Vec<String>, node: &Node, lines: &mut Vec<Line>) {
        match &node.value {
            Value::Table(table) if !table.entries.is_empty() => {
                for (name, _, node) in &table.entries {
                    let names = names.iter().cloned().chain([name.clone()]).collect();
                    self.leaves(names, node, lines);
                }
            }
            _ => lines.push(self.written(names, node)),
        }
    }

    fn written(&self, names: Vec<String>, node: &Node) -> Line {
        let mut origins = vec![self.place(&node.span)];
        let value = self.shown(node, &mut origins);
        Line { names, value, origin: origins.join("; ") }
    }

    /// The value with stars for secrets; adds where the values of `[vars]` in it come from, and
    /// whatever else has another place.
    fn shown(&self, node: &Node, origins: &mut Vec<String>) -> Value {
        match &node.value {
            Value::Text(text) => {
                let texts = &self.document.filled.texts;
                let Some(filled) = texts.iter().find(|filled| filled.start == node.span.start)
                else {
                    return Value::Text(text.clone());
                };
                for (name, from, span) in &filled.values {
                    let told = match (from.as_str(), self.place(span)) {
                        ("", place) => format!("{name}: {place}"),
                        (from, _) => format!("{name}: {from}"),
                    };
                    if !origins.contains(&told) {
                        origins.push(told);
                    }
                }
                Value::Text(filled.shown.clone())
            }
            Value::List(items) => {
                let shown = |item: &Node| Node {
                    value: self.shown(item, origins),
                    span: item.span.clone(),
                };
                Value::List(items.iter().map(shown).collect())
            }
            Value::Table(table) => {
                let mut shown = Table::default();
                for (name, span, node) in &table.entries {
                    let value = self.shown(node, origins);
                    let node = Node { value, span: node.span.clone() };
                    shown.entries.push((name.clone(), span.clone(), node));
                }
                Value::Table(shown)
            }
            other => other.clone(),
        }
    }

    /// A place for people.
    fn place(&self, span: &Span) -> String {
        let text = &self.document.text;
        match text.override_at(span) {
            Some(changed) => changed.origin.clone(),
            None => {
                let before = text.text.get(..span.start).unwrap_or(&text.text);
                format!("{}:{}", text.path, before.matches('\n').count() + 1)
            }
        }
    }

    /// What holds where nothing is written, if anything does.
    fn preset(&self, setting: &Setting, around: &Around) -> Option<Line> {
        let (value, origin) = match setting.preset {
            Preset::None => return None,
            Preset::Said(said) => (self.said(setting.name, around)?, format!("default: {said}")),
            Preset::Text(text) => (Value::Text(text.to_owned()), "default".to_owned()),
            Preset::Flag(flag) => (Value::Bool(flag), "default".to_owned()),
            ref other => {
                let value = match schema::preset(other)? {
                    serde_json::Value::String(text) => Value::Text(text),
                    number => Value::Int(number.as_i64()?),
                };
                (value, "default".to_owned())
            }
        };
        Some(Line { names: around.names_of(setting.name), value, origin })
    }

    /// What the machine or the rest of the job says of a setting.
    fn said(&self, name: &str, around: &Around) -> Option<Value> {
        match (name, &around.entry) {
            ("parallelism", _) => i64::try_from(self.lanes).ok().map(Value::Int),
            ("uri", _) => Some(Value::Text(self.job.checkpoint.folder.clone())),
            ("path", _) => Some(Value::Text(self.job.dead_letters.path.clone())),
            ("from", Some((kind, id))) => {
                let from = match *kind {
                    "sink" => {
                        let sink = self.job.sinks.iter().find(|sink| sink.id.as_str() == id)?;
                        sink.from.node.as_str()
                    }
                    _ => {
                        let op = self.job.ops.iter().find(|op| op.id.as_str() == id)?;
                        op.from.first()?.node.as_str()
                    }
                };
                Some(Value::Text(from.to_owned()))
            }
            _ => None,
        }
    }
}

/// A table; one in which nothing is written where there is none.
fn table_of(node: Option<&Node>) -> &Table {
    match node.map(|node| &node.value) {
        Some(Value::Table(table)) => table,
        _ => &NOTHING,
    }
}

/// Where a setting stands.
#[derive(Default)]
struct Around {
    /// The tables around it, within its section.
    names: Vec<String>,
    /// The list and the id of its entry.
    entry: Option<(&'static str, String)>,
}

impl Around {
    fn inside(&self, name: &str) -> Self {
        Self { names: self.names_of(name), entry: self.entry.clone() }
    }

    fn names_of(&self, name: &str) -> Vec<String> {
        self.names.iter().cloned().chain([name.to_owned()]).collect()
    }
}
