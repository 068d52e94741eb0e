//! `[vars]`: values that are written once, or come from the environment or a file.
//!
//! `${name}` in a text of the job stands for a value, `$${` for `${` itself. That happens after
//! the file was read: a value is never taken for TOML. Ids, names and inputs have none: they are
//! the identity of state and are read by people.

use std::collections::{HashMap, HashSet};

use super::fields::{Problems, brief, near};
use super::problem::{Problem, Span};
use super::value::{Node, Table, Value};
use crate::secret::{self, SECRET_BYTES_MIN};

/// What the host may look up for a job outside of its text.
pub struct Outside<'a> {
    /// The values of `--set`.
    pub set: &'a [String],
    /// Variables named `HOST__…`; others are passed over.
    pub overrides: &'a [(String, String)],
    /// A variable of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The text of a secret's file, whose path is relative to the job's folder; or why not.
    pub secret_file: &'a dyn Fn(&str) -> Result<String, String>,
}

impl Outside<'static> {
    /// There is nothing outside.
    pub const NOTHING: Self = Self {
        set: &[],
        overrides: &[],
        variable: &|_| None,
        secret_file: &|_| Err("there are no files here".to_owned()),
    };
}

/// Where a value comes from.
enum Origin {
    Written(String),
    Variable { name: String, default: Option<String> },
    SecretVariable(String),
    SecretFile(String),
}

/// A value with a name.
struct Var {
    origin: Origin,
    span: Span,
}

const HELP: &str = "a value is text, `{ env = \"NAME\", default = \"…\" }`, \
                    `{ secret = \"file:/run/secrets/key\" }` or `{ secret = \"env:NAME\" }`";

const WRITTEN_SO: &str = "`${name}` stands for a value of [vars]; write `$${` for `${` itself";

/// What became of `[vars]`.
#[derive(Debug, Default)]
pub struct Filled {
    /// Values that nobody uses.
    pub warnings: Vec<Problem>,
    /// The texts that values were put into.
    pub texts: Vec<FilledText>,
}

/// A text that values were put into.
#[derive(Debug)]
pub struct FilledText {
    /// Where it stands.
    pub start: usize,
    /// The text with its values, but with stars for secrets.
    pub shown: String,
    /// The values: name, where it was taken from, and the place of that.
    pub values: Vec<(String, String, Span)>,
}

/// Puts the values of `[vars]` into the texts of a job, and takes `[vars]` out.
pub fn apply(table: &mut Table, outside: &Outside<'_>, problems: &Problems) -> Filled {
    let place = table.entries.iter().position(|(name, _, _)| name == "vars");
    let vars = place.map(|place| table.entries.remove(place).2);
    let vars = vars.map(|node| read(&node, problems)).unwrap_or_default();
    let mut filling = Filling {
        vars: &vars,
        outside,
        problems,
        values: HashMap::new(),
        used: HashSet::new(),
        texts: Vec::new(),
    };
    filling.table(table, &mut Vec::new());
    let unused = vars.iter().filter(|(name, _)| !filling.used.contains(name));
    let unused = unused.map(|(name, var)| {
        let message = format!("nothing uses the value `{name}` of [vars]");
        let help = format!("write `${{{name}}}` where it is meant, or remove it");
        Problem::new("WEIR-JOB-023", message).at(var.span.clone(), "").help(help)
    });
    Filled { warnings: unused.collect(), texts: filling.texts }
}

type Vars = Vec<(String, Var)>;

