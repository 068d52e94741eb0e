//! The one engine: how components are compiled, and with which settings they run.
//!
//! The same settings compile, load, test and run a component; precompiled code of other settings
//! is refused by the engine itself.

use std::hash::{Hash, Hasher};

use wasmtime::component::Linker;
use wasmtime::{Config, Engine, WasmBacktraceDetails};

use super::compile::Compiler;
use super::error::PluginError;
use super::grant::{self, GuestState};
use super::limit::{STACK_BYTES, Ticker};

/// The engine, its linker and the thread that moves its clock.
pub struct Wall {
    engine: Engine,
    linker: Linker<GuestState>,
    compiler: Compiler,
    _ticker: Ticker,
}

impl std::fmt::Debug for Wall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wall")
    }
}

impl Wall {
    /// Builds the engine. Once per process.
    pub fn new(compiler: Compiler) -> Result<Self, PluginError> {
        let fail = |error: wasmtime::Error| PluginError::Engine(format!("{error:#}"));
        let engine = engine()?;
        let mut linker = Linker::new(&engine);
        grant::link(&mut linker).map_err(fail)?;
        let ticker = Ticker::start(&engine)
            .map_err(|error| PluginError::Engine(format!("the epoch thread: {error}")))?;
        Ok(Self { engine, linker, compiler, _ticker: ticker })
    }

    /// The engine.
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Everything that a component may import.
    pub(super) fn linker(&self) -> &Linker<GuestState> {
        &self.linker
    }

    /// See [`compatibility`]: version, settings and processor count.
    pub(super) fn compatibility(&self) -> u64 {
        compatibility(&self.engine)
    }

    /// How components are compiled.
    pub(super) fn compiler(&self) -> &Compiler {
        &self.compiler
    }
}

/// The engine, with the settings that compile, load and run components.
pub(super) fn engine() -> Result<Engine, PluginError> {
    Engine::new(&config()).map_err(|error| PluginError::Engine(format!("{error:#}")))
}

/// A number that differs whenever precompiled code could not be used.
pub(super) fn compatibility(engine: &Engine) -> u64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::with_seed(0);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

/// Off is what no language toolchain needs: most of what was ever wrong in the engine was there.
fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_simd(true)
        .wasm_extended_const(true)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .cranelift_nan_canonicalization(true)
        .parallel_compilation(true);
    config
}
