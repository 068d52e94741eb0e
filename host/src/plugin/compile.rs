//! Compiles a component in a process of its own.
//!
//! Compiling is the one thing that is done with a component's bytes before any limit of the
//! sandbox counts, and it may take any time and memory. So it is done by this program's own file
//! once more, with an empty environment and limits of the system: address space, processor time,
//! no files. The component goes in by standard input, the machine code comes out by a pipe.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::engine;
use super::error::PluginError;
use crate::job::Limits;

/// The argument that makes this program a compiler. It is not for people.
pub const ARGUMENT: &str = "__compile";

/// The stack of each thread that compiles, in bytes.
const STACK_BYTES: &str = "16777216";

/// What the process itself takes of its address space before it has compiled anything.
const OWN_BYTES: u64 = 1 << 30;

/// Where components are compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// In this process, without limits: for components that are trusted, and in tests.
    Here,
    /// In a process of its own, by this file of the host.
    Child(PathBuf),
}

/// Why a component could not be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileFailure {
    /// It is no component that the engine takes.
    #[error("{0}")]
    Invalid(String),
    /// It took too long.
    #[error("compiling it took more than {0:?} of processor time")]
    Time(Duration),
    /// It took too much memory.
    #[error("compiling it took more than {0} bytes of memory")]
    Memory(u64),
    /// The process that compiles ended otherwise.
    #[error("the process that compiles it ended: {0}")]
    Ended(String),
}

impl Compiler {
    /// Compiles a component to machine code for this engine.
    pub fn compile(
        &self,
        engine: &wasmtime::Engine,
        component: &[u8],
        limits: &Limits,
    ) -> Result<Vec<u8>, CompileFailure> {
        match self {
            Self::Here => engine
                .precompile_component(component)
                .map_err(|error| CompileFailure::Invalid(format!("{error:#}"))),
            Self::Child(program) => {
                let output = run(program, component, limits)?;
                let own = engine::compatibility(engine).to_le_bytes();
                match output.split_first_chunk() {
                    Some((theirs, code)) if *theirs == own => Ok(code.to_vec()),
                    _ => Err(CompileFailure::Ended("it is another version of the host".to_owned())),
                }
            }
        }
    }
}

/// Runs the process that compiles; gives what it writes.
fn run(program: &PathBuf, component: &[u8], limits: &Limits) -> Result<Vec<u8>, CompileFailure> {
    let ended = |error: std::io::Error| CompileFailure::Ended(error.to_string());
    let mut child = Command::new(program)
        .arg(ARGUMENT)
        .arg(limits.compile_memory.to_string())
        .arg(limits.compile_time.as_secs().max(1).to_string())
        .env_clear()
        .env("RUST_MIN_STACK", STACK_BYTES)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(ended)?;
    if let Some(mut input) = child.stdin.take() {
        // If it has ended already, its status says why.
        let _ = input.write_all(component);
    }
    let output = child.wait_with_output().map_err(ended)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(failure(output.status, &said, limits))
}

/// The status with which the child says that the component is invalid.
const INVALID: u8 = 65;

fn failure(status: ExitStatus, said: &str, limits: &Limits) -> CompileFailure {
    const SIGKILL: i32 = 9;
    const SIGXCPU: i32 = 24;
    match (status.code(), status.signal()) {
        (Some(code), _) if code == i32::from(INVALID) => CompileFailure::Invalid(said.to_owned()),
        (_, Some(SIGXCPU)) => CompileFailure::Time(limits.compile_time),
        (_, Some(SIGKILL)) => CompileFailure::Memory(limits.compile_memory),
        _ if said.contains("memory allocation") || said.contains("Cannot allocate memory") => {
            CompileFailure::Memory(limits.compile_memory)
        }
        _ => CompileFailure::Ended(format!("{status}; {said}")),
    }
}

/// What the process does that compiles: `arguments` are its limits.
pub fn child(arguments: &[String]) -> u8 {
    let numbers: Vec<u64> = arguments.iter().filter_map(|text| text.parse().ok()).collect();
    let [memory, seconds] = numbers.as_slice() else { return 64 };
    match limit(*memory, *seconds).and_then(|()| compile()) {
        Ok(()) => 0,
        Err(error) => {
            // There is nobody left to tell if this fails.
            let _ = write!(std::io::stderr(), "{error}");
            INVALID
        }
    }
}

fn limit(memory: u64, seconds: u64) -> Result<(), String> {
    let set = |resource, most: u64| {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, limit).map_err(|error| format!("a limit can't be set: {error}"))
    };
    set(Resource::As, memory.saturating_add(OWN_BYTES))?;
    let time = Rlimit { current: Some(seconds), maximum: Some(seconds + 1) };
    setrlimit(Resource::Cpu, time).map_err(|error| format!("a limit can't be set: {error}"))?;
    set(Resource::Fsize, 0)?;
    set(Resource::Core, 0)
}

fn compile() -> Result<(), String> {
    let mut component = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut component);
    read.map_err(|error| error.to_string())?;
    // In a thread, because the stack of the first one is not ours to choose.
    let compiled = std::thread::spawn(move || -> Result<Vec<u8>, String> {
        let engine = engine::engine().map_err(|error: PluginError| error.to_string())?;
        let code = engine.precompile_component(&component);
        let code = code.map_err(|error| format!("{error:#}"))?;
        let mut output = engine::compatibility(&engine).to_le_bytes().to_vec();
        output.extend(code);
        Ok(output)
    });
    let output = compiled.join().map_err(|_| "the compiler panicked".to_owned())??;
    let mut out = std::io::stdout().lock();
    out.write_all(&output).and_then(|()| out.flush()).map_err(|error| error.to_string())
}
