//! Functions that take rows one by one, and those that take them all.

use super::{Attributes, Open, crossing};
use crate::bindings::exports::weir::operator::guest::{
    Function as Described, Kind, Layout, Port, Refusal, Setup,
};
use crate::bindings::exports::weir::operator::mapper::Mapped;
use crate::bindings::exports::weir::operator::predicate::Verdict;
use crate::bindings::weir::operator::rows::{Column, Emitted, Output, Rows};
use crate::buffer::Bits;
use crate::config;
use crate::function::{FlatMapFn, MapFn, PredicateFn, TransformFn};
use crate::out::{Out, Outs};
use crate::row::Row;

/// Rows in one pull of a transformer.
const CHUNK_ROWS_MAX: usize = 8_192;

fn one_port(fields: Vec<crate::bindings::weir::operator::schema::Field>) -> Vec<Port> {
    vec![Port { name: "out".to_owned(), fields: Some(fields) }]
}

fn layout(described: Described) -> Layout {
    Layout { reads: Vec::new(), ports: described.ports }
}

/// Describes a mapper.
pub fn describe_map<F: MapFn>(attributes: &Attributes) -> Described {
    Described {
        reads: Some(F::Row::columns()),
        ports: one_port(F::Given::columns()),
        ..attributes.describe(Kind::Mapper)
    }
}

/// Describes a predicate.
pub fn describe_predicate<F: PredicateFn>(attributes: &Attributes) -> Described {
    Described { reads: Some(F::Row::columns()), ..attributes.describe(Kind::Predicate) }
}

/// Describes a flat-mapper.
pub fn describe_flat_map<F: FlatMapFn>(attributes: &Attributes) -> Described {
    Described {
        reads: Some(F::Row::columns()),
        ports: F::Outs::ports(attributes.ports),
        ..attributes.describe(Kind::FlatMapper)
    }
}

/// Describes a transformer.
pub fn describe_transform<F: TransformFn>(attributes: &Attributes) -> Described {
    Described {
        reads: Some(F::Row::columns()),
        ports: F::Outs::ports(attributes.ports),
        ..attributes.describe(Kind::Transformer)
    }
}

struct Mapper<F: MapFn> {
    config: F::Config,
    out: Out<F::Given>,
    described: fn() -> Described,
}

/// Opens a mapper.
pub fn open_map<F: MapFn>(
    setup: &Setup,
    described: fn() -> Described,
) -> Result<Box<dyn Open>, Refusal>
where
    Out<F::Given>: 'static,
{
    Ok(Box::new(Mapper::<F> {
        config: config::read(&setup.config)?,
        out: Out::new(false),
        described,
    }))
}

impl<F: MapFn> Open for Mapper<F> {
    fn layout(&self) -> Layout {
        layout((self.described)())
    }

    fn map(&mut self, input: &Rows) -> Result<Mapped, String> {
        let reader = F::Row::reader(input);
        let mut errors = Vec::new();
        for row in 0..input.count as usize {
            match F::call(F::Row::get(&reader, row), &self.config) {
                Ok(given) => self.out.push(given),
                Err(error) => {
                    self.out.put_nothing();
                    errors.push(crossing(row, error));
                }
            }
        }
        Ok(Mapped { rows: self.out.seal(), errors })
    }
}

struct Predicate<F: PredicateFn> {
    config: F::Config,
    described: fn() -> Described,
}

/// Opens a predicate.
pub fn open_predicate<F: PredicateFn>(
    setup: &Setup,
    described: fn() -> Described,
) -> Result<Box<dyn Open>, Refusal> {
    Ok(Box::new(Predicate::<F> { config: config::read(&setup.config)?, described }))
}

impl<F: PredicateFn> Open for Predicate<F> {
    fn layout(&self) -> Layout {
        layout((self.described)())
    }

    fn test(&mut self, input: &Rows) -> Result<Verdict, String> {
        let reader = F::Row::reader(input);
        let (mut keep, mut errors) = (Bits::default(), Vec::new());
        for row in 0..input.count as usize {
            let kept = F::call(F::Row::get(&reader, row), &self.config);
            keep.push(matches!(kept, Ok(true)));
            if let Err(error) = kept {
                errors.push(crossing(row, error));
            }
        }
        Ok(Verdict { keep: keep.finish(), errors })
    }
}

struct FlatMapper<F: FlatMapFn> {
    config: F::Config,
    outs: F::Outs,
    described: fn() -> Described,
}

/// Opens a flat-mapper.
pub fn open_flat_map<F: FlatMapFn>(
    setup: &Setup,
    described: fn() -> Described,
) -> Result<Box<dyn Open>, Refusal>
where
    F::Outs: 'static,
{
    let outs = F::Outs::new(setup.parents);
    Ok(Box::new(FlatMapper::<F> { config: config::read(&setup.config)?, outs, described }))
}

impl<F: FlatMapFn> Open for FlatMapper<F> {
    fn layout(&self) -> Layout {
        layout((self.described)())
    }

    fn flat_map(&mut self, input: &Rows) -> Result<Output, String> {
        let mut errors = Vec::new();
        F::chunk(input, &mut self.outs, &self.config, &mut |row, error| {
            errors.push(crossing(row, error));
        });
        Ok(Output { emitted: self.outs.emit(), errors })
    }
}

