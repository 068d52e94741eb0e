//! Defences of what is kept, each of which a test can leave out to see that another one notices.
//!
//! Only a build with the feature `without-defences` can: there `WEIR_WITHOUT=name` names the one
//! that is left out. In any other build [`stands`] is `true` before the program runs.
//! `tests/crash/defences` leaves out each of them.

/// Declares the defences with their names, and the list of all.
macro_rules! defences {
    ($($(#[$doc:meta])* $defence:ident = $name:literal,)*) => {
        /// What stands between a fault and a row that is lost or doubled.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Defence {
            $($(#[$doc])* $defence,)*
        }

        impl Defence {
            /// Every defence.
            pub const ALL: &'static [Self] = &[$(Self::$defence,)*];

            /// The name, as `WEIR_WITHOUT` has it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$defence => $name,)*
                }
            }
        }
    };
}

defences! {
    /// A file is flushed before it gets its name.
    FlushBeforeName = "flush-before-name",
    /// The folder is flushed after a file has got its name.
    FolderFlush = "folder-flush",
    /// An append is flushed before it counts.
    AppendFlush = "append-flush",
    /// What another process left is flushed before it is believed.
    Settle = "settle",
    /// Nothing is tried again after a flush that failed.
    Poison = "poison",
    /// A file that is being written has a name that no other process gives.
    OwnTemporaryName = "own-temporary-name",
    /// A store has one process.
    Lock = "lock",
    /// The content of a frame has a checksum.
    ContentChecksum = "content-checksum",
    /// A frame names the one before it.
    Chain = "chain",
    /// An owner looks for a newer one before anything becomes visible.
    OwnerCheck = "owner-check",
    /// A batch is written down before it runs.
    Intent = "intent",
    /// Output for several sinks is written down before any of them commits.
    Prepared = "prepared",
    /// What is removed is below a floor that is durable.
    Floor = "floor",
    /// The transaction of a table looks for the mark of its batch.
    TableMark = "table-mark",
    /// The rows of a batch that is there are compared.
    SameRows = "same-rows",
    /// A table refuses an older owner.
    TableFence = "table-fence",
    /// Sources go on behind what was read.
    SourceResume = "source-resume",
    /// Lines that were received are in the log before a batch sees them.
    LogBeforeBatch = "log-before-batch",
    /// A block of the log stays until its batch is committed.
    LogUntilCommit = "log-until-commit",
}

/// Whether a defence stands.
#[cfg(not(feature = "without-defences"))]
#[inline(always)]
pub fn stands(_: Defence) -> bool {
    true
}

/// Whether a defence stands: unless the environment says that it does not.
#[cfg(feature = "without-defences")]
#[allow(clippy::disallowed_methods, reason = "a test leaves a defence out of a process")]
pub fn stands(defence: Defence) -> bool {
    use std::sync::OnceLock;
    static WITHOUT: OnceLock<Option<String>> = OnceLock::new();
    let without = WITHOUT.get_or_init(|| std::env::var("WEIR_WITHOUT").ok());
    without.as_deref() != Some(defence.name())
}
