//! An aggregator of a plugin as an aggregate of DataFusion: partial before the exchange, final
//! after it, by group or for all rows, in a plan or in SQL.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::{filter, filter_record_batch};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, TypeSignature, Volatility,
};

use super::groups::Groups;
use super::results::result_type;
use crate::plugin::CallSite;
use crate::row_error::OnError;

/// The aggregate function of one call site.
#[derive(Debug)]
pub struct WasmAggregate {
    site: Arc<CallSite>,
    signature: Signature,
    /// Whether results say which groups have none: then they are a struct of the function's
    /// columns and of [`REFUSED`].
    marks: bool,
}

impl PartialEq for WasmAggregate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.site, &other.site) && self.marks == other.marks
    }
}

impl Eq for WasmAggregate {}

impl Hash for WasmAggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.site.op().hash(state);
        self.marks.hash(state);
    }
}

impl WasmAggregate {
    /// The aggregate of a site, named as the op. With marks it is only for `LeaveOutExec` above it.
    pub fn new(site: Arc<CallSite>, marks: bool) -> Self {
        let types: Vec<DataType> =
            site.input().fields().iter().map(|field| field.data_type().clone()).collect();
        let shape =
            if types.is_empty() { TypeSignature::Nullary } else { TypeSignature::Exact(types) };
        Self { site, signature: Signature::new(shape, Volatility::Volatile), marks }
    }

    /// The site.
    pub fn site(&self) -> &Arc<CallSite> {
        &self.site
    }

    /// Whether results say which groups have none.
    pub fn marks(&self) -> bool {
        self.marks
    }

    fn groups(&self, args: &AccumulatorArgs<'_>) -> Result<Groups> {
        if args.is_distinct {
            return plan_err!(
                "`{}` is a function of a plugin and can't be called with DISTINCT; use a sub-query \
                 with SELECT DISTINCT",
                self.site.op()
            );
        }
        if !args.order_bys.is_empty() {
            return plan_err!("`{}` takes its rows in source order, not ORDER BY", self.site.op());
        }
        Ok(Groups::new(&self.site, args.name))
    }
}

impl AggregateUDFImpl for WasmAggregate {
    fn name(&self) -> &str {
        self.site.op()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(result_type(&self.site, self.marks))
    }

    fn return_field(&self, _: &[FieldRef]) -> Result<FieldRef> {
        let port = &self.site.ports()[0];
        let nullable = port.fields().len() == 1 && port.field(0).is_nullable();
        let lossy = self.site.on_error() != OnError::Fail;
        let result = result_type(&self.site, self.marks);
        Ok(Arc::new(Field::new(self.name(), result, nullable || lossy)))
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let state = &self.site.function().state;
        let field = |field: &FieldRef| {
            let name = format_state_name(args.name, field.name());
            Arc::new(field.as_ref().clone().with_name(name))
        };
        Ok(state.fields().iter().map(field).collect())
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(AllRows(Mutex::new(self.groups(&args)?), self.marks)))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(ByGroup(Mutex::new(self.groups(&args)?), self.marks)))
    }

    fn create_sliding_accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        plan_err!(
            "`{}` is a function of a plugin and can't be called with OVER; group by a key",
            self.site.op()
        )
    }
}

fn numbers(groups: &[usize]) -> Vec<u32> {
    groups.iter().map(|group| *group as u32).collect()
}

/// Without keys: all rows are group 0.
#[derive(Debug)]
struct AllRows(Mutex<Groups>, bool);

impl AllRows {
    fn groups(&mut self) -> &mut Groups {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Group 0, which is there even if no rows came.
    fn first(&mut self) -> Result<&mut Groups> {
        let groups = self.groups();
        if groups.total == 0 {
            groups.make_first()?;
        }
        Ok(groups)
    }
}

impl Accumulator for AllRows {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let groups = self.groups();
        let rows = values.first().map_or(0, |column| column.len());
        let schema = Arc::clone(groups.site.input());
        let table = groups.table(values, &schema, rows)?;
        groups.update(&table, &vec![0; rows], 1)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let groups = self.groups();
        let rows = states.first().map_or(0, |column| column.len());
        let schema = Arc::clone(&groups.site.function().state);
        let table = groups.table(states, &schema, rows)?;
        groups.merge(&table, &vec![0; rows], 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let marks = self.1;
        ScalarValue::try_from_array(&self.first()?.results(1, marks)?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let row = self.first()?.states(1)?;
        row.columns().iter().map(|column| ScalarValue::try_from_array(column, 0)).collect()
    }

    fn size(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size()
    }
}

/// With keys: DataFusion numbers the groups.
struct ByGroup(Mutex<Groups>, bool);

impl ByGroup {
    fn groups(&mut self) -> &mut Groups {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GroupsAccumulator for ByGroup {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        let groups = self.groups();
        let schema = Arc::clone(groups.site.input());
        let table = groups.table(values, &schema, group_indices.len())?;
        let group_numbers = numbers(group_indices);
        let Some(chosen) = opt_filter else {
            return groups.update(&table, &group_numbers, total_num_groups);
        };
        let table = filter_record_batch(&table, chosen)?;
        let column: ArrayRef = Arc::new(UInt32Array::from(group_numbers));
        let kept: UInt32Array = filter(&column, chosen)?.to_data().into();
        groups.update(&table, kept.values(), total_num_groups)?;
        groups.total = groups.total.max(total_num_groups);
        Ok(())
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        let groups = self.groups();
        let schema = Arc::clone(&groups.site.function().state);
        let table = groups.table(values, &schema, group_indices.len())?;
        groups.merge(&table, &numbers(group_indices), total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let marks = self.1;
        let groups = self.groups();
        let results = groups.results(groups.count(emit_to), marks)?;
        groups.forget(emit_to)?;
        Ok(results)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.groups();
        let states = groups.states(groups.count(emit_to))?;
        groups.forget(emit_to)?;
        Ok(states.columns().to_vec())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let mut whole = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = values.first().map_or(0, |column| column.len());
        let mut single = Self(Mutex::new(whole.fresh()), false);
        let each: Vec<usize> = (0..rows).collect();
        single.update_batch(values, &each, opt_filter, rows)?;
        let states = single.state(EmitTo::All)?;
        whole.count_on(single.groups());
        Ok(states)
    }

    fn size(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size()
    }
}
