//! `smith FILE COUNT` writes random components of Weir's world into a file, each behind its length
//! (32 bits, little endian): the same ones every time.
//!
//! Of five, three are honest components whose function calls random code that may write all over
//! its memory, one has random code everywhere, and one is an honest component with random bytes.

use std::io::Write;
use std::path::PathBuf;

use arbitrary::Unstructured;
use wasm_smith::{Config, Module};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

const HONEST: &str = include_str!("../../hostile-set/src/honest.wat");

/// What random code is called with and gives.
const JUNK: &str = r#"(import "junk" "f" (func $junk (param i32 i64) (result i64)))"#;

/// Calls random code with the number of rows and the first value, and gives what it gave.
const CALL: &str = "(i64.store (call $values (local.get $columns))
  (call $junk (local.get $count) (i64.load (call $values (local.get $columns)))))";

/// Random bytes of a generator that is seeded.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| (self.next() >> 40) as u8).collect()
    }
}

fn config() -> Config {
    Config {
        max_instructions: 200,
        min_funcs: 1,
        max_funcs: 8,
        max_memories: 1,
        max_memory32_bytes: 1 << 20,
        memory64_enabled: false,
        multi_value_enabled: true,
        bulk_memory_enabled: true,
        reference_types_enabled: true,
        simd_enabled: true,
        relaxed_simd_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        custom_page_sizes_enabled: false,
        extended_const_enabled: false,
        shared_everything_threads_enabled: false,
        allow_start_export: false,
        max_data_segments: 0,
        max_element_segments: 0,
        export_everything: false,
        ..Config::default()
    }
}

fn parse(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn world() -> (Resolve, PackageId) {
    // As `cargo run` says: target folders are shared between checkouts.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("it is run by cargo");
    let wit = PathBuf::from(here).join("../../../wit");
    let mut resolve = Resolve::default();
    resolve.push_dir(&wit).expect("the WIT package can be read");
    let world = "package test:smith;\nworld mapper {\n\
         export weir:operator/guest@0.1.0;\nexport weir:operator/mapper@0.1.0;\n}\n";
    let package = resolve.push_str("smith.wit", world).expect("the world is valid");
    (resolve, package)
}

/// Components of one world.
struct Smith {
    resolve: Resolve,
    package: PackageId,
    random: Random,
}

impl Smith {
    fn component(&self, module: &[u8], junk: Option<&[u8]>) -> Option<Vec<u8>> {
        let world = self.resolve.select_world(&[self.package], Some("mapper")).ok()?;
        let mut module = module.to_vec();
        embed_component_metadata(&mut module, &self.resolve, world, StringEncoding::UTF8).ok()?;
        let mut encoder = ComponentEncoder::default();
        let mut encoder = encoder.validate(false).module(&module).ok()?;
        if let Some(junk) = junk {
            encoder = encoder.adapter("junk", junk).ok()?;
        }
        encoder.encode().ok()
    }

    fn module(&mut self, config: Config, ends: bool) -> Option<Vec<u8>> {
        let seed = self.random.bytes(4_096);
        let mut module = Module::new(config, &mut Unstructured::new(&seed)).ok()?;
        if ends {
            module.ensure_termination(10_000).ok()?;
        }
        Some(module.to_bytes())
    }

    /// An honest component that calls random code.
    fn graft(&mut self, honest: &[u8]) -> Option<Vec<u8>> {
        let exports =
            parse("(module (func (export \"f\") (param i32 i64) (result i64) (i64.const 0)))");
        let imports = parse("(module (import \"env\" \"memory\" (memory 0)))");
        let config = Config {
            exports: Some(exports),
            available_imports: Some(imports),
            max_tables: 0,
            reference_types_enabled: false,
            ..config()
        };
        // Some may run for ever.
        let ends = !self.random.next().is_multiple_of(8);
        let junk = self.module(config, ends)?;
        self.component(honest, Some(&junk))
    }

    /// Random code everywhere, with the exports of an honest component.
    fn whole(&mut self, honest: &[u8]) -> Option<Vec<u8>> {
        let config = Config {
            exports: Some(honest.to_vec()),
            max_imports: 0,
            max_memories: 0,
            reference_types_enabled: false,
            ..config()
        };
        let module = self.module(config, true)?;
        self.component(&module, None)
    }

    /// An honest component with up to 16 random bytes.
    fn flipped(&mut self, honest: &[u8]) -> Vec<u8> {
        let mut bytes = honest.to_vec();
        for _ in 0..=self.random.next() % 16 {
            let at = self.random.next() as usize % bytes.len();
            bytes[at] = self.random.next() as u8;
        }
        bytes
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().expect("a file is given");
    let count: usize = arguments.next().and_then(|count| count.parse().ok()).expect("a count");
    let honest = parse(HONEST);
    let calling = HONEST.replace(";;@import", JUNK).replace(";;@always", CALL);
    let calling = parse(&calling);
    let (resolve, package) = world();
    let mut smith = Smith { resolve, package, random: Random(0x5eed) };
    let component = smith.component(&honest, None).expect("the honest component is one");
    let mut out = std::io::BufWriter::new(std::fs::File::create(file).expect("it can be made"));
    let (mut written, mut failed) = (0, 0);
    while written < count {
        let made = match written % 5 {
            0..=2 => smith.graft(&calling),
            3 => smith.whole(&honest),
            _ => Some(smith.flipped(&component)),
        };
        let Some(made) = made else {
            failed += 1;
            assert!(failed < 20 * count, "hardly any module becomes a component");
            continue;
        };
        let length = u32::try_from(made.len()).expect("components are small");
        out.write_all(&length.to_le_bytes()).and_then(|()| out.write_all(&made)).expect("room");
        written += 1;
    }
    out.flush().expect("room");
    eprintln!("{written} components, {failed} modules that are none");
}
