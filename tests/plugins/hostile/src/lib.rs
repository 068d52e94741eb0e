//! Functions that misbehave, one way each.

mod floods;
mod reaches;

use weir::adapter::Open;
use weir::bindings::exports::weir::operator::guest::{
    Determinism, Function as Described, Kind, Layout, Port, Refusal, Setup,
};
use weir::bindings::weir::operator::rows::{Column, Emitted, Output, Rows};
use weir::bindings::weir::operator::schema::Field;
use weir::{Row, RowError};

pub use floods::*;
pub use reaches::*;

/// A number.
#[derive(Row, Clone, Default)]
pub struct Number {
    n: i64,
}

/// What a function saw.
#[derive(Row)]
pub struct Seen {
    seen: String,
}

/// Never returns.
#[weir::mapper]
pub fn spin_forever(row: Number) -> Number {
    spin(row)
}

/// Takes memory until there is none.
#[weir::mapper]
pub fn eat_memory(row: Number) -> Number {
    eat(row)
}

/// Panics at 7.
#[weir::mapper]
pub fn trap_on_seven(row: Number) -> Number {
    assert!(row.n != 7, "seven is not a number I like");
    row
}

/// Never returns at 7.
#[weir::mapper]
pub fn spin_on_seven(row: Number) -> Number {
    if row.n == 7 { spin(row) } else { row }
}

fn spin(row: Number) -> Number {
    let mut n = row.n;
    while std::hint::black_box(n) != i64::MIN {
        n = std::hint::black_box(n | 1);
    }
    Number { n }
}

/// Takes all memory at 7.
#[weir::flat_mapper]
pub fn hungry_on_seven(row: Number, out: &mut weir::Out<Number>) {
    if row.n == 7 {
        out.push(eat(row));
    } else {
        out.push(row);
    }
}

fn eat(row: Number) -> Number {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        eaten.push(std::hint::black_box(vec![row.n as u8 | 1; 1 << 20]));
        if eaten.len() == usize::MAX {
            return row;
        }
    }
}

/// Keeps all, panics at 7.
#[weir::predicate]
pub fn test_traps_on_seven(row: Number) -> bool {
    assert!(row.n != 7, "seven is not a number I like");
    true
}

/// Adds, panics at 7.
#[weir::aggregator]
pub fn add_traps_on_seven(a: Number, b: Number) -> Number {
    assert!(a.n != 7 && b.n != 7, "seven is not a number I like");
    Number { n: a.n + b.n }
}

/// Leaves the process at 7.
#[weir::mapper]
pub fn exits(row: Number) -> Number {
    if row.n == 7 {
        std::process::exit(0);
    }
    row
}

/// Panics at 7 with a message of a mebibyte.
#[weir::mapper]
pub fn panics_at_length(row: Number) -> Number {
    assert!(row.n != 7, "{}", "x".repeat(1 << 20));
    row
}

/// Prints every row, and stays open from batch to batch with its streams.
#[weir::mapper(pure)]
pub fn prints_rows(row: Number) -> Number {
    println!("row {}", row.n);
    row
}

/// Prints without end at 7.
#[weir::mapper]
pub fn prints_without_end(row: Number) -> Number {
    while std::hint::black_box(row.n) == 7 {
        println!("once more, {}", row.n);
        eprintln!("{}", "and once more ".repeat(1_000));
    }
    row
}

/// Takes memory in small pieces at 7.
#[weir::mapper]
pub fn allocates_crumbs(row: Number) -> Number {
    let mut crumbs = Vec::new();
    while std::hint::black_box(row.n) == 7 {
        crumbs.push(std::hint::black_box(Box::new([7_u8; 24])));
    }
    row
}

/// Waits for a year, reads what it may be told, starts a thread and asks for a name: nothing of
/// that takes time or works.
#[weir::mapper]
pub fn waits_and_asks(row: Number) -> Number {
    use std::io::Read;
    std::thread::sleep(std::time::Duration::from_secs(365 * 24 * 3600));
    let mut told = String::new();
    assert_eq!(std::io::stdin().read_to_string(&mut told).unwrap_or(0), 0, "it was told {told}");
    assert!(std::thread::Builder::new().spawn(|| ()).is_err(), "it has a thread");
    let name = std::net::ToSocketAddrs::to_socket_addrs("localhost:80");
    assert!(name.is_err(), "it knows a name");
    assert!(std::net::UdpSocket::bind("127.0.0.1:0").is_err(), "it has a socket");
    row
}

/// A number with a point.
#[derive(Row)]
pub struct Real {
    x: f64,
}

/// Not a number, in unusual bits.
#[weir::mapper]
pub fn odd_nan(row: Number) -> Real {
    Real { x: f64::from_bits(0xfff4_dead_beef_0000 | row.n as u64) }
}

/// A word of its config.
#[derive(serde::Deserialize)]
pub struct Word {
    word: String,
}

