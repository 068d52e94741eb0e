//! A component becomes a plugin: compiled or taken from the cache, linked, described, checked.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{Component, InstancePre, types::ComponentItem};
use wasmtime::{Engine, Store};

use super::abi::{self, v0_1::exports::weir::operator::guest::GuestIndices};
use super::cache::Cache;
use super::compile::CompileFailure;
use super::count;
use super::describe::{self, Function};
use super::engine::Wall;
use super::enter;
use super::error::{CallPlace, MESSAGE_BYTES_MAX, PluginError, cut};
use super::fetch::Fetched;
use super::grant::GuestState;
use super::lane::{BatchNow, Lane};
use super::limit::TOLD_BYTES_MAX;
use super::sandbox::{failure, sandbox};
use crate::clock::Stopwatch;
use crate::id::Digest;
use crate::job::Limits;

/// `describe` and `open` may take so long.
const DESCRIBE_TIME: Duration = Duration::from_secs(5);

/// A component that fits, ready to be opened.
pub struct Plugin {
    name: String,
    digest: Digest,
    bytes: usize,
    engine: Engine,
    pre: InstancePre<GuestState>,
    functions: Vec<Function>,
    imports: Vec<String>,
    abi: &'static str,
    compiled: Compiled,
}

/// How the machine code came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compiled {
    /// It was taken from the cache.
    Cached,
    /// It was compiled, in this time.
    Fresh(Duration),
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("name", &self.name).field("digest", &self.digest).finish()
    }
}

impl Plugin {
    /// Loads a component. Without a cache it is compiled every time.
    pub fn load(
        wall: &Wall,
        fetched: &Fetched,
        cache: Option<&Cache>,
        limits: &Limits,
    ) -> Result<Self, PluginError> {
        check_header(fetched, limits)?;
        let (component, compiled) = component(wall, fetched, cache, limits)?;
        let imports = imports(wall, &component);
        let abi = abi_of(wall, &component, fetched, &imports)?;
        let pre = wall
            .linker()
            .instantiate_pre(&component)
            .map_err(|error| world(fetched, format!("{:#}", error)))?;
        let mut plugin = Self {
            name: fetched.name.clone(),
            digest: fetched.digest,
            bytes: fetched.bytes.len(),
            engine: wall.engine().clone(),
            pre,
            functions: Vec::new(),
            imports,
            abi,
            compiled,
        };
        plugin.functions = plugin.describe(limits)?;
        Ok(plugin)
    }

    /// Asks which functions it has, and sees that they are there.
    fn describe(&self, limits: &Limits) -> Result<Vec<Function>, PluginError> {
        let limits = Limits { time: DESCRIBE_TIME, result: TOLD_BYTES_MAX, ..limits.clone() };
        let lane = Lane { now: BatchNow::none(), op: String::new(), partition: 0, mark: 0 };
        let mut store = sandbox(self, lane, &limits, &Arc::default())?;
        let failed = |store: &Store<GuestState>, error| {
            let failure = failure(store, &error).of_opening();
            PluginError::Call { place: self.place_of("describe", &store.data().lane), failure }
        };
        let unfit = |error: wasmtime::Error| PluginError::World {
            plugin: self.name.clone(),
            reason: cut(format!("{error:#}"), MESSAGE_BYTES_MAX),
        };
        let instance = self.pre.instantiate(&mut store).map_err(|error| failed(&store, error))?;
        let guest = GuestIndices::new(&self.pre).map_err(unfit)?;
        let guest = guest.load(&mut store, &instance).map_err(unfit)?;
        let described = guest.call_describe(&mut store).map_err(|error| failed(&store, error))?;
        let functions = describe::functions(described).map_err(|reason| {
            let reason = cut(reason, MESSAGE_BYTES_MAX);
            PluginError::Describe { plugin: self.name.clone(), reason }
        })?;
        for function in &functions {
            enter::calls(function.kind, &mut store, self, &instance).map_err(|error| {
                let (name, kind) = (&function.name, function.kind.name());
                unfit(error.context(format!("`{name}` is said to be a {kind}")))
            })?;
        }
        Ok(functions)
    }

    /// Where a call of a function of it stands.
    pub(super) fn place(&self, function: usize, lane: &Lane) -> Box<CallPlace> {
        self.place_of(&self.functions[function].name, lane)
    }

    fn place_of(&self, function: &str, lane: &Lane) -> Box<CallPlace> {
        Box::new(CallPlace {
            op: lane.op.clone(),
            function: function.to_owned(),
            plugin: self.name.clone(),
            digest: self.digest.to_string(),
            batch: lane.now.batch,
            partition: lane.partition,
            row: None,
        })
    }

    /// The name that the job uses.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which code it is.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The size of the component in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Its functions, in the order of `describe`.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The interfaces that it imports. What they can do is another matter: WASI comes without
    /// rights.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// The version of the package it was built for.
    pub fn abi(&self) -> &'static str {
        self.abi
    }

    /// How its machine code came about.
    pub fn compiled(&self) -> Compiled {
        self.compiled
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn pre(&self) -> &InstancePre<GuestState> {
        &self.pre
    }
}

