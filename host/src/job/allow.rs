//! `allow`: what a function may see of the machine. Without it: nothing.

use super::fields::{Fields, Problems};
use super::problem::{Problem, Span};
use super::schema::ALLOW;
use super::value::Value;

/// The rights of an op or a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// `env`: variables. Those without a value have the one of the host's own environment.
    pub env: Vec<EnvSpec>,
    /// `read` and `write`: folders.
    pub folders: Vec<FolderSpec>,
}

/// A variable that a function sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvSpec {
    /// Its name.
    pub name: String,
    /// Its value; none until it was looked up in the host's environment.
    pub value: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// A folder that a function sees, under the path that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderSpec {
    /// The path; relative to the folder of job.toml (not yet joined).
    pub path: String,
    /// Whether the function may write there.
    pub write: bool,
    /// Where it stands.
    pub span: Span,
}

/// Reads `allow = { env = ["TZ"], read = ["tables"], write = ["scratch"] }`.
pub fn allow(fields: &Fields<'_>, problems: &Problems) -> Allow {
    let Some((table, span)) = fields.table("allow") else { return Allow::default() };
    let fields = Fields::new((table, span), std::slice::from_ref(&ALLOW), problems);
    let mut allow = Allow { env: env(&fields), folders: Vec::new() };
    for (name, write) in [("read", false), ("write", true)] {
        let (paths, _) = fields.texts(name).unwrap_or_default();
        for (path, span) in paths {
            let known = allow.folders.iter().any(|folder: &FolderSpec| folder.path == path);
            if path.trim().is_empty() || path.contains('\0') || known {
                let help = "each is the path of a folder, once: what may be written may be read";
                fields.senseless(&span, format!("`{name}` has no such folder"), help);
            } else {
                allow.folders.push(FolderSpec { path, write, span });
            }
        }
    }
    for later in ["http", "tcp", "udp"] {
        // A word that is not available is none of "settings here".
        if table.get(later).is_some()
            && let Some(node) = fields.take(later)
        {
            let message = format!("`allow.{later}` is not available in this version");
            let problem = Problem::new("WEIR-JOB-007", message).at(node.span.clone(), "");
            fields.problem(problem.help("remove it; functions have no network"));
        }
    }
    fields.finish();
    allow
}

/// Names, or names with values.
fn env(fields: &Fields<'_>) -> Vec<EnvSpec> {
    let mut env = Vec::new();
    match fields.take("env").map(|node| &node.value) {
        None => {}
        Some(Value::Table(table)) => {
            for (name, span, node) in &table.entries {
                match &node.value {
                    Value::Text(value) => env.push((name.clone(), Some(value.clone()), span)),
                    _ => fields.wrong(&format!("allow.env.{name}"), node, "text in quotes"),
                }
            }
        }
        Some(_) => {
            let (names, _) = fields.texts("env").unwrap_or_default();
            return names
                .into_iter()
                .filter(|(name, span)| is_name(fields, name, span))
                .map(|(name, span)| EnvSpec { name, value: None, span })
                .collect();
        }
    }
    env.into_iter()
        .filter(|(name, _, span)| is_name(fields, name, span))
        .map(|(name, value, span)| EnvSpec { name, value, span: span.clone() })
        .collect()
}

fn is_name(fields: &Fields<'_>, name: &str, span: &Span) -> bool {
    let good = !name.is_empty() && !name.contains(['=', '\0']);
    if !good {
        let help = "a name has no `=`; with values it is `env = { NAME = \"value\" }`";
        fields.senseless(span, "this is no name of a variable".to_owned(), help);
    }
    good
}

impl Allow {
    /// Looks up the variables that have no value yet.
    pub fn resolve(&mut self, look_up: &dyn Fn(&str) -> Option<String>) -> Vec<Problem> {
        let mut problems = Vec::new();
        for variable in self.env.iter_mut().filter(|variable| variable.value.is_none()) {
            variable.value = look_up(&variable.name);
            if variable.value.is_none() {
                let message = format!("the variable `{}` is not set", variable.name);
                let help = "set it where the host is started, or write its value: \
                            `env = { NAME = \"value\" }`";
                let problem = Problem::new("WEIR-JOB-020", message).help(help);
                problems.push(problem.at(variable.span.clone(), "a function is to see it"));
            }
        }
        problems
    }
}