/// Says its config in every way it has; rejects even numbers with it.
#[weir::mapper]
pub fn tells_its_config(row: Number, config: &Word) -> Result<Seen, RowError> {
    println!("my config is {}", config.word);
    eprintln!("it really is {:?}", config.word);
    if row.n % 2 == 0 {
        return Err(RowError::reject(format!("{} is not for {}", row.n, config.word)));
    }
    Ok(Seen { seen: config.word.clone() })
}

/// Panics with its config.
#[weir::mapper]
pub fn traps_with_its_config(row: Number, config: &Word) -> Seen {
    panic!("{} and {}", row.n, config.word)
}

/// A sum that is a result.
#[derive(Row)]
pub struct Total {
    total: i64,
}

/// What goes wrong with a sum of 7.
#[derive(serde::Deserialize)]
pub struct Wrong {
    at: String,
}

/// Adds up. At a sum of 7 it traps, never returns or refuses, when states are merged or at the end.
pub struct sum_fails_on_seven;

fn fails_on_seven(n: i64, at: &str, config: &Wrong) -> Result<(), RowError> {
    match config.at.strip_prefix(at) {
        Some(" trap") if n == 7 => panic!("seven is not a number I like"),
        Some(" spin") if n == 7 => {
            spin(Number { n });
        }
        Some(" reject") if n == 7 => return Err(RowError::reject("no sevens")),
        _ => {}
    }
    Ok(())
}

#[weir::aggregator]
impl weir::Aggregator for sum_fails_on_seven {
    type Row = Number;
    type State = Number;
    type Given = Total;
    type Config = Wrong;

    fn update(state: &mut Number, row: Number, _: &Wrong) -> Result<(), RowError> {
        state.n += row.n;
        Ok(())
    }

    fn merge(state: &mut Number, other: Number, config: &Wrong) -> Result<(), RowError> {
        fails_on_seven(other.n, "merge", config)?;
        state.n += other.n;
        Ok(())
    }

    fn finish(state: &Number, config: &Wrong) -> Total {
        if fails_on_seven(state.n, "finish", config).is_err() {
            unreachable!("a result can't be refused");
        }
        Total { total: state.n }
    }
}

/// All numbers of the batch but odd ones.
#[weir::transformer]
pub fn all_but_odd(rows: Vec<Number>, out: &mut weir::Out<Number>) {
    for row in rows {
        if row.n % 2 == 0 {
            out.push(row);
        }
    }
}

/// Panics at the second call of an instance.
#[weir::flat_mapper]
pub fn trap_on_the_second_call(rows: &weir::Columns<'_, Number>, out: &mut weir::Out<Number>) {
    static CALLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let before = CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    assert!(before == 0, "twice is too often");
    for row in rows.iter() {
        out.push(row);
    }
}

/// Recurses without end.
#[weir::mapper]
pub fn recurse(row: Number) -> Number {
    fn deeper(n: i64) -> i64 {
        std::hint::black_box(if std::hint::black_box(n) == i64::MIN {
            n
        } else {
            deeper(n + 1) + 1
        })
    }
    Number { n: deeper(row.n) }
}

/// Gives far more than it got.
#[weir::flat_mapper]
pub fn too_much(row: Number, out: &mut weir::Out<Number>) {
    for n in 0..100_000 {
        out.push(Number { n: row.n + n });
    }
}

/// Rejects odd numbers.
#[weir::mapper]
pub fn only_even(row: Number) -> Result<Number, RowError> {
    if row.n % 2 == 0 { Ok(row) } else { Err(RowError::reject(format!("{} is odd", row.n))) }
}

/// Says what can be seen from inside of the sandbox.
#[weir::mapper]
pub fn peeks(row: Number) -> Seen {
    println!("hello from row {}", row.n);
    eprintln!("a warning from row {}", row.n);
    let wall = std::time::SystemTime::now();
    let start = std::time::Instant::now();
    std::thread::sleep(std::time::Duration::from_secs(3600));
    let slept = start.elapsed().as_secs();
    let random = std::collections::hash_map::RandomState::new();
    let random = std::hash::BuildHasher::hash_one(&random, row.n);
    let since = wall.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let seen = format!(
        "env={} args={} file={} dir={} write={} tcp={} slept={slept} batch_time={} random={random}",
        std::env::vars().count(),
        std::env::args().count(),
        std::fs::read("/etc/passwd").is_ok(),
        std::fs::read_dir(".").is_ok(),
        std::fs::write("/tmp/from-a-guest", "x").is_ok(),
        std::net::TcpStream::connect("127.0.0.1:22").is_ok(),
        since as i64 == weir::context::current().time.0,
    );
    weir::metrics::count("peeked", 1);
    Seen { seen }
}

