//! Cases that no text makes: too large, too deep, or put together section by section.

use crate::files::{leb, sections};
use crate::{honest_but, pieces};

/// Names and bytes.
pub fn cases() -> Vec<(&'static str, Vec<u8>)> {
    let honest = &honest_but(&[]);
    vec![
        ("file_of_65_mebibytes", file_of_65_mebibytes(honest)),
        ("functions_deep_inside", functions_deep_inside(honest)),
        ("nested_components", nested_components(honest)),
        ("sections_without_content", sections_without_content(honest)),
        ("thousands_of_exports", thousands_of_exports(honest)),
        ("a_million_types", a_million_types()),
        ("compile_bomb_of_memory", compile_bomb_of_memory(honest)),
        ("bulk_without_a_loop", bulk_without_a_loop()),
        ("long_names_of_functions", long_names_of_functions()),
        ("instance_bomb", instances(honest, "(module)", 100)),
        // Each has less than an instance may have, and all together have more.
        ("memories_that_add_up", instances(honest, "(module (memory 200))", 3)),
        ("tables_that_add_up", instances(honest, "(module (table 40000 funcref))", 3)),
    ]
}

const MODULE: [u8; 8] = [0, b'a', b's', b'm', 1, 0, 0, 0];
const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

/// An honest component with more in it than a component may have.
fn file_of_65_mebibytes(honest: &[u8]) -> Vec<u8> {
    let mut content = name("more");
    content.resize(65 << 20, 0);
    [honest, &section(0, &content)].concat()
}

/// More functions than there may be, in a component in a component, a hundred deep.
fn functions_deep_inside(honest: &[u8]) -> Vec<u8> {
    let mut inner = [&COMPONENT[..], &section(1, &module_of_functions(100_001))].concat();
    for _ in 0..100 {
        inner = [&COMPONENT[..], &section(4, &inner)].concat();
    }
    [honest, &section(4, &inner)].concat()
}

/// Components in components, two thousand deep.
fn nested_components(honest: &[u8]) -> Vec<u8> {
    // Written from the inside out: each level is a header and a section around the one before.
    let mut back = COMPONENT.iter().rev().copied().collect::<Vec<u8>>();
    for _ in 0..2_000 {
        let length = leb(back.len());
        back.extend(length.iter().rev());
        back.push(4);
        back.extend(COMPONENT.iter().rev());
    }
    back.reverse();
    [honest, &section(4, &back)].concat()
}

/// Twelve million components in it that have no bytes.
fn sections_without_content(honest: &[u8]) -> Vec<u8> {
    [honest, &[4, 0].repeat(12_000_000)].concat()
}

/// A component that exports one module two hundred thousand times.
fn thousands_of_exports(honest: &[u8]) -> Vec<u8> {
    let mut content = leb(200_000);
    for n in 0..200_000 {
        // A name without a version, of sort "core module", number 0, with no type given.
        content.extend([[0].as_slice(), &name(&format!("m{n}")), &[0, 0x11, 0, 0]].concat());
    }
    [honest, &section(1, &MODULE), &section(11, &content)].concat()
}

/// Each is a list of the one before.
fn a_million_types() -> Vec<u8> {
    let mut content = [leb(1_000_000), vec![0x7f]].concat();
    for n in 0..999_999_u32 {
        // The number is a signed one: it has a byte more than it needs.
        let [a, b, c] = [n, n >> 7, n >> 14].map(|n| n as u8 | 0x80);
        content.extend([0x70, a, b, c, 0]);
    }
    [&COMPONENT[..], &section(7, &content)].concat()
}

/// A million loops of nothing, a hundred thousand in each function: at the start of each the clock
/// has to be looked at, and the compiler keeps a function in mind as a whole.
fn compile_bomb_of_memory(honest: &[u8]) -> Vec<u8> {
    let body = [vec![0], LOOP.repeat(100_000), vec![0x0b]].concat();
    [honest, &section(1, &module_of_code(&body, 10, &[]))].concat()
}

/// A loop without anything in it.
const LOOP: [u8; 3] = [0x03, 0x40, 0x0b];

/// Bulk instructions one behind the other: there is no loop at whose start the clock is looked at.
fn bulk_without_a_loop() -> Vec<u8> {
    let fill = "(memory.fill (i32.const 65536) (i32.const 1) (i32.const 6000000))\n";
    pieces::component(
        "mapper",
        &format!(
            "(func $misbehave (param i32) (drop (memory.grow (i32.const 100)))\n{})",
            fill.repeat(10_000)
        ),
    )
}

/// A trap in functions whose names are as long as names may be.
fn long_names_of_functions() -> Vec<u8> {
    let long = "\\1bx".repeat(45_000);
    let (mut functions, mut before) = (String::new(), "(unreachable)".to_owned());
    for n in 0..40 {
        functions += &format!("(func $a{n} (@name \"{n}{long}\") {before})\n");
        before = format!("(call $a{n})");
    }
    pieces::component("mapper", &format!("{functions}(func $misbehave (param i32) {before})"))
}

/// An honest component that instantiates one more module, so many times.
fn instances(honest: &[u8], text: &str, count: usize) -> Vec<u8> {
    let module = wat::parse_str(text).expect("the text above is a module");
    let place = leb(sections(honest).into_iter().filter(|id| *id == 1).count());
    // Instantiate a module, with this number, with no arguments.
    let one = [vec![0], place, vec![0]].concat();
    let all = [leb(count), one.repeat(count)].concat();
    [honest, &section(1, &module), &section(2, &all)].concat()
}

fn module_of_functions(count: usize) -> Vec<u8> {
    module_of_code(&[0, 0x0b], count, &[])
}

/// A module with a function so many times, and what else it has.
fn module_of_code(body: &[u8], count: usize, more: &[u8]) -> Vec<u8> {
    let types = section(1, &[1, 0x60, 0, 0]);
    let functions = section(3, &[leb(count), vec![0; count]].concat());
    let one = [leb(body.len()), body.to_vec()].concat();
    let code = section(10, &[leb(count), one.repeat(count)].concat());
    [&MODULE[..], &types, &functions, more, &code].concat()
}

fn section(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind], leb(content.len()).as_slice(), content].concat()
}

fn name(text: &str) -> Vec<u8> {
    [leb(text.len()).as_slice(), text.as_bytes()].concat()
}
