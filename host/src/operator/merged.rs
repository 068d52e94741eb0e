//! Partial states of aggregates: how they are kept, and how they become results.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StructArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::logical_expr::EmitTo;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::aggregates::group_values::new_group_values;
use datafusion::physical_plan::aggregates::order::GroupOrdering;

use crate::state::{Lane, StateError, StateRows, StateSchema};
use crate::types;

/// Aggregates whose partial states come as columns after those of their group.
#[derive(Clone, Debug)]
pub struct Merging {
    /// The aggregates.
    pub aggregates: Vec<Arc<AggregateFunctionExpr>>,
    /// How many columns the group has.
    pub keys: usize,
    /// The columns of groups and states.
    pub merged: SchemaRef,
}

/// The results of groups.
pub struct Results {
    /// The columns of the group, a row for each.
    pub keys: Vec<ArrayRef>,
    /// A column for each aggregate.
    pub results: Vec<ArrayRef>,
    /// The group of each row that went in.
    pub groups: Vec<usize>,
}

impl Merging {
    /// The aggregates of a node that gives groups and partial states.
    pub fn new(aggregates: &[Arc<AggregateFunctionExpr>], merged: &SchemaRef) -> Result<Self> {
        let states = aggregates.iter().map(|one| one.state_fields().map(|fields| fields.len()));
        let states: usize = states.sum::<Result<usize>>()?;
        let keys = merged.fields().len().saturating_sub(states);
        Ok(Self { aggregates: aggregates.to_vec(), keys, merged: Arc::clone(merged) })
    }

    /// The group, and the partial state of each aggregate in types that are kept.
    pub fn schema(&self, version: u32) -> std::result::Result<StateSchema, StateError> {
        let kept = |field: &Field, name: String| {
            let data_type = types::standard(field.data_type());
            Field::new(name, data_type.unwrap_or_else(|| field.data_type().clone()), true)
        };
        let key = self.merged.fields().iter().take(self.keys);
        let key: Vec<Field> = key.map(|field| kept(field, field.name().clone())).collect();
        let mut states = Vec::new();
        for aggregate in &self.aggregates {
            let fields = aggregate.state_fields().unwrap_or_default();
            let many = fields.len() > 1;
            for (number, field) in fields.iter().enumerate() {
                let name = match many {
                    true => format!("{}.{}", aggregate.name(), number + 1),
                    false => aggregate.name().to_owned(),
                };
                states.push(kept(field, name));
            }
        }
        StateSchema::new(version, key.into(), states.into())
    }

    /// The columns of results.
    pub fn results(&self) -> impl Iterator<Item = FieldRef> {
        self.aggregates.iter().map(|aggregate| aggregate.field())
    }

    /// The columns of a group in the types in which they are kept.
    pub fn kept_keys(&self, lane: &Lane, keys: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let kept = lane.schema().key().fields().iter().zip(keys);
        kept.map(|(field, column)| Ok(cast(column, field.data_type())?)).collect()
    }

    /// Partial states in the types in which they are kept.
    pub fn kept_states(&self, lane: &Lane, states: &[ArrayRef]) -> Result<RecordBatch> {
        let schema = Arc::clone(lane.schema().state());
        let columns = states.iter().zip(schema.fields());
        let columns = columns.map(|(column, field)| Ok(cast(column, field.data_type())?));
        Ok(RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<_>>()?)?)
    }

    /// What was kept of the keys that had a state, in the types of the aggregates, and which keys
    /// those are.
    pub fn prior(&self, state: &StructArray) -> Result<(Vec<ArrayRef>, Vec<usize>)> {
        let there: Vec<u32> =
            (0..state.len()).filter(|row| state.is_valid(*row)).map(|row| row as u32).collect();
        let fields = self.merged.fields().iter().skip(self.keys);
        let rows = UInt32Array::from(there.clone());
        let columns = state.columns().iter().zip(fields).map(|(column, field): (_, &FieldRef)| {
            Ok(cast(&take(column, &rows, None)?, field.data_type())?)
        });
        let groups = there.into_iter().map(|row| row as usize).collect();
        Ok((columns.collect::<Result<_>>()?, groups))
    }

    /// Rows that were kept, as the node below gives them.
    pub fn rows(&self, kept: &StateRows) -> Result<RecordBatch> {
        let columns = kept.keys.columns().iter().chain(kept.state.columns());
        let columns = columns
            .zip(self.merged.fields())
            .map(|(column, field)| Ok(cast(column, field.data_type())?));
        Ok(RecordBatch::try_new(Arc::clone(&self.merged), columns.collect::<Result<_>>()?)?)
    }

    /// Merges partial states of keys, of which some were kept; gives them as they are to be kept.
    pub fn merge(
        &self,
        lane: &mut Lane,
        rows: &RecordBatch,
        due: Due<'_>,
    ) -> Result<Vec<ArrayRef>> {
        let total = rows.num_rows();
        let (key, new) = rows.columns().split_at(self.keys);
        let keys = lane.keys(&self.kept_keys(lane, key)?).map_err(super::node::state_failed)?;
        let prior = lane.read(&keys).map_err(super::node::state_failed)?;
        let (prior, had) = self.prior(&prior.state)?;
        let mut states = Vec::new();
        let mut first = 0;
        for aggregate in &self.aggregates {
            let places = first..first + aggregate.state_fields()?.len();
            first = places.end;
            let mut merged = aggregate.create_groups_accumulator()?;
            if !had.is_empty() {
                merged.merge_batch(&prior[places.clone()], &had, total)?;
            }
            merged.merge_batch(&new[places], &(0..total).collect::<Vec<_>>(), total)?;
            states.extend(merged.state(EmitTo::All)?);
        }
        let kept = self.kept_states(lane, &states)?;
        let due = due(key)?;
        lane.upsert(&keys, &kept, due.as_ref()).map_err(super::node::state_failed)?;
        Ok(states)
    }

    /// The results of groups, the states of each merged in the order in which they come.
    pub fn finish(&self, keys: &[ArrayRef], states: &[ArrayRef]) -> Result<Results> {
        let fields = keys
            .iter()
            .enumerate()
            .map(|(place, column)| Field::new(place.to_string(), column.data_type().clone(), true));
        let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let (mut groups, rows) = (Vec::new(), keys.first().map_or(0, |column| column.len()));
        let mut values = new_group_values(schema, &GroupOrdering::None)?;
        values.intern(keys, &mut groups)?;
        let total = values.len();
        let mut results = Vec::new();
        let mut first = 0;
        for aggregate in &self.aggregates {
            let places = first..first + aggregate.state_fields()?.len();
            first = places.end;
            let mut merged = aggregate.create_groups_accumulator()?;
            if rows > 0 {
                merged.merge_batch(&states[places], &groups, total)?;
            }
            results.push(merged.evaluate(EmitTo::All)?);
        }
        let emitted = values.emit(EmitTo::All)?;
        let types = keys.iter().map(|column| column.data_type());
        let keys = emitted
            .iter()
            .zip(types)
            .map(|(column, is): (&ArrayRef, &DataType)| Ok(cast(column, is)?));
        Ok(Results { keys: keys.collect::<Result<_>>()?, results, groups })
    }
}

/// The timers of rows, by the columns of their groups.
pub type Due<'a> =
    &'a dyn Fn(&[ArrayRef]) -> Result<Option<arrow::array::TimestampMicrosecondArray>>;
