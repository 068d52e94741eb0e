//! `now()` and its like in SQL: the time of the batch.
//!
//! A plan lives on from batch to batch, and DataFusion gives a function of SQL nothing of a run. So
//! the functions of a plan share a cell, which is set before each run, as call sites are.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::clock::Micros;
use crate::types;

const DAY_MICROS: i64 = 24 * 3600 * 1_000_000;

/// The time of the batch that a plan runs, for the functions of that plan.
#[derive(Clone, Debug, Default)]
pub struct BatchTime(Arc<AtomicI64>);

impl BatchTime {
    /// The next run is of a batch of this time.
    pub fn set(&self, time: Micros) {
        self.0.store(time.0, Ordering::Relaxed);
    }

    fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// All functions that tell it.
    pub fn functions(&self) -> Vec<ScalarUDF> {
        KINDS.iter().map(|kind| ScalarUDF::from(TimeFunction::new(*kind, self.clone()))).collect()
    }

    /// The function of a name.
    pub fn function(&self, name: &str) -> Option<ScalarUDF> {
        let kind = KINDS.iter().find(|kind| kind.names()[0] == name)?;
        Some(ScalarUDF::from(TimeFunction::new(*kind, self.clone())))
    }
}

/// What is told of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Moment,
    Date,
    TimeOfDay,
}

const KINDS: [Kind; 3] = [Kind::Moment, Kind::Date, Kind::TimeOfDay];

impl Kind {
    /// Its name and its other names, which are those of DataFusion.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Moment => &["now", "current_timestamp"],
            Self::Date => &["current_date", "today"],
            Self::TimeOfDay => &["current_time"],
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Moment => types::timestamp(),
            Self::Date => DataType::Date32,
            Self::TimeOfDay => DataType::Time64(TimeUnit::Microsecond),
        }
    }

    fn value(self, time: i64) -> ScalarValue {
        let in_day = time.rem_euclid(DAY_MICROS);
        match self {
            Self::Moment => ScalarValue::TimestampMicrosecond(Some(time), Some(types::UTC.into())),
            // Days of any time in microseconds fit.
            Self::Date => ScalarValue::Date32(i32::try_from(time.div_euclid(DAY_MICROS)).ok()),
            Self::TimeOfDay => ScalarValue::Time64Microsecond(Some(in_day)),
        }
    }
}

/// A function of SQL that tells the time of the batch.
#[derive(Debug)]
pub struct TimeFunction {
    kind: Kind,
    time: BatchTime,
    aliases: Vec<String>,
    signature: Signature,
}

impl TimeFunction {
    fn new(kind: Kind, time: BatchTime) -> Self {
        let aliases = kind.names()[1..].iter().map(|name| (*name).to_owned()).collect();
        // Volatile to the planner, which would put in the time at which it plans otherwise.
        Self { kind, time, aliases, signature: Signature::nullary(Volatility::Volatile) }
    }
}

impl PartialEq for TimeFunction {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && Arc::ptr_eq(&self.time.0, &other.time.0)
    }
}

impl Eq for TimeFunction {}

impl Hash for TimeFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind.hash(state);
    }
}

impl ScalarUDFImpl for TimeFunction {
    fn name(&self) -> &str {
        self.kind.names()[0]
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.kind.data_type())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), self.kind.data_type(), false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if !args.args.is_empty() {
            return exec_err!("`{}` takes nothing", self.name());
        }
        Ok(ColumnarValue::Scalar(self.kind.value(self.time.get())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_day_and_a_time_of_it_also_before_1970() {
        let parts = |time| {
            let [ScalarValue::Date32(day), ScalarValue::Time64Microsecond(in_day)] =
                [Kind::Date, Kind::TimeOfDay].map(|kind| kind.value(time))
            else {
                panic!("other types")
            };
            (day.unwrap(), in_day.unwrap())
        };
        assert_eq!(parts(0), (0, 0));
        assert_eq!(parts(DAY_MICROS + 1), (1, 1));
        assert_eq!(parts(-1), (-1, DAY_MICROS - 1));
        for kind in KINDS {
            assert_eq!(kind.value(7).data_type(), kind.data_type());
        }
    }
}