/// Collects the batch, calls once, gives the result in chunks.
struct Transformer<F: TransformFn> {
    config: F::Config,
    pushed: Vec<Rows>,
    given: Option<std::vec::IntoIter<Emitted>>,
    described: fn() -> Described,
}

/// Opens a transformer.
pub fn open_transform<F: TransformFn>(
    setup: &Setup,
    described: fn() -> Described,
) -> Result<Box<dyn Open>, Refusal> {
    if setup.parents {
        return Err(Refusal {
            setting: None,
            message: "a transformer of this SDK can't say which row a row comes from, so it can't \
                      carry columns along: remove `keep`"
                .to_owned(),
        });
    }
    Ok(Box::new(Transformer::<F> {
        config: config::read(&setup.config)?,
        pushed: Vec::new(),
        given: None,
        described,
    }))
}

impl<F: TransformFn> Transformer<F> {
    fn call(&mut self) -> Result<Vec<Emitted>, String> {
        let pushed = std::mem::take(&mut self.pushed);
        let readers: Vec<_> = pushed.iter().map(F::Row::reader).collect();
        let mut rows = Vec::with_capacity(pushed.iter().map(|rows| rows.count as usize).sum());
        for (reader, part) in readers.iter().zip(&pushed) {
            rows.extend((0..part.count as usize).map(|row| F::Row::get(reader, row)));
        }
        let mut outs = F::Outs::new(false);
        F::call(rows, &mut outs, &self.config).map_err(|error| error.message)?;
        Ok(outs.emit().into_iter().flat_map(|emitted| cut(emitted, &(self.described)())).collect())
    }
}

impl<F: TransformFn> Open for Transformer<F> {
    fn layout(&self) -> Layout {
        layout((self.described)())
    }

    fn push(&mut self, input: Rows) -> Result<(), String> {
        self.pushed.push(input);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Output>, String> {
        if self.given.is_none() {
            self.given = Some(self.call()?.into_iter());
        }
        let next = self.given.as_mut().and_then(Iterator::next);
        Ok(next.map(|emitted| Output { emitted: vec![emitted], errors: Vec::new() }))
    }
}

/// Cuts rows into chunks. Columns of nested types stay whole: such rows go out in one piece.
fn cut(emitted: Emitted, described: &Described) -> Vec<Emitted> {
    let (port, count) = (emitted.port, emitted.rows.count as usize);
    let fields = described.ports.get(usize::from(port)).and_then(|port| port.fields.as_ref());
    let widths: Option<Vec<Width>> =
        fields.and_then(|fields| fields.iter().map(|field| width(&field.data_type)).collect());
    let (Some(widths), true) = (widths, count > CHUNK_ROWS_MAX) else { return vec![emitted] };
    (0..count)
        .step_by(CHUNK_ROWS_MAX)
        .map(|start| {
            let length = CHUNK_ROWS_MAX.min(count - start);
            let columns = emitted.rows.columns.iter().zip(&widths);
            let columns = columns.map(|(column, width)| slice(column, *width, start, length));
            let rows = Rows { count: length as u32, columns: columns.collect() };
            Emitted { port, rows, parents: Vec::new() }
        })
        .collect()
}

#[derive(Clone, Copy)]
enum Width {
    Bits,
    Bytes(usize),
    Spans,
}

fn width(data_type: &str) -> Option<Width> {
    Some(match data_type {
        "bool" => Width::Bits,
        "int32" | "date" => Width::Bytes(4),
        "int64" | "float64" | "timestamp" => Width::Bytes(8),
        "string" | "binary" => Width::Spans,
        other if other.starts_with("decimal") => Width::Bytes(16),
        _ => return None,
    })
}

/// Rows of a column. Chunks begin at multiples of 8, so bitmaps are cut at bytes.
fn slice(column: &Column, width: Width, start: usize, length: usize) -> Column {
    if column.length == 1 {
        return column.clone();
    }
    let bits = |bytes: &[u8]| -> Vec<u8> {
        if bytes.is_empty() {
            Vec::new()
        } else {
            bytes[start / 8..(start + length).div_ceil(8)].to_vec()
        }
    };
    let validity = bits(&column.buffers[0]);
    let null_count = (0..length)
        .filter(|at| !validity.is_empty() && validity[at / 8] >> (at % 8) & 1 == 0)
        .count() as u32;
    let mut buffers = vec![validity];
    match width {
        Width::Bits => buffers.push(bits(&column.buffers[1])),
        Width::Bytes(size) => {
            buffers.push(column.buffers[1][start * size..(start + length) * size].to_vec());
        }
        Width::Spans => {
            let offset = |at: usize| {
                let mut raw = [0; 4];
                raw.copy_from_slice(&column.buffers[1][at * 4..at * 4 + 4]);
                i32::from_le_bytes(raw)
            };
            let (first, last) = (offset(start), offset(start + length));
            let moved = (start..=start + length).flat_map(|at| (offset(at) - first).to_le_bytes());
            buffers.push(moved.collect());
            buffers.push(column.buffers[2][first as usize..last as usize].to_vec());
        }
    }
    if buffers[0].iter().all(|byte| *byte == 0xff) && null_count == 0 {
        buffers[0].clear();
    }
    Column { length: length as u32, null_count, buffers }
}
