//! The calls of a job: its plugins loaded, its functions found, their columns agreed, and every
//! mismatch told with its place in the job.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::keyed::{key_of, wrong_key};
use super::origin;
use crate::job::{CallSpec, Job, Problem, Span};
use crate::operator::Call;
use crate::plugin::{
    Cache, CallSite, Checked, Folder, Kind, Plugin, PluginError, Plugins, ReadProblem, Rights,
    SiteError, SiteSpec, Wall,
};
use crate::types;

/// The plugins of a job.
#[derive(Debug)]
pub struct Loaded {
    plugins: Vec<(String, Arc<Plugin>)>,
}

impl Loaded {
    /// Loads every plugin that the job names, each once; folders are built.
    pub fn load(
        job: &Job,
        wall: &Wall,
        cache: Option<&Cache>,
        notice: &dyn Fn(&str),
    ) -> Result<Self, Vec<Problem>> {
        let mut plugins = Plugins::default();
        let mut loaded: Vec<(String, Arc<Plugin>)> = Vec::new();
        let mut problems = Vec::new();
        let mut failed = Vec::new();
        for call in job.calls() {
            let known = loaded.iter().any(|(name, _)| *name == call.wasm);
            if known || failed.contains(&call.wasm) {
                continue;
            }
            let path = job.folder.join(&call.wasm);
            let same = job.calls().filter(|other| other.wasm == call.wasm);
            let limits = same.fold(call.limits.clone(), |all, other| all.or_larger(&other.limits));
            match plugins.get(wall, &path, &call.wasm, (cache, &limits), notice) {
                Ok(plugin) => loaded.push((call.wasm.clone(), plugin)),
                Err(error) => {
                    problems.push(not_loaded(call, &path, &error));
                    failed.push(call.wasm.clone());
                }
            }
        }
        if problems.is_empty() { Ok(Self { plugins: loaded }) } else { Err(problems) }
    }

    /// All plugins, under the names that the job uses.
    pub fn all(&self) -> &[(String, Arc<Plugin>)] {
        &self.plugins
    }

    fn find(&self, call: &CallSpec) -> Option<&Arc<Plugin>> {
        self.plugins.iter().find(|(name, _)| *name == call.wasm).map(|(_, plugin)| plugin)
    }

    /// The plugin and the function that an entry calls.
    pub fn function(&self, call: &CallSpec) -> Result<(Arc<Plugin>, usize), Problem> {
        let plugin = self.find(call).ok_or_else(|| {
            Problem::new("WEIR-PLAN-001", format!("plugin `{}` is not loaded", call.wasm))
                .at(call.wasm_span.clone(), "")
        })?;
        let names: Vec<&str> =
            plugin.functions().iter().map(|function| function.name.as_str()).collect();
        let wrong = |message: String, help: String| {
            Problem::new("WEIR-PLAN-002", message).at(call.call_span.clone(), "").help(help)
        };
        let list = format!("`{}` has: {}", call.wasm, names.join(", "));
        match &call.call {
            Some(name) => match names.iter().position(|known| known == name) {
                Some(place) => Ok((Arc::clone(plugin), place)),
                None => {
                    let near = nearest(name, &names);
                    let help =
                        near.map_or(list.clone(), |near| format!("did you mean `{near}`? {list}"));
                    Err(wrong(format!("there is no function `{name}`"), help))
                }
            },
            None if names.len() == 1 => Ok((Arc::clone(plugin), 0)),
            None => Err(wrong("`call` is missing: the plugin has several functions".into(), list)),
        }
    }
}

fn not_loaded(call: &CallSpec, path: &Path, error: &PluginError) -> Problem {
    let message = match error {
        PluginError::Build { output, .. } if !output.is_empty() => {
            format!("{error}\n{}", output.trim_end())
        }
        PluginError::Call { place, failure } => {
            format!("`{}` of plugin `{}` failed: {failure}", place.function, place.plugin)
        }
        _ => error.to_string(),
    };
    let label = if path.exists() { "" } else { "not found" };
    let problem = Problem::new(error.code(), message).at(call.wasm_span.clone(), label);
    match error.help() {
        Some(help) => problem.help(help),
        None => problem,
    }
}

/// The name that is most like another one, if one is.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let scored = known.iter().map(|other| (strsim::jaro_winkler(name, other), *other));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(score, _)| *score > 0.75).map(|(_, name)| name)
}