fn read(node: &Node, problems: &Problems) -> Vars {
    let wrong = |span: &Span, message: String| {
        let problem = Problem::new("WEIR-JOB-022", message).at(span.clone(), "");
        problems.borrow_mut().push(problem.help(HELP));
    };
    let Value::Table(table) = &node.value else {
        wrong(&node.span, "`vars` is a table of values: `[vars]`".to_owned());
        return Vars::new();
    };
    let mut vars = Vars::new();
    for (name, place, node) in &table.entries {
        let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !named || !name.chars().all(in_name) {
            wrong(place, format!("`{}` can't be the name of a value", brief(name)));
            continue;
        }
        match origin(node) {
            Ok(origin) => vars.push((name.clone(), Var { origin, span: node.span.clone() })),
            Err(why) => wrong(&node.span, format!("the value `{}` {why}", brief(name))),
        }
    }
    vars
}

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn origin(node: &Node) -> Result<Origin, String> {
    let table = match &node.value {
        Value::Text(text) if text.contains("${") => {
            return Err("is made of another one, which is not possible".to_owned());
        }
        Value::Text(text) => return Ok(Origin::Written(text.clone())),
        Value::Table(table) => table,
        other => return Err(format!("is {}, not text", other.kind())),
    };
    let text = |name: &str| match table.get(name).map(|node| &node.value) {
        Some(Value::Text(text)) if text.is_empty() => Err(format!("has an empty `{name}`")),
        Some(Value::Text(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("has a `{name}` that is not text")),
        None => Ok(None),
    };
    let fitting = |allowed: &[&str]| {
        let other = table.entries.iter().find(|(name, _, _)| !allowed.contains(&name.as_str()));
        other.map_or(Ok(()), |(name, _, _)| Err(format!("can't have `{}` there", brief(name))))
    };
    if let Some(secret) = text("secret")? {
        fitting(&["secret"])?;
        return match secret.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Origin::SecretFile(path.to_owned())),
            Some(("env", name)) if !name.is_empty() => Ok(Origin::SecretVariable(name.to_owned())),
            _ => Err("has a `secret` that is neither `file:PATH` nor `env:NAME`".to_owned()),
        };
    }
    let Some(name) = text("env")? else { return Err("says neither `env` nor `secret`".to_owned()) };
    fitting(&["env", "default"])?;
    let default = match table.get("default").map(|node| &node.value) {
        Some(Value::Text(text)) => Some(text.clone()),
        Some(_) => return Err("has a `default` that is not text".to_owned()),
        None => None,
    };
    Ok(Origin::Variable { name, default })
}

impl Var {
    fn is_secret(&self) -> bool {
        matches!(self.origin, Origin::SecretVariable(_) | Origin::SecretFile(_))
    }

    /// Where its value comes from, for people. Empty if it stands in the job.
    fn taken_from(&self, outside: &Outside<'_>) -> String {
        match &self.origin {
            Origin::Written(_) => String::new(),
            Origin::Variable { name, .. } if (outside.variable)(name).is_some() => {
                format!("variable {}", brief(name))
            }
            Origin::Variable { name, .. } => format!("default, {} is not set", brief(name)),
            Origin::SecretVariable(name) => format!("secret in variable {}", brief(name)),
            Origin::SecretFile(path) => format!("secret in file {}", brief(path)),
        }
    }

    fn value(&self, outside: &Outside<'_>) -> Result<String, (String, String)> {
        let unset = |name: &str, help: &str| {
            (format!("the variable `{}` is not set", brief(name)), help.to_owned())
        };
        match &self.origin {
            Origin::Written(text) => Ok(text.clone()),
            Origin::Variable { name, default } => {
                let found = (outside.variable)(name).or_else(|| default.clone());
                let help = "set it where the host is started, or give it a `default`";
                found.ok_or_else(|| unset(name, help))
            }
            Origin::SecretVariable(name) => {
                let found = (outside.variable)(name);
                let help = "set it where the host is started; a secret has no default";
                kept(found.ok_or_else(|| unset(name, help))?)
            }
            Origin::SecretFile(path) => kept((outside.secret_file)(path).map_err(|why| {
                let help = "a path that is not absolute starts at the folder of the job".to_owned();
                (format!("the secret in `{}` can't be had: {why}", brief(path)), help)
            })?),
        }
    }
}

/// A secret without the end of its last line. From now on nobody gets to see it.
fn kept(secret: String) -> Result<String, (String, String)> {
    let trimmed = secret.strip_suffix('\n').unwrap_or(&secret);
    let trimmed = trimmed.strip_suffix('\r').unwrap_or(trimmed);
    if trimmed.len() < SECRET_BYTES_MIN {
        let message = format!("a secret has at least {SECRET_BYTES_MIN} characters");
        let help = "a shorter one could not be kept out of messages; is the file empty?";
        return Err((message, help.to_owned()));
    }
    secret::keep(trimmed);
    Ok(trimmed.to_owned())
}

/// Goes through a document and puts values in.
struct Filling<'a> {
    vars: &'a Vars,
    outside: &'a Outside<'a>,
    problems: &'a Problems,
    /// What was looked up, once each; none if that failed.
    values: HashMap<String, Option<String>>,
    used: HashSet<String>,
    texts: Vec<FilledText>,
}

/// What stands in the place of a secret where settings are shown.
const STARS: &str = "***";

