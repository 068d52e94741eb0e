//! A transformer: all rows of a batch at once.

use weir::{Out, Row};

/// What the function reads of a row: the columns that stand here, and no others.
#[derive(Row)]
pub struct Reading {
    sensor: String,
    celsius: f64,
}

/// What it gives.
#[derive(Row)]
pub struct Warm {
    sensor: String,
    above_mean: f64,
}

/// Readings above the mean of the batch, and by how much.
///
/// This is a plain function. `pure` promises that it gives the same for the same rows, whatever was
/// before.
#[weir::transformer(pure)]
pub fn above_mean(readings: Vec<Reading>, out: &mut Out<Warm>) {
    let sum: f64 = readings.iter().map(|reading| reading.celsius).sum();
    let mean = sum / readings.len() as f64;
    for Reading { sensor, celsius } in readings {
        if celsius > mean {
            let above_mean = celsius - mean;
            out.push(Warm { sensor, above_mean });
        }
    }
}

// Every function that job.toml may call.
weir::export!(above_mean);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_itself_is_not_above_it() {
        let readings = [("cellar", 10.0), ("kitchen", 20.0), ("attic", 30.0)];
        let readings = readings.map(|(sensor, celsius)| Reading {
            sensor: sensor.to_owned(),
            celsius,
        });
        let warm = weir::testkit::transform::<above_mean, Warm>("{}", readings.into()).unwrap();
        assert_eq!(warm.len(), 1);
        assert_eq!(warm[0].sensor, "attic");
        assert_eq!(warm[0].above_mean, 10.0);
    }
}