/// An entry that calls a function.
pub struct Caller<'a> {
    /// Its id.
    pub id: &'a str,
    /// The folder that relative paths start at.
    pub folder: &'a Path,
    /// What it says.
    pub spec: &'a CallSpec,
}

/// Finds the function of an entry and agrees on columns; `input` is what the rows have.
/// The rows that come out have the hidden column if `carries` says so.
pub fn call(
    loaded: &Loaded,
    caller: &Caller<'_>,
    input: &SchemaRef,
    carries: bool,
) -> Result<Call, Vec<Problem>> {
    let carry = origin::place(input).filter(|_| carries);
    let input = &origin::public(input);
    let (plugin, function) = loaded.function(caller.spec).map_err(|problem| vec![problem])?;
    let kind = plugin.functions()[function].kind;
    let (available, mut problems) = renamed(caller.spec, input);
    let keep = kept(caller.spec, kind, input, &mut problems);
    problems.extend(wrong_key(caller.spec, kind, input));
    if !problems.is_empty() {
        return Err(problems);
    }
    let site = SiteSpec {
        op: caller.id.to_owned(),
        plugin: Arc::clone(&plugin),
        function,
        config: serde_json::Value::Object(caller.spec.config.clone()).to_string(),
        available: Arc::clone(&available),
        key: key_of(caller.spec, kind, (input, &available)),
        parents: !keep.is_empty() || carry.is_some() || kind == Kind::Updater,
        limits: caller.spec.limits.clone(),
        on_error: caller.spec.on_error,
        rights: Arc::new(rights(caller)?),
    };
    let name = plugin.functions()[function].name.clone();
    let Checked { site, reads } = CallSite::check(site).map_err(|error| match error {
        SiteError::Reads(problems) => {
            problems.iter().map(|problem| unread(caller, &name, problem, &available)).collect()
        }
        SiteError::Plugin(error) => vec![refused(caller, &error)],
    })?;
    let call = Call { site, reads, keep, carry };
    let clash = clash(&call, caller.spec, kind, input);
    clash.map_or(Ok(call), |problem| Err(vec![problem]))
}

/// What an op lets its function see of the machine.
fn rights(caller: &Caller<'_>) -> Result<Rights, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut rights = Rights::default();
    for variable in &caller.spec.allow.env {
        let value = variable.value.clone().unwrap_or_default();
        rights.env.push((variable.name.clone(), value));
    }
    for folder in &caller.spec.allow.folders {
        let path = caller.folder.join(&folder.path);
        if !path.is_dir() {
            let message = format!("there is no folder `{}` to allow", folder.path);
            let help = "make it before; relative paths start at the folder of job.toml";
            let problem = Problem::new("WEIR-PLAN-017", message).help(help);
            problems.push(problem.at(folder.span.clone(), ""));
        }
        rights.folders.push(Folder { path, name: folder.path.clone(), write: folder.write });
    }
    if problems.is_empty() { Ok(rights) } else { Err(problems) }
}

/// The columns under the names that the function is to find them by.
fn renamed(spec: &CallSpec, input: &SchemaRef) -> (SchemaRef, Vec<Problem>) {
    let mut fields: Vec<Arc<Field>> = input.fields().to_vec();
    let mut problems = Vec::new();
    for (wanted, from) in &spec.columns {
        match input.index_of(from) {
            Ok(place) => {
                // A column that has the wanted name by chance gives way.
                for field in &mut fields {
                    if field.name() == wanted {
                        *field = Arc::new(field.as_ref().clone().with_name(format!("{wanted}'")));
                    }
                }
                fields[place] = Arc::new(input.field(place).clone().with_name(wanted));
            }
            Err(_) => problems.push(no_column(from, input, &spec.columns_span, "columns")),
        }
    }
    (Arc::new(Schema::new(fields)), problems)
}

/// A column that is not there.
pub fn no_column(name: &str, input: &SchemaRef, span: &Span, setting: &str) -> Problem {
    let names: Vec<&str> = input.fields().iter().map(|field| field.name().as_str()).collect();
    let list = format!("the rows have: {}", names.join(", "));
    let help =
        nearest(name, &names).map_or(list.clone(), |near| format!("did you mean `{near}`? {list}"));
    Problem::new("WEIR-PLAN-003", format!("`{setting}` names a column `{name}` that is not there"))
        .at(span.clone(), "")
        .help(help)
}

