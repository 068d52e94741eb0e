//! Why a job is not started.

use super::error::CheckpointError;

/// Why a job is not started. Compared by what it says.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// The files can't be believed.
    #[error(transparent)]
    Log(CheckpointError),
    /// A sink knows more.
    #[error("sink `{sink}` has batch {has}, but the checkpoint ends with batch {checkpoint}")]
    SinkAhead {
        /// The sink.
        sink: String,
        /// The last batch that it has.
        has: u64,
        /// The last batch of the checkpoint.
        checkpoint: u64,
    },
    /// A sink has lost what was committed to it.
    #[error("sink `{sink}` has {has}, but batch {committed} was committed to it")]
    SinkBehind {
        /// The sink.
        sink: String,
        /// What it has, for people.
        has: String,
        /// The last batch that was committed to it.
        committed: u64,
    },
    /// State is gone.
    #[error("the state of `{op}` after batch {batch} can't be had: `{file}` is missing or damaged")]
    StateLost {
        /// The op.
        op: String,
        /// The batch.
        batch: u64,
        /// The file.
        file: String,
    },
    /// Code is gone.
    #[error("batch {batch} has to be run again with component sha256:{digest}, which is not there")]
    PluginMissing {
        /// The batch.
        batch: u64,
        /// The component.
        digest: String,
    },
    /// Input is gone.
    #[error("batch {batch} has to be run again, but its input is gone: {input}")]
    InputLost {
        /// The batch.
        batch: u64,
        /// The input.
        input: String,
    },
    /// Some sinks have a batch that can't be made again.
    #[error("batch {batch} is in some sinks only, and a second run could give other rows")]
    NotRepeatable {
        /// The batch.
        batch: u64,
    },
}

impl PartialEq for Refusal {
    fn eq(&self, other: &Self) -> bool {
        (self.code(), self.to_string()) == (other.code(), other.to_string())
    }
}

impl Refusal {
    /// The stable code that `host explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Log(error) => error.code(),
            Self::SinkAhead { .. } => "WEIR-CHECKPOINT-010",
            Self::SinkBehind { .. } => "WEIR-CHECKPOINT-011",
            Self::StateLost { .. } => "WEIR-CHECKPOINT-012",
            Self::PluginMissing { .. } => "WEIR-CHECKPOINT-013",
            Self::InputLost { .. } => "WEIR-CHECKPOINT-014",
            Self::NotRepeatable { .. } => "WEIR-CHECKPOINT-015",
        }
    }

    /// The ways out.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Log(error) => error.help(),
            Self::SinkAhead { .. } => {
                "restore the newer checkpoint; or begin anew with `host checkpoint rm` and an \
                 empty sink (it takes everything again); or go on from the sink with \
                 `--adopt-sinks` (batches that it has are not written again)"
            }
            Self::SinkBehind { .. } => {
                "bring the sink's output or markers back; or begin anew with `host checkpoint rm` \
                 and an empty sink; or go on from here with `--adopt-sinks` (what the sink lost \
                 stays lost)"
            }
            Self::StateLost { .. } => {
                "bring the file back from a copy; or start from an older batch with `--from N` \
                 (`host checkpoint ls` lists them), which sinks that are ahead may refuse"
            }
            Self::PluginMissing { .. } => {
                "put the component back where job.lock or the job says it is; no other code may \
                 finish the batch"
            }
            Self::InputLost { .. } => {
                "bring the input back as it was; or set `on_data_loss = \"go-on\"` at the source: \
                 the batch comes without it, and what was lost is told"
            }
            Self::NotRepeatable { .. } => {
                "bring the prepared output back; or begin anew with `host checkpoint rm` and \
                 empty sinks"
            }
        }
    }
}
