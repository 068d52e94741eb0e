//! B2: what the guards of the engine cost. The same loops over the same bytes, in the version of
//! wasmtime that the host has, with one guard after the other.

use std::hint::black_box;

use arrow_array::RecordBatch;
use wasmtime::{
    Config, Engine, Instance, InstanceAllocationStrategy, Linker, Module, PoolingAllocationConfig,
    Store, StoreLimits, StoreLimitsBuilder, TypedFunc,
};

use crate::extism::packed;
use crate::{built, columns, nanos};

const ROWS: usize = 8_192;
const LOOPS: [(u32, &str); 4] = [(0, "add_one"), (1, "gcd"), (2, "compute"), (3, "upper")];

/// A guard, or several.
#[derive(Clone, Copy, Default)]
struct Guards {
    epoch: bool,
    fuel: bool,
    limiter: bool,
    pooling: bool,
    canonical_nan: bool,
}

const CASES: [(&str, Guards); 7] = [
    ("none", NONE),
    ("epoch", Guards { epoch: true, ..NONE }),
    ("fuel", Guards { fuel: true, ..NONE }),
    ("limiter", Guards { limiter: true, ..NONE }),
    ("canonical NaN", Guards { canonical_nan: true, ..NONE }),
    ("pooling", Guards { pooling: true, ..NONE }),
    ("as in Weir", Guards { epoch: true, limiter: true, canonical_nan: true, ..NONE }),
];

const NONE: Guards =
    Guards { epoch: false, fuel: false, limiter: false, pooling: false, canonical_nan: false };

/// A module, ready to make instances.
struct Made {
    guards: Guards,
    module: Module,
    linker: Linker<StoreLimits>,
}

impl Made {
    fn new(guards: Guards, bytes: &[u8]) -> Self {
        let mut config = Config::new();
        config.epoch_interruption(guards.epoch).consume_fuel(guards.fuel);
        config.cranelift_nan_canonicalization(guards.canonical_nan);
        if guards.pooling {
            let mut pool = PoolingAllocationConfig::default();
            pool.total_core_instances(16).total_memories(16).total_tables(16);
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        }
        let engine = Engine::new(&config).expect("these settings go together");
        let module = Module::new(&engine, bytes).expect("it compiles");
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&module).expect("they can be left open");
        Self { guards, module, linker }
    }

    fn instance(&self) -> (Store<StoreLimits>, Instance) {
        let limits = StoreLimitsBuilder::new().memory_size(256 << 20).build();
        let mut store = Store::new(self.module.engine(), limits);
        if self.guards.limiter {
            store.limiter(|limits| limits);
        }
        if self.guards.fuel {
            store.set_fuel(u64::MAX).expect("fuel is counted");
        }
        if self.guards.epoch {
            store.set_epoch_deadline(1 << 40);
        }
        let instance = self.linker.instantiate(&mut store, &self.module).expect("it fits");
        (store, instance)
    }
}

pub fn run() {
    let bytes = std::fs::read(built("extism", "crossing_extism.wasm")).expect("it was built");
    println!("\nguards: ns a row at {ROWS} rows, and an instance made and dropped, in us");
    print!("{:<16}", "");
    LOOPS.iter().for_each(|(_, name)| print!("{name:>18}"));
    println!("{:>18}", "instance");
    let mut first: Vec<f64> = Vec::new();
    for (name, guards) in CASES {
        let made = Made::new(guards, &bytes);
        let mut times: Vec<f64> =
            LOOPS.iter().map(|(which, name)| looped(&made, *which, name)).collect();
        times.push(nanos(|| drop(black_box(made.instance()))) / 1e3);
        if first.is_empty() {
            first.clone_from(&times);
        }
        print!("{name:<16}");
        for (time, first) in times.iter().zip(&first) {
            print!("{:>18}", format!("{time:.2} {:+.0} %", (time / first - 1.0) * 100.0));
        }
        println!();
    }
}

/// Nanoseconds a row of one loop.
fn looped(made: &Made, which: u32, name: &str) -> f64 {
    let (mut store, instance) = made.instance();
    let rows = RecordBatch::try_from_iter(columns(name, ROWS)).expect("they fit");
    let bytes = packed(&rows);
    let input: TypedFunc<(), u32> =
        instance.get_typed_func(&mut store, "input").expect("it is exported");
    let at = input.call(&mut store, ()).expect("it succeeds");
    let memory = instance.get_memory(&mut store, "memory").expect("it is exported");
    memory.write(&mut store, at as usize, &bytes).expect("it fits");
    let run: TypedFunc<(u32, u32), u32> =
        instance.get_typed_func(&mut store, "run").expect("it is exported");
    let length = bytes.len() as u32;
    nanos(|| {
        black_box(run.call(&mut store, (which, length)).expect("it succeeds"));
    }) / ROWS as f64
}
