//! Rows that a function did not take.

use super::abi::v0_1::weir::operator::rows as wire;
use super::error::MESSAGE_BYTES_MAX;

/// What should become of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It is wrong and stays so.
    Reject,
    /// It may succeed later, after so many milliseconds.
    Retry(Option<u32>),
}

/// A row that a function did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// The row within the call, from 0.
    pub row: u32,
    /// What the function asks for.
    pub what: Disposition,
    /// Its reason, cut after 4 KiB.
    pub message: String,
}

/// Checks row errors: ascending, within the call.
pub(super) fn checked(errors: Vec<wire::RowError>, count: u32) -> Result<Vec<RowError>, String> {
    let mut last = None;
    let mut checked = Vec::with_capacity(errors.len());
    for error in errors {
        if error.row >= count {
            return Err(format!("it rejects row {} of {count}", error.row));
        }
        if last.is_some_and(|last| error.row <= last) {
            return Err("its row errors are not in ascending order".to_owned());
        }
        last = Some(error.row);
        let end = error.message.floor_char_boundary(MESSAGE_BYTES_MAX);
        checked.push(RowError {
            row: error.row,
            what: match error.what {
                wire::Disposition::Reject => Disposition::Reject,
                wire::Disposition::Retry(after) => Disposition::Retry(after),
            },
            message: error.message[..end].to_owned(),
        });
    }
    Ok(checked)
}
