//! A mapper of a plugin as a scalar function of SQL.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StructArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

use super::call::{carry, enter};
use crate::plugin::CallSite;
use crate::plugin::columns::chunk_rows;

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
        let nullable = port.fields().len() == 1 && port.field(0).is_nullable();
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
        let mut guest = enter(&self.site)?;
        let mut parts = Vec::new();
        let mut start = 0;
        while start < rows.num_rows() {
            let length = chunk_rows(&rows, start);
            let chunk = rows.slice(start, length);
            parts.push(carry(guest.taking(&chunk, RecordBatch::num_rows, |instance| {
                instance.map(&chunk, self.port())
            }))?);
            start += length;
        }
        let mapped = concat_batches(self.port(), &parts)?;
        Ok(ColumnarValue::Array(match mapped.columns() {
            [only] => Arc::clone(only),
            _ => Arc::new(StructArray::from(mapped)),
        }))
    }
}