impl Filling<'_> {
    fn table(&mut self, table: &mut Table, path: &mut Vec<String>) {
        for (name, _, node) in &mut table.entries {
            path.push(name.clone());
            self.node(node, path);
            path.pop();
        }
    }

    fn node(&mut self, node: &mut Node, path: &mut Vec<String>) {
        match &mut node.value {
            Value::Text(text) if text.contains("${") => {
                if is_reference(path) {
                    let name = path.last().map_or("", String::as_str);
                    let message = format!("`{name}` can't have a value of [vars] in it");
                    let help = "entries are known by their ids: write them out";
                    self.problem("WEIR-JOB-021", message, &node.span, help);
                } else if !is_name(path)
                    && self.may_be_shown(text, path, &node.span)
                    && let Some(filled) = self.filled(text, &node.span)
                {
                    *text = filled;
                }
            }
            Value::Table(table) => self.table(table, path),
            Value::List(items) => items.iter_mut().for_each(|item| self.node(item, path)),
            _ => {}
        }
    }

    /// Whether no secret stands in SQL, which is taken apart, computed with and shown.
    fn may_be_shown(&self, text: &str, path: &[String], span: &Span) -> bool {
        let within = |(name, var): &&(String, Var)| {
            var.is_secret() && text.contains(&format!("${{{name}}}"))
        };
        let secret = self.vars.iter().find(within);
        let Some((name, _)) = secret.filter(|_| path.last().is_some_and(|last| last == "sql"))
        else {
            return true;
        };
        let message = format!("the secret `{name}` can't stand in `sql`");
        let help = "plans and errors show what SQL computes: hand it to a function, with `config` \
                    or `allow.env`";
        self.problem("WEIR-JOB-021", message, span, help);
        false
    }

    fn problem(&self, code: &'static str, message: String, span: &Span, help: &str) {
        let problem = Problem::new(code, message).at(span.clone(), "").help(help);
        self.problems.borrow_mut().push(problem);
    }

    fn filled(&mut self, text: &str, span: &Span) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut told = FilledText { start: span.start, shown: String::new(), values: Vec::new() };
        let (mut rest, mut whole) = (text, true);
        while let Some(at) = rest.find("${") {
            let before = &rest[..at];
            rest = &rest[at + 2..];
            if let Some(before) = before.strip_suffix('$') {
                out.extend([before, "${"]);
                told.shown.extend([before, "${"]);
                continue;
            }
            out.push_str(before);
            told.shown.push_str(before);
            let end = rest.find('}').filter(|end| *end > 0 && rest[..*end].chars().all(in_name));
            let Some(end) = end else {
                let message = "`${` is not followed by a name and `}`".to_owned();
                self.problem("WEIR-JOB-021", message, span, WRITTEN_SO);
                return None;
            };
            match self.value(&rest[..end], span) {
                Some(value) => {
                    out.push_str(&value);
                    self.tell(&rest[..end], &value, &mut told);
                }
                None => whole = false,
            }
            rest = &rest[end + 1..];
        }
        out.push_str(rest);
        told.shown.push_str(rest);
        self.texts.push(told);
        whole.then_some(out)
    }

    /// Says where a value was taken from, and shows it if that may be.
    fn tell(&self, name: &str, value: &str, told: &mut FilledText) {
        let Some((_, var)) = self.vars.iter().find(|(known, _)| known == name) else { return };
        told.shown.push_str(if var.is_secret() { STARS } else { value });
        told.values.push((name.to_owned(), var.taken_from(self.outside), var.span.clone()));
    }

    fn value(&mut self, name: &str, span: &Span) -> Option<String> {
        let Some((_, var)) = self.vars.iter().find(|(known, _)| known == name) else {
            let names: Vec<&str> = self.vars.iter().map(|(name, _)| name.as_str()).collect();
            let help = match (near(name, &names), names.as_slice()) {
                (Some(near), _) => format!("did you mean `${{{near}}}`?"),
                (None, []) => format!("there is no [vars]; {WRITTEN_SO}"),
                (None, names) => format!("[vars] has: {}; {WRITTEN_SO}", names.join(", ")),
            };
            let message = format!("[vars] has no value `{}`", brief(name));
            self.problem("WEIR-JOB-021", message, span, &help);
            return None;
        };
        self.used.insert(name.to_owned());
        if !self.values.contains_key(name) {
            let value = var.value(self.outside);
            if let Err((message, help)) = &value {
                self.problem("WEIR-JOB-020", message.clone(), &var.span, help);
            }
            self.values.insert(name.to_owned(), value.ok());
        }
        self.values.get(name).cloned().flatten()
    }
}

fn words(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

/// Whether a setting is what something is known by. Those are checked where they are read.
fn is_name(path: &[String]) -> bool {
    matches!(words(path).as_slice(), ["name"] | ["source" | "op" | "function" | "sink", "id"])
}

/// Whether a setting names an entry.
fn is_reference(path: &[String]) -> bool {
    matches!(words(path).as_slice(), ["op" | "sink", "from"] | ["test", "to"])
}
