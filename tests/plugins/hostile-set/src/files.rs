//! Cases that are wrong as files: no components, or components that no compiler should be given.

use crate::{component, honest_but, text};

/// Names and bytes.
pub fn cases() -> Vec<(&'static str, Vec<u8>)> {
    let honest = honest_but(&[]);
    let cut = honest[..honest.len() / 2].to_vec();
    let mut flipped = honest.clone();
    let half = flipped.len() / 2;
    flipped[half..half + 64].iter_mut().for_each(|byte| *byte = !*byte);
    let mut late_version = honest.clone();
    late_version[4] = 0x7f;
    let run = "(module (func (export \"run\")))";
    let thief = text(&[("import", "(import \"steal\" \"all\" (func (param i32)))")]);
    let parse = |text: &str| wat::parse_str(text).expect("the text is valid");
    vec![
        ("empty_file", Vec::new()),
        ("random_bytes", random(4_096)),
        ("random_behind_a_header", [&honest[..8], &random(4_096)[..]].concat()),
        ("text_instead_of_bytes", crate::HONEST.as_bytes().to_vec()),
        ("cut_off_file", cut),
        ("flipped_bits", flipped),
        ("version_of_tomorrow", late_version),
        ("core_module", parse("(module)")),
        ("wrong_world", component(run, "other")),
        ("wants_what_nobody_has", component(&thief, "thief")),
        ("empty_component", parse("(component)")),
        ("guest_of_another_shape", parse(SHAPE)),
        ("compile_bomb", bomb()),
        ("too_many_functions", honest_but(&[("more", &"(func)\n".repeat(120_000))])),
        ("too_many_instances", instances(200)),
        ("component_of_sixteen_mib", padded(&honest, 16 << 20)),
    ]
}

/// An interface of the right name with a function of the wrong type.
const SHAPE: &str = r#"
(component
  (core module $m (func (export "describe") (result i32) (i32.const 7)))
  (core instance $i (instantiate $m))
  (func $describe (result u32) (canon lift (core func $i "describe")))
  (instance $guest (export "describe" (func $describe)))
  (export "weir:operator/guest@0.1.0" (instance $guest)))
"#;

/// Bytes of a small generator: the same every time.
fn random(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..count).map(next).collect()
}

/// Functions of thousands of blocks and variables that all live at once.
fn bomb() -> Vec<u8> {
    let mut body = String::new();
    for n in 0..4_000 {
        body.push_str(&format!(
            "(if (i32.and (local.get {}) (i32.const {n})) (then (local.set {} (i32.add
                    (local.get {}) \
             (local.get {})))))\n",
            n % 500,
            (n * 7) % 500,
            (n * 13) % 500,
            (n * 31) % 500
        ));
    }
    let locals = "(local i32) ".repeat(500);
    let functions: Vec<String> =
        (0..150).map(|n| format!("(func $f{n} (export \"f{n}\") {locals} {body})")).collect();
    honest_but(&[("more", &functions.join("\n"))])
}

/// A component with many core instances.
fn instances(count: usize) -> Vec<u8> {
    let instances = "(core instance (instantiate $m))\n".repeat(count);
    let text = format!("(component (core module $m (memory 1))\n{instances})");
    let bomb = wat::parse_str(text).expect("the text is valid");
    // A part of a component that is honest otherwise: a section with the component (4), and one
    // that instantiates it (5) by its number.
    let honest = honest_but(&[]);
    let number = sections(&honest).into_iter().filter(|id| *id == 4).count();
    let instance = [vec![1, 0], leb(number), vec![0]].concat();
    let section = |id: u8, content: &[u8]| [&[id], &leb(content.len())[..], content].concat();
    [honest, section(4, &bomb), section(5, &instance)].concat()
}

/// The ids of the sections of a component.
pub fn sections(component: &[u8]) -> Vec<u8> {
    let (mut ids, mut at) = (Vec::new(), 8);
    while at < component.len() {
        ids.push(component[at]);
        at += 1;
        let (mut size, mut shift) = (0_usize, 0);
        loop {
            let byte = component[at];
            at += 1;
            size |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        at += size;
    }
    ids
}

/// A number as WebAssembly writes it.
pub fn leb(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

/// The component with a section behind it that nobody needs.
fn padded(component: &[u8], bytes: usize) -> Vec<u8> {
    let name = b"\x03pad";
    let size = leb(name.len() + bytes);
    [component, &[0], &size, name, &vec![0; bytes]].concat()
}
