//! A mapper of a plugin as a scalar function of SQL.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StructArray, UInt32Array};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, UInt32Type};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

use super::call::LaneGuest;
use super::tolerate::Tolerant;
use crate::plugin::CallSite;
use crate::plugin::columns::chunk_rows;
use crate::row_error::OnError;

/// The scalar function of one call site.
#[derive(Debug)]
pub struct WasmScalar {
    site: Arc<CallSite>,
    signature: Signature,
}

impl PartialEq for WasmScalar {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.site, &other.site)
    }
}

impl Eq for WasmScalar {}

impl Hash for WasmScalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.site.op().hash(state);
    }
}

impl WasmScalar {
    /// The function of a site, named as its entry in the job. It is volatile to the planner, so
    /// that no call is moved or folded: user code runs in batches only.
    pub fn new(site: Arc<CallSite>) -> Self {
        let types: Vec<DataType> =
            site.input().fields().iter().map(|field| field.data_type().clone()).collect();
        let shape =
            if types.is_empty() { TypeSignature::Nullary } else { TypeSignature::Exact(types) };
        Self { site, signature: Signature::new(shape, Volatility::Volatile) }
    }

    /// The site.
    pub fn site(&self) -> &Arc<CallSite> {
        &self.site
    }

    fn port(&self) -> &SchemaRef {
        &self.site.ports()[0]
    }
}

impl ScalarUDFImpl for WasmScalar {
    fn name(&self) -> &str {
        self.site.op()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.port().fields().as_ref() {
            [only] => only.data_type().clone(),
            fields => DataType::Struct(fields.to_vec().into()),
        })
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let port = self.port();
        let left_out = self.site.on_error() != OnError::Fail;
        let nullable = left_out || (port.fields().len() == 1 && port.field(0).is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.return_type(&[])?, nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns: Vec<ArrayRef> = args
            .args
            .iter()
            .map(|value| value.to_array(args.number_rows))
            .collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(args.number_rows));
        let input = Arc::clone(self.site.input());
        let rows = RecordBatch::try_new_with_options(input, columns, &options)?;
        let mapped = self.map(&rows)?;
        Ok(ColumnarValue::Array(match mapped.columns() {
            [only] => Arc::clone(only),
            _ => Arc::new(StructArray::from(mapped)),
        }))
    }
}

/// The name of the column that numbers the rows of a call.
const NUMBER: &str = "\u{0}number";

impl WasmScalar {
    /// Calls the function with all rows. The result of a row that can't be taken is null.
    fn map(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let numbered = numbered(rows)?;
        let crossing: Vec<usize> = (0..rows.num_columns()).collect();
        let mut guest = LaneGuest::new(&self.site);
        let (mut parts, mut numbers) = (Vec::new(), Vec::new());
        let mut start = 0;
        while start < rows.num_rows() {
            let length = chunk_rows(rows, start);
            let calls = Tolerant {
                guest: &mut guest,
                cross: &|rows| Ok(rows.project(&crossing)?),
                rows_out: RecordBatch::num_rows,
                work: &mut |instance, rows| instance.map(rows, self.port()),
            };
            for taken in calls.take(&numbered.slice(start, length))? {
                let accepted = taken.accepted(&[rows.num_columns()])?;
                numbers.extend_from_slice(accepted.column(0).as_primitive::<UInt32Type>().values());
                parts.push(taken.called.value);
            }
            start += length;
        }
        let mapped = concat_batches(self.port(), &parts)?;
        match numbers.len() == rows.num_rows() {
            true => Ok(mapped),
            false => spread_out(&mapped, &numbers, rows.num_rows()),
        }
    }
}

/// Rows with their numbers as the last column.
fn numbered(rows: &RecordBatch) -> Result<RecordBatch> {
    let numbers: UInt32Array = (0..rows.num_rows() as u32).collect();
    let mut fields = rows.schema().fields().to_vec();
    fields.push(Arc::new(Field::new(NUMBER, DataType::UInt32, false)));
    let mut columns = rows.columns().to_vec();
    columns.push(Arc::new(numbers));
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// Rows at the places that their numbers say, with nulls between them.
fn spread_out(rows: &RecordBatch, numbers: &[u32], total: usize) -> Result<RecordBatch> {
    let mut places: Vec<Option<u32>> = vec![None; total];
    for (place, number) in (0..).zip(numbers) {
        places[*number as usize] = Some(place);
    }
    let places = UInt32Array::from(places);
    let columns: Vec<ArrayRef> = rows
        .columns()
        .iter()
        .map(|column| take(column, &places, None))
        .collect::<std::result::Result<_, _>>()?;
    let fields = rows.schema_ref().fields().iter();
    let fields: Vec<Field> =
        fields.map(|field| field.as_ref().clone().with_nullable(true)).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
