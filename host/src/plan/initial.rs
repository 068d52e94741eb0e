//! Files of states that ops begin with: read as a source of files is.

use std::path::PathBuf;

use crate::id::NodeId;
use crate::job::{FileSourceSpec, Problem, SourceKind, SourceSpec};
use crate::operator::OpState;
use crate::row_error::OnError;
use crate::source::{self, Source, SourceError};

/// Files of states that an op begins with.
#[derive(Clone, Debug)]
pub struct Initial {
    spec: SourceSpec,
    folder: PathBuf,
}

impl Initial {
    /// The files of an op, or why no columns of a file can be its states.
    pub fn new(
        state: &OpState,
        files: &FileSourceSpec,
        folder: PathBuf,
    ) -> Result<Self, Box<Problem>> {
        let columns = state.columns();
        let mut names = columns.fields().iter().map(|field| field.name());
        let twice = names.find(|name| {
            state.schema.key().column_with_name(name).is_some()
                && state.function().column_with_name(name).is_some()
        });
        if let Some(name) = twice {
            let message = format!("column `{name}` is one of the key and one of the state");
            let problem = Problem::new("WEIR-PLAN-025", message);
            return Err(Box::new(problem.at(files.path_span.clone(), "").help(
                "a file has one column of a name: call the key's otherwise in an op before, or \
                 leave `initial` out",
            )));
        }
        let spec = SourceSpec {
            event_time: None,
            id: state.op.clone(),
            kind: SourceKind::File(files.clone()),
            schema: Some(columns),
            on_error: OnError::Fail,
            span: files.path_span.clone(),
        };
        Ok(Self { spec, folder })
    }

    /// The op.
    pub fn op(&self) -> &NodeId {
        &self.spec.id
    }

    /// Where the files are, as the job says it.
    pub fn path(&self) -> &str {
        match &self.spec.kind {
            SourceKind::File(files) => &files.path,
            _ => "",
        }
    }

    /// Opens them; each of their rows is a state.
    pub fn open(&self) -> Result<Box<dyn Source>, SourceError> {
        source::open(&self.spec, &self.folder)
    }
}