fn kept(spec: &CallSpec, kind: Kind, input: &SchemaRef, problems: &mut Vec<Problem>) -> Vec<usize> {
    if !spec.keep.is_empty() && matches!(kind, Kind::Predicate | Kind::Aggregator | Kind::Updater) {
        let message = format!("{} has no `keep`", kind.one());
        let help = match kind {
            Kind::Predicate => "a predicate keeps all columns as they are: remove `keep`",
            _ => "it gives its `key` and what the function gives: name the columns in `key`",
        };
        problems
            .push(Problem::new("WEIR-PLAN-004", message).at(spec.keep_span.clone(), "").help(help));
        return Vec::new();
    }
    let mut places = Vec::new();
    for name in &spec.keep {
        match input.index_of(name) {
            Ok(place) => places.push(place),
            Err(_) => problems.push(no_column(name, input, &spec.keep_span, "keep")),
        }
    }
    places
}

fn unread(
    caller: &Caller<'_>,
    function: &str,
    problem: &ReadProblem,
    input: &SchemaRef,
) -> Problem {
    let names: Vec<&str> = input.fields().iter().map(|field| field.name().as_str()).collect();
    match problem {
        ReadProblem::Missing(wanted) => {
            let shown = shown(wanted);
            let mapped = nearest(wanted.name(), &names).unwrap_or("COLUMN");
            Problem::new("WEIR-PLAN-006", format!("`{function}` reads {shown}, which is not there"))
                .at(caller.spec.call_span.clone(), "called here")
                .help(format!(
                    "the rows have: {}; if it has another name there, set \
                     `columns = {{ {} = \"{mapped}\" }}`",
                    names.join(", "),
                    wanted.name(),
                ))
        }
        ReadProblem::Type { wanted, found } => Problem::new(
            "WEIR-PLAN-007",
            format!("`{function}` reads {}, but the rows have {}", shown(wanted), shown(found)),
        )
        .at(caller.spec.call_span.clone(), "called here")
        .help(
            "declare the type in the source's `schema`, or cast the column with an `sql` op in \
             between; a column that may be null needs `Option` in the function",
        ),
    }
}

fn shown(field: &Field) -> String {
    let nulls = if field.is_nullable() { "?" } else { "" };
    format!("`{}: {}{nulls}`", field.name(), types::describe(field.data_type()))
}

fn refused(caller: &Caller<'_>, error: &PluginError) -> Problem {
    let span = match error {
        PluginError::Refused { setting: Some(setting), .. } => {
            let top = setting.split(['.', '[']).next().unwrap_or(setting);
            let found = caller.spec.config_spans.iter().find(|(name, _)| name == top);
            found.map_or(caller.spec.config_span.clone(), |(_, span)| span.clone())
        }
        PluginError::Refused { .. } => caller.spec.config_span.clone(),
        PluginError::Key { .. } => caller.spec.key_span.clone(),
        _ => caller.spec.call_span.clone(),
    };
    let label = match error {
        PluginError::Refused { setting: Some(setting), .. } => format!("config.{setting}"),
        _ => String::new(),
    };
    let message = match error {
        PluginError::Call { place, failure } => {
            format!("`{}` of plugin `{}` can't be opened: {failure}", place.function, place.plugin)
        }
        _ => error.to_string(),
    };
    let problem = Problem::new(error.code(), message).at(span, label);
    match error.help() {
        Some(help) => problem.help(help),
        None => problem,
    }
}

/// A kept or key column that has the name of a produced one.
fn clash(call: &Call, spec: &CallSpec, kind: Kind, input: &SchemaRef) -> Option<Problem> {
    let carried: Vec<&str> = match kind {
        Kind::Aggregator | Kind::Updater => spec.key.iter().map(String::as_str).collect(),
        _ => call.keep.iter().map(|place| input.field(*place).name().as_str()).collect(),
    };
    let mut produced = call.site.ports().iter().flat_map(|port| port.fields().iter());
    let field = produced.find(|field| carried.contains(&field.name().as_str()))?;
    let (setting, span) = match kind {
        Kind::Aggregator | Kind::Updater => ("key", &spec.key_span),
        _ => ("keep", &spec.keep_span),
    };
    Some(
        Problem::new(
            "WEIR-PLAN-008",
            format!("`{setting}` and the function both give a column `{}`", field.name()),
        )
        .at(span.clone(), "")
        .help("leave the column out here, or rename it with an `sql` op before"),
    )
}