/// Tells a component from a core module and from anything else by the first eight bytes.
fn check_header(fetched: &Fetched, limits: &Limits) -> Result<(), PluginError> {
    let not = |reason: &str, help: &'static str| {
        Err(PluginError::NotAComponent {
            plugin: fetched.name.clone(),
            reason: reason.to_owned(),
            help,
        })
    };
    let Some(functions) = count::functions(&fetched.bytes) else {
        return not(
            &format!("components stand in it more than {} deep", count::DEPTH_MAX),
            "no toolchain makes such a file: it is damaged, or meant to do harm",
        );
    };
    if functions > limits.functions {
        return not(
            &format!("it has {functions} functions, its limit is {}", limits.functions),
            "build it with optimisation, or set `limits.functions`",
        );
    }
    match fetched.bytes.get(..8) {
        Some([0, b'a', b's', b'm', 0x0d, 0, 1, 0]) => Ok(()),
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => not(
            "it is a core module",
            "build it for the target wasm32-wasip2, or let `host build` do it",
        ),
        _ => not(
            "it does not begin as WebAssembly does",
            "give the .wasm file that the build made, or the plugin's folder",
        ),
    }
}

fn component(
    wall: &Wall,
    fetched: &Fetched,
    cache: Option<&Cache>,
    limits: &Limits,
) -> Result<(Component, Compiled), PluginError> {
    let key = wall.compatibility();
    if let Some(code) = cache.and_then(|cache| cache.get(&fetched.digest, key)) {
        // SAFETY: `deserialize` trusts its input. These bytes come from a folder and a file that
        // belong to this user and that nobody else may write to, carry the hash of their content
        // and name this engine and this component; `Cache::get` has checked all of that.
        if let Ok(component) = unsafe { Component::deserialize(wall.engine(), code) } {
            return Ok((component, Compiled::Cached));
        }
    }
    let took = Stopwatch::start();
    let code = wall.compiler().compile(wall.engine(), &fetched.bytes, limits);
    let code = code.map_err(|failure| not_compiled(fetched.name.clone(), failure))?;
    if let Some(cache) = cache {
        // A cache that can't be written costs time at the next start and nothing else.
        let _ = cache.put(&fetched.digest, key, &code);
    }
    // SAFETY: the bytes were made a moment ago by an engine of the same version and settings, in
    // this process or in one that this one started from its own file.
    let component = unsafe { Component::deserialize(wall.engine(), &code) };
    let component = component.map_err(|error| PluginError::Engine(format!("{error:#}")))?;
    Ok((component, Compiled::Fresh(took.elapsed())))
}

fn not_compiled(plugin: String, failure: CompileFailure) -> PluginError {
    match failure {
        CompileFailure::Invalid(reason) => PluginError::NotAComponent {
            plugin,
            reason: cut(reason, MESSAGE_BYTES_MAX),
            help: "the file is damaged, or needs WebAssembly features that this host keeps off",
        },
        failure => PluginError::Compile { plugin, failure },
    }
}

fn imports(wall: &Wall, component: &Component) -> Vec<String> {
    let ty = component.component_type();
    ty.imports(wall.engine()).map(|(name, _)| name.to_owned()).collect()
}

/// Finds the version by the `guest` interface; refuses imports that nobody here knows.
fn abi_of(
    wall: &Wall,
    component: &Component,
    fetched: &Fetched,
    imports: &[String],
) -> Result<&'static str, PluginError> {
    let ty = component.component_type();
    let exports: Vec<String> = ty
        .exports(wall.engine())
        .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentInstance(_)))
        .map(|(name, _)| name.to_owned())
        .collect();
    let known = abi::VERSIONS
        .iter()
        .rev()
        .find(|version| exports.iter().any(|export| export == version.guest));
    let Some(version) = known else {
        let reason = match exports.iter().find(|name| name.starts_with("weir:operator/guest@")) {
            Some(other) => format!("it is built for `{other}`, which this host does not know"),
            None => {
                "it does not export `weir:operator/guest`; in Rust, `weir::export!(…)` does that"
                    .to_owned()
            }
        };
        return Err(world(fetched, reason));
    };
    let strange = imports
        .iter()
        .find(|name| !name.starts_with("wasi:") && !name.starts_with("weir:operator/"));
    match strange {
        Some(name) => Err(world(fetched, format!("it imports `{name}`, which nobody here offers"))),
        None => Ok(version.text),
    }
}

fn world(fetched: &Fetched, reason: String) -> PluginError {
    let reason = cut(reason, MESSAGE_BYTES_MAX);
    PluginError::World { plugin: fetched.name.clone(), reason }
}

/// Loads each distinct plugin of a job once.
#[derive(Debug, Default)]
pub struct Plugins {
    loaded: Vec<(String, Arc<Plugin>)>,
}

impl Plugins {
    /// The plugin at a path, loaded on the first call.
    pub fn get(
        &mut self,
        wall: &Wall,
        path: &Path,
        name: &str,
        (cache, limits): (Option<&Cache>, &Limits),
        notice: &dyn Fn(&str),
    ) -> Result<Arc<Plugin>, PluginError> {
        let key = path.to_string_lossy().into_owned();
        if let Some((_, plugin)) = self.loaded.iter().find(|(known, _)| *known == key) {
            return Ok(Arc::clone(plugin));
        }
        let fetched = super::fetch::fetch(path, name, limits.component, notice)?;
        let plugin = Arc::new(Plugin::load(wall, &fetched, cache, limits)?);
        self.loaded.push((key, Arc::clone(&plugin)));
        Ok(plugin)
    }

    /// All that were loaded, in the order of the first use.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.loaded.iter().map(|(_, plugin)| plugin)
    }
}
