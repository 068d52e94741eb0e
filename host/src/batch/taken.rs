//! How far sources were read, as it is written down.
//!
//! A source that counts is where its last range ended. The files of a folder are a state of their
//! own, with the path as the key: so each commit has only what came new, and snapshots, clean-up
//! and restore are those of every state.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Fields, Int64Type};

use crate::checkpoint::record::IntentV1;
use crate::id::{BatchId, NodeId};
use crate::source::{FileRange, SourceError, SourceRange};
use crate::state::{Lane, Staged, StateError, StateSchema, StateStore};

/// The columns of a state of files: path, size in bytes, time of the last change in nanoseconds
/// since 1970.
pub fn files_schema() -> Result<StateSchema, StateError> {
    let key = Fields::from(vec![Field::new("path", DataType::Utf8, false)]);
    let number = |name| Field::new(name, DataType::Int64, false);
    StateSchema::new(1, key, Fields::from(vec![number("bytes"), number("modified")]))
}

/// Notes the files of a range in the state of their source. None if there are no files.
pub fn note(
    store: &dyn StateStore,
    source: &NodeId,
    batch: BatchId,
    range: &SourceRange,
) -> Result<Option<Staged>, StateError> {
    let SourceRange::Files(files) = range else { return Ok(None) };
    store.open(source, &files_schema()?)?;
    let mut lane = Lane::new(store.view(source)?, batch, 0..store.groups());
    let paths: StringArray = files.iter().map(|file| Some(file.path.as_str())).collect();
    let paths: ArrayRef = Arc::new(paths);
    let keys = lane.keys(&[paths])?;
    let bytes: Int64Array = files.iter().map(|file| Some(clamped(file.bytes.into()))).collect();
    let modified: Int64Array = files.iter().map(|file| Some(clamped(file.modified))).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(bytes), Arc::new(modified)];
    let state = RecordBatch::try_new(Arc::clone(lane.schema().state()), columns)
        .map_err(|error| StateError::Columns { problem: error.to_string() })?;
    lane.upsert(&keys, &state, None)?;
    Ok(Some(lane.seal()))
}

/// Every file that was noted.
pub fn files(store: &dyn StateStore, source: &NodeId) -> Result<Vec<FileRange>, StateError> {
    if !store.ops().contains(source) {
        return Ok(Vec::new());
    }
    let view = store.view(source)?;
    let mut files = Vec::new();
    for group in 0..store.groups() {
        let rows = view.scan(group)?;
        let paths = rows.keys.column(0).as_string::<i32>();
        let number = |at: usize| rows.state.column(at).as_primitive::<Int64Type>().values().clone();
        for ((path, bytes), modified) in paths.iter().zip(&number(0)).zip(&number(1)) {
            let path = path.unwrap_or_default().to_owned();
            let (bytes, modified) = (u64::try_from(*bytes).unwrap_or(0), i128::from(*modified));
            files.push(FileRange { path, bytes, modified });
        }
    }
    Ok(files)
}

/// What a batch reads from a source, by its intent.
pub fn range_of(intent: &IntentV1, id: &NodeId) -> Result<SourceRange, SourceError> {
    let range = intent.sources.iter().find(|it| it.source == id.as_str());
    range.map_or(Ok(SourceRange::Empty), |it| SourceRange::from_bytes(&it.range))
}

fn clamped(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