/// Tries what a function may do with the folders `data` (to read) and `scratch` (to write).
#[weir::mapper]
pub fn uses_rights(row: Number) -> Seen {
    let read = |path: &str| std::fs::read_to_string(path).map_or("no".into(), |text| text);
    let write = |path: &str| std::fs::write(path, row.n.to_string()).is_ok();
    let mut names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
    names.sort();
    let seen = format!(
        "env={names:?} given={} read={} up={} link={} root={} write={} truncate={} rename={} \
         hard_link={} scratch={} and_back={}",
        std::env::var("GIVEN").unwrap_or_default(),
        read("data/table.txt"),
        read("data/../secret.txt"),
        read("data/link"),
        read("/etc/passwd").len() > 2,
        write("data/new.txt"),
        std::fs::File::create("data/table.txt").is_ok(),
        std::fs::rename("data/table.txt", "scratch/moved.txt").is_ok(),
        std::fs::hard_link("data/table.txt", "scratch/linked.txt").is_ok(),
        write("scratch/new.txt"),
        read("scratch/new.txt"),
    );
    Seen { seen }
}

/// Opens a file of a folder that it may read, after it has said so.
#[weir::mapper]
pub fn opens_a_table(row: Number) -> Seen {
    weir::log::info("opening");
    let text = std::fs::read_to_string("data/table.txt");
    Seen { seen: format!("{} {text:?}", row.n) }
}

/// Lies about what it gives, in the way that `lie` says.
#[allow(non_camel_case_types)]
pub struct lying {}

#[derive(serde::Deserialize)]
struct Lie {
    lie: String,
}

struct Liar(Lie);

fn word_port() -> Vec<Port> {
    let field = Field { name: "word".into(), data_type: "string".into(), nullable: false };
    vec![Port { name: "out".into(), fields: Some(vec![field]) }]
}

impl weir::Function for lying {
    fn describe() -> Described {
        let read = Field { name: "n".into(), data_type: "int64".into(), nullable: true };
        Described {
            name: "lying".into(),
            kind: Kind::FlatMapper,
            doc: "Lies about what it gives.".into(),
            reads: Some(vec![read]),
            ports: word_port(),
            state: Vec::new(),
            state_version: 0,
            where_: None,
            config_schema: String::new(),
            capabilities: Vec::new(),
            needs_host: String::new(),
            determinism: Determinism::Free,
        }
    }

    fn open(setup: &Setup) -> Result<Box<dyn Open>, Refusal> {
        let lie = setup.config.split('"').nth(3).unwrap_or_default().to_owned();
        Ok(Box::new(Liar(Lie { lie })))
    }
}

fn offsets(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

impl Open for Liar {
    fn layout(&self) -> Layout {
        Layout { reads: Vec::new(), ports: word_port() }
    }

    fn flat_map(&mut self, _: &Rows) -> Result<Output, String> {
        let mut column = Column {
            length: 2,
            null_count: 0,
            buffers: vec![vec![], offsets(&[0, 1, 2]), b"ab".to_vec()],
        };
        let (mut port, mut count, mut parents) = (0, 2, vec![]);
        let mut twice = false;
        match self.0.lie.as_str() {
            "count" => count = 1_000_000,
            "length" => column.length = 5,
            "offsets" => column.buffers[1] = offsets(&[0, 1, 99]),
            "descending" => column.buffers[1] = offsets(&[0, 2, 1]),
            "bitmap" => (column.buffers[0], column.null_count) = (vec![0xff; 0], 1),
            "null" => (column.buffers[0], column.null_count) = (vec![0b01], 1),
            "utf8" => column.buffers[2] = vec![0xff, 0xfe],
            "missing" => drop(column.buffers.pop()),
            "port" => port = 9,
            "parents" => parents = vec![5, 1],
            "twice" => twice = true,
            _ => {}
        }
        let one = Emitted { port, rows: Rows { count, columns: vec![column] }, parents };
        let emitted = if twice { vec![one.clone(), one] } else { vec![one] };
        Ok(Output { emitted, errors: Vec::new() })
    }
}

weir::export!(
    log_of_empty_lines,
    log_that_steers_the_terminal,
    stderr_flood,
    metric_names_bomb,
    metric_names_over_calls,
    metric_of_bad_names,
    reject_of_a_mebibyte,
    reject_bomb,
    reads_files,
    writes_files,
    reads_environment,
    reads_standard_input,
    uses_the_network,
    reads_clocks,
    draws_random,
    starts_others,
    exits_with_failure,
    aborts,
    reads_what_others_left,
    exits,
    panics_at_length,
    prints_rows,
    prints_without_end,
    allocates_crumbs,
    waits_and_asks,
    odd_nan,
    tells_its_config,
    traps_with_its_config,
    sum_fails_on_seven,
    spin_forever,
    eat_memory,
    trap_on_seven,
    spin_on_seven,
    hungry_on_seven,
    test_traps_on_seven,
    add_traps_on_seven,
    all_but_odd,
    trap_on_the_second_call,
    recurse,
    too_much,
    only_even,
    peeks,
    opens_a_table,
    uses_rights,
    lying
);
